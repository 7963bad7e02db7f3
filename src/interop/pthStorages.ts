/** Where the bytes of tensors are in a PyTorch file, whichever of its two layouts it has, and the errors that both have in common. */
import { CheckpointError, printable } from './errors.js';
import type { RandomAccessFile } from './randomAccessFile.js';
import type { StorageReference } from './torchPickle.js';

export interface Storages {
  /** Checks that the storage is in the file with the size that the pickle claims. @throws CheckpointError when it is not. */
  check(storage: StorageReference, bytes: number): void;
  /** Bytes of a storage, from `offset` on. */
  read(storage: StorageReference, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

export const LARGEST_PICKLE = 64 * 1024 * 1024;

export function wrongByteOrder(file: RandomAccessFile, order: string): CheckpointError {
  return new CheckpointError(
    `${file.name}: was saved with byte order "${printable(order)}", only "little" is supported; save it again on a little-endian machine`,
  );
}

export function damaged(file: RandomAccessFile, what: string): CheckpointError {
  return new CheckpointError(`${file.name}: damaged: ${what}; download or copy it again`);
}

/** @param what Whose elements have that type. */
export function notSupported(what: string, typeName: string): string {
  return `${what} is stored as ${printable(typeName)}, which is not supported; convert it to float32 before saving`;
}
