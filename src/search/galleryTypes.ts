/** What a gallery is: descriptors of images of one model, and what the images are called. */

/** What galleries of both kinds say. */
export interface GalleryContents {
  /** D. */
  readonly dimensions: number;
  /** `[N]`, each once. */
  readonly names: readonly string[];
  /** Fingerprint of the model that made the descriptors, as `sha256:` and 64 digits. */
  readonly model: string;
  /** What else the file says of itself. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface FloatGallery extends GalleryContents {
  readonly kind: 'float';
  /** `[N, D]`. */
  readonly descriptors: Float32Array;
}

export interface BinaryGallery extends GalleryContents {
  readonly kind: 'binary';
  /** Bits, `[N, D/8]`: dimension d is bit d mod 8 of byte ⌊d/8⌋. D is a multiple of 8. */
  readonly descriptors: Uint8Array;
}

export type Gallery = FloatGallery | BinaryGallery;
