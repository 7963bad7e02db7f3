/** Where the images or other files of a data set are, as plain data that threads can share. Nothing is read here. */

/** Decoded images of one size: uint8 [N, H, W, channels], in memory shared between threads. */
export interface PixelStore {
  readonly kind: 'pixels';
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

/** Image files one after the other in memory shared between threads; file i ends where `ends[i]` says. */
export interface EncodedStore {
  readonly kind: 'encoded';
  readonly bytes: Uint8Array;
  readonly ends: Float64Array;
  /** What messages call the files. */
  readonly names: readonly string[];
}

/** Image files on disk. */
export interface FileStore {
  readonly kind: 'files';
  readonly paths: readonly string[];
}

/** Where the images of a data set are. It can be sent to another thread. */
export type ImageStore = PixelStore | EncodedStore | FileStore;
