/**
 * Events in NumPy's archives (`.npz`): columns as arrays of one length under usual names, or one array of records or of four columns. Members may be stored or deflated and
 * larger than 4 GB. All columns are read side by side, so that memory stays bounded.
 */
import { crc32 } from '../../interop/crc32.js';
import type { RandomAccessFile } from '../../interop/randomAccessFile.js';
import { checkRange } from '../../interop/randomAccessFile.js';
import { openZip, type ZipArchive, type ZipEntry } from '../../interop/zip.js';
import { DataError } from '../errors.js';
import { type ByteSource, pieceBytes } from './byteSource.js';
import { chunkEvents } from './columns.js';
import { type ElementType, readColumn } from './elementTypes.js';
import type { Events, Skipped } from './events.js';
import type { EventFormat } from './format.js';
import { type RangeSource, rangeSource } from './held.js';
import type { Inlet } from './inlet.js';
import { checkType, inletOf, isWhole, readArray, readNumpyHeader } from './npy.js';
import {
  byUsualNames,
  type ColumnName,
  columnNames,
  missingColumns,
  RowsToEvents,
  rawColumns,
  type TableOptions,
} from './tableColumns.js';

const mostMembers = 4096;
const deflated = 8;

export const npz: EventFormat = {
  names: ['npz'],
  extensions: ['.npz'],
  recognises: (head) => head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4,
  open: async ({ source, inlet, table, skipped }) => {
    const members = await arraysOf(await rangeSource(source, inlet));
    const named = byUsualNames(members);
    if (named)
      return { format: 'npz', sensor: undefined, chunks: await readColumns(source.name, named, table, skipped) };
    const array = members.length === 1 ? members[0] : members.find(([name]) => name === 'events');
    if (!array)
      throw missingColumns(
        source.name,
        members.map(([name]) => name),
        'arrays',
      );
    const [, member] = array;
    const bytes = inletOf(member);
    const header = await readNumpyHeader(member.name, bytes);
    return { format: 'npz', sensor: undefined, chunks: readArray(member, bytes, header, table, skipped) };
  },
};

/** The arrays of an archive by their names, each as a source of its own. */
async function arraysOf(source: RangeSource): Promise<(readonly [string, ByteSource])[]> {
  const file = rangeFile(source);
  const archive = await openZip(file);
  const arrays: (readonly [string, ByteSource])[] = [];
  if (archive.entries.size > mostMembers)
    throw new DataError(`${source.name}: has ${archive.entries.size} members, more than any archive of events needs`);
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

interface Column {
  readonly inlet: Inlet;
  readonly type: ElementType;
  readonly length: number;
}

async function readColumns(
  file: string,
  members: Readonly<Record<ColumnName, ByteSource>>,
  table: TableOptions,
  skipped: Skipped,
): Promise<() => AsyncGenerator<Events, void, undefined>> {
  const columns = {} as Record<ColumnName, Column>;
  for (const name of columnNames) columns[name] = await openColumn(members[name]);
  const lengths = new Set(columnNames.map((name) => columns[name].length));
  if (lengths.size > 1) {
    const list = columnNames.map((name) => `${name} ${columns[name].length}`).join(', ');
    throw new DataError(`${file}: its columns have different lengths (${list}); save arrays of one length`);
  }
  return () => sideBySide(columns, table, skipped);
}

async function openColumn(source: ByteSource): Promise<Column> {
  const inlet = inletOf(source);
  const { element, shape } = await readNumpyHeader(source.name, inlet);
  const length = shape.reduce((product, size) => product * size, 1);
  // A column of one axis, or one that came from a matrix: [N, 1].
  if ('fields' in element || shape.length === 0 || Math.max(...shape) !== length)
    throw new DataError(`${source.name}: is no column of numbers; save arrays of one axis`);
  checkType(source.name, 'its elements', element);
  return { inlet, type: element, length };
}

async function* sideBySide(
  columns: Readonly<Record<ColumnName, Column>>,
  table: TableOptions,
  skipped: Skipped,
): AsyncGenerator<Events, void, undefined> {
  const raw = rawColumns(chunkEvents);
  const converter = new RowsToEvents(skipped, table, isWhole(columns.t.type), chunkEvents);
  try {
    for (let left = columns.t.length; left > 0; ) {
      const wanted = Math.min(chunkEvents, left);
      let count = wanted;
      for (const name of columnNames) {
        const { inlet, type } = columns[name];
        await inlet.fill(wanted * type.size);
        count = Math.min(count, Math.floor(inlet.length / type.size));
        const bytes = inlet.bytes.subarray(inlet.start, inlet.end);
        readColumn(bytes, { type, offset: 0, stride: type.size }, raw[name], count);
        inlet.start += count * type.size;
      }
      left -= count;
      const events = converter.convert(raw, count);
      if (events.length > 0) yield events;
      if (count < wanted) {
        skipped.truncatedBytes += left * columnNames.reduce((sum, name) => sum + columns[name].type.size, 0);
        return;
      }
    }
    // To the end of each, where the checksum is.
    for (const name of columnNames) await columns[name].inlet.skip(Number.POSITIVE_INFINITY);
  } finally {
    for (const name of columnNames) await columns[name].inlet.close();
  }
}
