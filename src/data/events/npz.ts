/**
 * Events in NumPy's archives (`.npz`): columns as arrays of one length under usual names, or one array of records or of four columns. Members may be stored or deflated and
 * larger than 4 GB. All columns are read side by side, so that memory stays bounded.
 */
import { DataError } from '../errors.js';
import type { ByteSource } from './byteSource.js';
import { chunkEvents } from './columns.js';
import { type ElementType, readColumn } from './elementTypes.js';
import type { Events, Skipped } from './events.js';
import type { EventFormat } from './format.js';
import { rangeSource } from './held.js';
import type { Inlet } from './inlet.js';
import { checkType, inletOf, isWhole, readArray, readNumpyHeader } from './npy.js';
import { arraysOf } from './npzMembers.js';
import {
  byUsualNames,
  type ColumnName,
  columnNames,
  missingColumns,
  RowsToEvents,
  rawColumns,
  type TableOptions,
} from './tableColumns.js';

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
