/**
 * What a call needs of images, taken when it begins: decoders wait for the system, and callers fill their buffers again in the meantime. The answer is for what was given.
 */
import type { RgbImage } from '../data/image.js';
import { UsageError } from '../errors.js';
import { described } from '../optionNames.js';
import { checkImage } from './checks.js';
import type { ImageSource } from './modelTypes.js';

/** A copy that nobody else can change. */
export function ownBytes(bytes: Uint8Array | ArrayBuffer): Uint8Array {
  return new Uint8Array(bytes instanceof ArrayBuffer ? bytes.slice(0) : bytes);
}

/** @throws UsageError for no list, an empty one, and what is no image. */
export function checkImages(images: readonly ImageSource[]): void {
  const given: unknown = images;
  if (!Array.isArray(given) || given.length === 0)
    throw new UsageError(
      `images: found ${Array.isArray(given) ? 'none' : described(given)}, expected a list of images`,
    );
  for (const image of images) checkImage(image);
}

/**
 * Gives `put` the pixels of each image: what are pixels already at once, others decoded one after the other, bytes among them copied before anything is waited for. Paths,
 * addresses and blobs are nobody's to change.
 */
export async function takeImages(
  images: readonly ImageSource[],
  decode: (image: ImageSource) => Promise<RgbImage>,
  put: (pixels: RgbImage, index: number) => void,
): Promise<void> {
  const encoded = images.map((image, index) => {
    if (image instanceof Uint8Array || image instanceof ArrayBuffer) return ownBytes(image);
    if (typeof image !== 'object' || !('width' in image)) return image;
    put(image, index);
    return undefined;
  });
  for (const [index, image] of encoded.entries()) if (image !== undefined) put(await decode(image), index);
}
