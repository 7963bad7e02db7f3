/**
 * Where the sequences of a data set are, as plain data that threads can share: a file each, on disk or in an archive that is kept in memory, or floats that are held. For Node.
 */
import type { EncodedStore, FileStore } from '../datasets/imageStore.js';
import { DataError } from '../errors.js';
import { fileBytes, fileSize } from '../storedFiles.js';
import { type HeldSequences, heldCount, heldFloats, heldName, heldSequence } from './heldSequences.js';
import type { SkeletonSample } from './preparations.js';
import { parseSkeletons } from './readSkeleton.js';

/** JSON of NW-UCLA has some hundred kilobytes, text of NTU RGB+D some megabytes at most. */
const mostFileBytes = 1 << 28;

/** A file for each sequence. It can be sent to another thread. */
export interface SequenceFiles {
  readonly kind: 'sequences';
  readonly files: EncodedStore | FileStore;
}

/** It can be sent to another thread. */
export type SequenceStore = SequenceFiles | HeldSequences;

/** How many samples there are. */
export function storedSequences(store: SequenceStore): number {
  if (store.kind === 'held') return heldCount(store);
  return store.files.kind === 'files' ? store.files.paths.length : store.files.ends.length;
}

export function sequenceName(store: SequenceStore, position: number): string {
  if (store.kind === 'held') return heldName(store, position);
  return store.files.kind === 'files' ? store.files.paths[position]! : store.files.names[position]!;
}

/** Bytes that a sample is stored in. */
export async function sequenceSize(store: SequenceStore, position: number): Promise<number> {
  return store.kind === 'held' ? heldFloats(store, position).byteLength : fileSize(store.files, position);
}

/** Everything that tells one sample from another. */
export async function* sequenceBytes(store: SequenceStore, position: number): AsyncGenerator<Uint8Array> {
  if (store.kind === 'sequences') return yield* fileBytes(store.files, position);
  const floats = heldFloats(store, position);
  yield new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}

/** A file of Node. Throws DataError naming it when it cannot be read. */
export function readSkeletonFile(path: string): Promise<SkeletonSample> {
  return readFileAt({ kind: 'sequences', files: { kind: 'files', paths: [path] } }, 0);
}

/** One sample. Throws DataError naming the file when it cannot be read. */
export async function readSequence(store: SequenceStore, position: number): Promise<SkeletonSample> {
  return store.kind === 'held' ? heldSequence(store, position) : readFileAt(store, position);
}

async function readFileAt(store: SequenceFiles, position: number): Promise<SkeletonSample> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of fileBytes(store.files, position)) {
    parts.push(part);
    length += part.length;
    if (length > mostFileBytes)
      throw new DataError(
        `${sequenceName(store, position)}: has more than ${mostFileBytes} bytes; no sequence of skeletons is so long`,
      );
  }
  return parseSkeletons(parts.length === 1 ? parts[0]! : Buffer.concat(parts), sequenceName(store, position));
}
