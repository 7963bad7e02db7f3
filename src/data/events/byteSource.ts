/**
 * Where the bytes of a recording come from: memory, a file that was dropped on a page, or (in `nodeSource.ts`) a file or stream of Node. Files can also be read by range;
 * what arrives over a pipe or a socket can be read once, from its beginning.
 */

export interface ByteSource {
  /** What messages call it: a path, or the name of an upload. Its extension helps to recognise formats that have no mark of their own. */
  readonly name: string;
  /** In bytes; undefined for what is still arriving. */
  readonly size?: number | undefined;
  /** All bytes from the beginning, in pieces of any size. A piece is valid until the next is asked for. */
  stream(): AsyncIterable<Uint8Array>;
  /** At most `length` bytes from `offset` on, fewer at the end only; undefined where bytes can only be read in their order. */
  readonly read?: ((offset: number, length: number) => Promise<Uint8Array>) | undefined;
  /** As `read`, into `target` and without waiting, for libraries that cannot wait; returns how many bytes there were. */
  readonly readNow?: ((target: Uint8Array, offset: number) => number) | undefined;
}

/** How much is taken from a file at a time. */
export const pieceBytes = 1 << 18;

/** A recording in memory. Nothing is copied. */
export function sourceFromBytes(bytes: Uint8Array, name = 'recording'): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    async *stream() {
      yield bytes;
    },
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    readNow: (target, offset) => {
      const part = bytes.subarray(offset, offset + target.length);
      target.set(part);
      return part.length;
    },
  };
}

/** A file that a person chose in a page, or any `Blob`. */
export function sourceFromBlob(blob: Blob & { readonly name?: string }, name = blob.name ?? 'recording'): ByteSource {
  const read = async (offset: number, length: number) =>
    new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
  return {
    name,
    size: blob.size,
    async *stream() {
      for (let offset = 0; offset < blob.size; offset += pieceBytes) yield await read(offset, pieceBytes);
    },
    read,
  };
}
