/** Where the sequences of a data set are, as plain data that threads can share: a file each, on disk or in an archive that is kept in memory. For Node. */
import type { EncodedStore, FileStore } from '../datasets/imageStore.js';
import { fileBytes } from '../storedFiles.js';
import { parseSkeletons, type SkeletonSample } from './readSkeleton.js';

/** It can be sent to another thread. */
export interface SequenceStore {
  readonly kind: 'sequences';
  readonly files: EncodedStore | FileStore;
}

/** How many samples there are. */
export function storedSequences({ files }: SequenceStore): number {
  return files.kind === 'files' ? files.paths.length : files.ends.length;
}

export function sequenceName({ files }: SequenceStore, position: number): string {
  return files.kind === 'files' ? files.paths[position]! : files.names[position]!;
}

/** A file of Node. Throws DataError naming it when it cannot be read. */
export function readSkeletonFile(path: string): Promise<SkeletonSample> {
  return readSequence({ kind: 'sequences', files: { kind: 'files', paths: [path] } }, 0);
}

/** One sample. Throws DataError naming the file when it cannot be read. */
export async function readSequence(store: SequenceStore, position: number): Promise<SkeletonSample> {
  const parts: Uint8Array[] = [];
  for await (const part of fileBytes(store.files, position)) parts.push(part);
  return parseSkeletons(parts.length === 1 ? parts[0]! : Buffer.concat(parts), sequenceName(store, position));
}
