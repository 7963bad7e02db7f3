/**
 * Bytes of a file in order, decompressed on the way when the file is a gzip stream, never more in memory than was asked for. What
 * the bytes mean is for others; here a truncated stream, a damaged one and one that is too long become errors naming the file.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { DataError } from '../errors.js';
import { systemPath } from '../fileNames.js';

/** See {@link openBytes}. */
export interface ByteReader {
  /** What messages call the source. */
  readonly name: string;
  /** Bytes taken or skipped so far. */
  readonly offset: number;
  /** More bytes than these cannot come: a file's size, or what a gzip stream of that size becomes at most. */
  readonly mostBytes: number;
  /** The next `count` bytes. Throws DataError when the stream ends before; `what` says what they were to be. */
  take(count: number, what: string): Promise<Buffer>;
  /** As take, when the bytes are there already, side by side; undefined when they must be waited for. Good until the next call. */
  takeNow(count: number): Uint8Array | undefined;
  /** As take, into `target`, which it fills. */
  fill(target: Uint8Array, what: string): Promise<void>;
  /** Passes over the next `count` bytes. */
  skip(count: number, what: string): Promise<void>;
  /** Whether nothing is left. */
  atEnd(): Promise<boolean>;
  /** Stops reading; nothing may be taken afterwards. */
  close(): Promise<void>;
}

/** What a byte of a gzip stream can become at most. */
const largestRatio = 1032;

/** Opens a file, plain or gzip (told by its first bytes). Throws DataError when it cannot be read. */
export async function openBytes(path: string): Promise<ByteReader> {
  const { compressed, size } = await looked(path);
  const file = createReadStream(systemPath(path), { highWaterMark: 1 << 18 });
  if (!compressed) return readerOf(file, path, size);
  const inflated = createGunzip({ chunkSize: 1 << 18 });
  // Errors of either stream arrive where the chunks are read.
  pipeline(file, inflated, () => {});
  return readerOf(inflated, path, largestRatio * size);
}

/** Reads from any source of chunks; `name` is what messages call it. */
export function readerOf(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  mostBytes = Number.POSITIVE_INFINITY,
): ByteReader {
  const iterator = chunks[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array(0);
  let used = 0;
  let offset = 0;

  /** False at the end. Afterwards at least one byte is there. */
  const more = async (): Promise<boolean> => {
    while (used === chunk.length) {
      const next = await nextChunk(iterator, name);
      if (next === undefined) return false;
      chunk = next;
      used = 0;
    }
    return true;
  };
  const advance = async (count: number, what: string, visit: (part: Uint8Array) => void) => {
    for (let left = count; left > 0; ) {
      if (!(await more())) {
        throw new DataError(
          `${name}: ends after ${offset} bytes, ${left} bytes before the end of ${what}; the file is truncated, fetch it again`,
        );
      }
      const part = chunk.subarray(used, used + left);
      visit(part);
      used += part.length;
      offset += part.length;
      left -= part.length;
    }
  };
  const fill = async (target: Uint8Array, what: string) => {
    let to = 0;
    await advance(target.length, what, (part) => {
      target.set(part, to);
      to += part.length;
    });
  };
  return {
    name,
    mostBytes,
    get offset() {
      return offset;
    },
    fill,
    takeNow: (count) => {
      if (chunk.length - used < count) return undefined;
      used += count;
      offset += count;
      return chunk.subarray(used - count, used);
    },
    take: async (count, what) => {
      const bytes = Buffer.alloc(count);
      await fill(bytes, what);
      return bytes;
    },
    skip: (count, what) => advance(count, what, () => {}),
    atEnd: async () => !(await more()),
    close: async () => {
      await iterator.return?.();
    },
  };
}

async function nextChunk(iterator: AsyncIterator<Uint8Array>, name: string): Promise<Uint8Array | undefined> {
  try {
    const { done, value } = await iterator.next();
    return done ? undefined : value;
  } catch (error) {
    throw new DataError(`${name}: cannot be read or decompressed (${reasonOf(error)}); fetch the file again`, {
      cause: error,
    });
  }
}

/** Whether it is a gzip stream, and its size. */
async function looked(path: string): Promise<{ readonly compressed: boolean; readonly size: number }> {
  try {
    const file = await open(systemPath(path));
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
      const { size } = await file.stat();
      return { compressed: bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b, size };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new DataError(`${path}: cannot be read (${reasonOf(error)}); check the path and its permissions`, {
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^(E[A-Z]+: .*?), [a-z]+( '.*')?$/s, '$1').split('\n')[0]!;
}
