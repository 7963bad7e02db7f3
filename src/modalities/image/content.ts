/** Stored images, to tell data from other data: decoded pixels, or files as they are. */
import { type ImageStore, readImage } from '../../data/datasets/imageStore.js';
import { fileBytes, fileSize } from '../../data/storedFiles.js';
import type { StoredContent } from '../modality.js';

export function imageContent(store: ImageStore): StoredContent {
  if (store.kind === 'pixels') {
    return {
      what: 'pixels',
      inMemory: true,
      sizeOf: async () => store.height * store.width * store.channels,
      async *bytesOf(position) {
        const { height, width, data } = await readImage(store, position);
        yield `${height} ${width}\n`;
        yield data;
      },
    };
  }
  return {
    what: 'files',
    inMemory: store.kind === 'encoded',
    sizeOf: (position) => fileSize(store, position),
    bytesOf: (position) => fileBytes(store, position),
  };
}
