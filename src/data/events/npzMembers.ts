/**
 * The members of a NumPy archive (`.npz`, a zip of `.npy` files): each a source of bytes of its own, stored or deflated, larger than 4 GB or not, checked against its length
 * and checksum as it is read. What is in them is for others.
 */
import { crc32 } from '../../interop/crc32.js';
import type { RandomAccessFile } from '../../interop/randomAccessFile.js';
import { checkRange } from '../../interop/randomAccessFile.js';
import { openZip, type ZipArchive, type ZipEntry } from '../../interop/zip.js';
import { DataError } from '../errors.js';
import { type ByteSource, pieceBytes } from './byteSource.js';
import type { RangeSource } from './held.js';

const mostMembers = 4096;
const deflated = 8;

/**
 * The arrays of an archive by their names, each as a source of its own; one that is not compressed can be read by range.
 *
 * @throws DataError when it is no archive, or one that is damaged.
 */
export async function arraysOf(source: RangeSource): Promise<(readonly [string, ByteSource])[]> {
  const file = rangeFile(source);
  const archive = await openZip(file);
  const arrays: (readonly [string, ByteSource])[] = [];
  if (archive.entries.size > mostMembers)
    throw new DataError(`${source.name}: has ${archive.entries.size} members, more than any archive of arrays needs`);
  for (const entry of archive.entries.values()) {
    if (!entry.name.endsWith('.npy')) continue;
    const array = entry.name.slice(0, -'.npy'.length);
    arrays.push([array, await memberSource(file, archive, entry, array)]);
  }
  return arrays;
}

function rangeFile({ name, size, read }: RangeSource): RandomAccessFile {
  return {
    name,
    size,
    async read(offset, length) {
      checkRange(name, size, offset, length);
      return (await read(offset, length)).slice();
    },
    close: async () => {},
  };
}

async function memberSource(
  file: RandomAccessFile,
  archive: ZipArchive,
  entry: ZipEntry,
  array: string,
): Promise<ByteSource> {
  const name = `${file.name}: ${array}`;
  if (entry.compression !== 0 && entry.compression !== deflated)
    throw new DataError(`${name}: is compressed by method ${entry.compression}; save it with numpy.savez_compressed`);
  const start = await archive.locate(entry);
  const stored = () => piecesOf(file, start, entry.storedSize);
  if (entry.compression === deflated) return { name, stream: () => checked(name, entry, inflated(name, stored())) };
  return {
    name,
    size: entry.size,
    stream: () => checked(name, entry, stored()),
    read: (offset, length) => file.read(start + offset, Math.max(0, Math.min(length, entry.size - offset))),
  };
}

async function* piecesOf(
  file: RandomAccessFile,
  start: number,
  length: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < length; at += pieceBytes) yield await file.read(start + at, Math.min(pieceBytes, length - at));
}

/** Never more than a few pieces ahead: the stream waits for whoever reads. */
async function* inflated(name: string, pieces: AsyncGenerator<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array> {
  const inflater = new DecompressionStream('deflate-raw');
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  const reader = source.pipeThrough(inflater).getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${name}: damaged: it cannot be inflated; copy or download the file again`, { cause });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Passes on what the directory promised, no more; whoever reads to the end learns of damage. */
async function* checked(name: string, entry: ZipEntry, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let crc = 0;
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > entry.size) throw new DataError(`${name}: damaged: it is longer than the archive says; copy it again`);
    crc = crc32(piece, crc);
    yield piece;
  }
  if (size !== entry.size || crc !== entry.crc)
    throw new DataError(`${name}: damaged: its checksum is wrong; copy or download the file again`);
}
