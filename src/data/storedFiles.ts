/** Bytes and sizes of files as data sets store them: on disk, or one after the other in memory. For Node. */
import { open, readFile, stat } from 'node:fs/promises';
import { reasonOf } from '../interop/fileReasons.js';
import type { EncodedStore, FileStore } from './datasets/imageStore.js';
import { maximumImageBytes } from './decode.js';
import { DataError } from './errors.js';
import { systemPath } from './fileNames.js';

export async function fileSize(store: EncodedStore | FileStore, file: number): Promise<number> {
  if (store.kind === 'encoded') return encodedFile(store, file).length;
  return reading(store.paths[file]!, async (path) => (await stat(path)).size);
}

/** The bytes of a file of an archive, where they lie. */
export function encodedFile({ bytes, ends }: EncodedStore, file: number): Uint8Array {
  return bytes.subarray(file === 0 ? 0 : ends[file - 1]!, ends[file]!);
}

/** What messages call a file. */
export function fileName(store: EncodedStore | FileStore, file: number): string {
  return (store.kind === 'encoded' ? store.names : store.paths)[file]!;
}

/** A whole file that is to be an image, and not larger than one. Throws DataError naming it when it cannot be read. */
export async function imageBytes(store: EncodedStore | FileStore, file: number): Promise<Uint8Array> {
  if (store.kind === 'encoded') return encodedFile(store, file);
  const path = store.paths[file]!;
  const size = await fileSize(store, file);
  if (size > maximumImageBytes)
    throw new DataError(`${path}: has ${size} bytes, more than the ${maximumImageBytes} allowed for an image`);
  return reading(path, (place) => readFile(systemPath(place)));
}

/** A whole file. Throws DataError naming it when it cannot be read. */
export async function* fileBytes(store: EncodedStore | FileStore, file: number): AsyncGenerator<Uint8Array> {
  if (store.kind === 'encoded') {
    yield encodedFile(store, file);
    return;
  }
  const path = store.paths[file]!;
  const chunks = await reading(path, async () => (await open(path)).createReadStream());
  const iterator: AsyncIterator<Uint8Array> = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await reading(path, () => iterator.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

async function reading<T>(path: string, read: (path: string) => Promise<T>): Promise<T> {
  try {
    return await read(path);
  } catch (cause) {
    throw new DataError(`${path}: cannot be read: ${reasonOf(cause as Error)}`, { cause });
  }
}
