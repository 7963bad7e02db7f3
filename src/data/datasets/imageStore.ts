/** Reading the images of a data set, wherever they are: the same function in every thread. */
import { decodeImage } from '../decode.js';
import type { RgbImage } from '../image.js';
import type { ImageStore, PixelStore } from './stores.js';

export type { EncodedStore, FileStore, ImageStore, PixelStore } from './stores.js';

/** One image of a store; what is already decoded is copied out. `Promise` only when it must be decoded. */
export function readImage(store: ImageStore, position: number): RgbImage | Promise<RgbImage> {
  switch (store.kind) {
    case 'pixels':
      return readPixels(store, position);
    case 'encoded': {
      const start = position === 0 ? 0 : store.ends[position - 1]!;
      return decodeImage(store.bytes.subarray(start, store.ends[position]!), store.names[position]!);
    }
    case 'files':
      return decodeImage(store.paths[position]!);
  }
}

function readPixels({ height, width, channels, pixels }: PixelStore, position: number): RgbImage {
  const length = height * width * channels;
  const stored = pixels.subarray(position * length, (position + 1) * length);
  // Augmentations never write into their input, so colour images need no copy.
  if (channels === 3) return { width, height, data: stored };
  const data = new Uint8Array(length * 3);
  for (let i = 0; i < length; i++) data[i * 3] = data[i * 3 + 1] = data[i * 3 + 2] = stored[i]!;
  return { width, height, data };
}

/** How many images a store holds. */
export function storedImages(store: ImageStore): number {
  switch (store.kind) {
    case 'pixels':
      return store.pixels.length / (store.height * store.width * store.channels);
    case 'encoded':
      return store.ends.length;
    case 'files':
      return store.paths.length;
  }
}

/** The file's name where there is one. */
export function storedName(store: ImageStore, position: number): string | undefined {
  if (store.kind === 'encoded') return store.names[position];
  return store.kind === 'files' ? store.paths[position] : undefined;
}
