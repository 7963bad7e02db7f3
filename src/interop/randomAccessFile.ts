/**
 * A file that is read by range, so that opening a large checkpoint costs its directory and not its weights. Here are the
 * interface and the two adapters that work everywhere (bytes in memory, and a `Blob` or `File` of a web page); the one
 * for files of Node is in `nodeFile.ts`. Nothing here knows what the bytes mean.
 */
import { CheckpointError } from './errors.js';

export interface RandomAccessFile {
  /** What messages call the file: a path, or the name of an upload. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset` on, freshly allocated: the caller owns them.
   *
   * @throws CheckpointError when the range is not inside the file or the file cannot be read.
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** A file that is already in memory. The bytes are copied on every read, so results may be overwritten freely. */
export function fileFromBytes(bytes: Uint8Array, name = 'checkpoint'): RandomAccessFile {
  return {
    name,
    size: bytes.byteLength,
    async read(offset, length) {
      checkRange(name, bytes.byteLength, offset, length);
      return copyOf(bytes.subarray(offset, offset + length));
    },
    async close() {},
  };
}

/** A `File` that a person chose in a web page, or any `Blob`; only the ranges that are read are loaded. */
export function fileFromBlob(
  blob: Blob & { readonly name?: string },
  name = blob.name ?? 'checkpoint',
): RandomAccessFile {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      checkRange(name, blob.size, offset, length);
      const buffer = await readBlob(blob.slice(offset, offset + length), name);
      if (buffer.byteLength !== length) throw endedEarly(name, offset, length, buffer.byteLength);
      return new Uint8Array(buffer);
    },
    async close() {},
  };
}

/** Refuses a range that is not inside the file, whatever untrusted arithmetic it came from. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (valid && length <= size - offset) return;
  throw new CheckpointError(
    `${name}: damaged or truncated: it points to ${length} bytes at offset ${offset}, but the file has ${size} bytes; download or copy it again`,
  );
}

/** The error for a file that became shorter after it was opened. */
export function endedEarly(name: string, offset: number, wanted: number, got: number): CheckpointError {
  return new CheckpointError(
    `${name}: only ${got} of ${wanted} bytes could be read at offset ${offset}; the file changed while it was being read, try again`,
  );
}

function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

async function readBlob(blob: Blob, name: string): Promise<ArrayBuffer> {
  try {
    return await blob.arrayBuffer();
  } catch (cause) {
    throw new CheckpointError(`${name}: cannot be read (${String(cause)}); choose the file again`, { cause });
  }
}
