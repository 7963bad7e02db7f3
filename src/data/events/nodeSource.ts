/** Recordings of Node: a file, read by range, or what arrives over a pipe. The only file of this folder that needs Node. */
import { readSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { reasonOf } from '../../interop/fileReasons.js';
import { DataError } from '../errors.js';
import { systemPath } from '../fileNames.js';
import { type ByteSource, pieceBytes } from './byteSource.js';

/** A source that holds a file open. Whoever opened it closes it. */
export interface NodeSource extends ByteSource {
  close(): Promise<void>;
}

/** Opens a file, or a pipe with a name. @throws DataError when it is missing, a directory, or cannot be read. */
export async function openNodeSource(path: string): Promise<NodeSource> {
  const handle = await translated(path, () => open(systemPath(path), 'r'));
  let kind: Stats;
  try {
    kind = await translated(path, () => handle.stat());
    if (kind.isDirectory()) throw new DataError(`${path}: is a directory, not a recording; name a file inside it`);
  } catch (error) {
    await handle.close();
    throw error;
  }
  const close = () => handle.close();
  if (!kind.isFile()) return { name: path, stream: () => arriving(path, handle), close };
  return {
    name: path,
    size: kind.size,
    stream: () => pieces(path, handle),
    read: async (offset, length) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, kind.size - offset)));
      return bytes.subarray(0, await readAt(path, handle, bytes, offset));
    },
    readNow: (target, offset) => readSync(handle.fd, target, 0, target.length, offset),
    close,
  };
}

/** What arrives over standard input or a socket. */
export function sourceFromStream(stream: AsyncIterable<Uint8Array>, name: string): ByteSource {
  return { name, stream: () => stream };
}

/** What arrives over a pipe. One piece of memory is filled again and again. */
async function* arriving(path: string, handle: FileHandle): AsyncGenerator<Uint8Array> {
  const piece = new Uint8Array(pieceBytes);
  while (true) {
    const { bytesRead } = await translated(path, () => handle.read(piece, 0, piece.length, null));
    if (bytesRead === 0) return;
    yield piece.subarray(0, bytesRead);
  }
}

/** A file from its beginning. While one piece is decoded the next is read, into two memories that take turns. */
async function* pieces(path: string, handle: FileHandle): AsyncGenerator<Uint8Array> {
  let [piece, other] = [new Uint8Array(pieceBytes), new Uint8Array(pieceBytes)];
  const readInto = (memory: Uint8Array, position: number) => {
    const reading = translated(path, () => handle.read(memory, 0, memory.length, position));
    // Whoever stops early does not wait for it.
    reading.catch(() => {});
    return reading;
  };
  let reading = readInto(piece, 0);
  for (let position = 0; ; ) {
    const { bytesRead } = await reading;
    if (bytesRead === 0) return;
    position += bytesRead;
    reading = readInto(other, position);
    yield piece.subarray(0, bytesRead);
    [piece, other] = [other, piece];
  }
}

async function readAt(path: string, handle: FileHandle, bytes: Uint8Array, offset: number): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await translated(path, () => handle.read(bytes, done, bytes.length - done, offset + done));
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

async function translated<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new DataError(`${path}: cannot read: ${reasonOf(cause)}`, { cause });
  }
}
