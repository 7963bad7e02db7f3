/**
 * Small images are decoded once and kept as bytes that all threads share: 50,000 images of 32 x 32 are 154 MB, and training
 * then never waits for a decoder. Larger images, or images of different sizes, are left where they are.
 */
import sharp from 'sharp';
import type { RgbImage } from '../image.js';
import { readAhead } from '../readAhead.js';
import type { Size } from '../resize.js';
import type { PixelStore } from './imageStore.js';
import { hasRoomFor, sharedBytes } from './sharedBytes.js';

/** Images with a longer side are not kept decoded. */
export const largestSmallSide = 64;

/** How images are brought into memory. */
export interface DecodingOptions {
  /** Decoded images that would need more bytes, or more than the memory budget has left, stay encoded. Default 2 GiB. */
  readonly memoryLimit?: number;
  /** Called now and then with the number of images decoded so far. */
  readonly onProgress?: (done: number, total: number) => void;
}

const defaultMemoryLimit = 2 * 2 ** 30;
const progressEvery = 500;
// sharp decodes in libuv's pool of 4 threads; a few more keep it busy between two turns of the event loop.
const concurrency = 8;

/**
 * All images decoded, uint8 [N, H, W, 3], or undefined when they are not small, not of one size, or too many for the memory
 * limit. Passes on the error of `read`.
 */
export async function decodeSmallImages(
  count: number,
  read: (i: number) => Promise<RgbImage>,
  options: DecodingOptions = {},
): Promise<PixelStore | undefined> {
  if (count === 0) return undefined;
  const { width, height } = await read(0);
  const length = count * width * height * 3;
  const tooMany = length > (options.memoryLimit ?? defaultMemoryLimit) || !hasRoomFor(length);
  if (Math.max(width, height) > largestSmallSide || tooMany) return undefined;
  return withOneThreadPerImage(() => decodeAll(count, { width, height }, read, options.onProgress));
}

async function decodeAll(
  count: number,
  { width, height }: Size,
  read: (i: number) => Promise<RgbImage>,
  onProgress: DecodingOptions['onProgress'],
): Promise<PixelStore | undefined> {
  const length = width * height * 3;
  const pixels = sharedBytes(count * length, `${count} decoded images`);
  const numbers = Array.from({ length: count }, (_, i) => i);
  let done = 0;
  for await (const image of readAhead(numbers, read, { concurrency, lookAhead: 4 * concurrency })) {
    if (image.width !== width || image.height !== height) return undefined;
    pixels.set(image.data, done++ * length);
    if (done % progressEvery === 0 || done === count) onProgress?.(done, count);
  }
  return { kind: 'pixels', height, width, channels: 3, pixels };
}

/** Sharing a small image between threads costs more than decoding it: measured a quarter of the time. */
async function withOneThreadPerImage<Result>(work: () => Promise<Result>): Promise<Result> {
  const before = sharp.concurrency();
  sharp.concurrency(1);
  try {
    return await work();
  } finally {
    sharp.concurrency(before);
  }
}
