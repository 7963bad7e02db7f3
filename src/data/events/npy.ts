/**
 * Events in NumPy's array files (`.npy`): records with fields t, x, y and p under usual names and in any order, or a plain array of four columns, `[N, 4]` or `[4, N]`.
 * Records and rows are read as they arrive; columns that stand one after the other need a file that can be read by range.
 */
import { DataError } from '../errors.js';
import type { ByteSource } from './byteSource.js';
import { chunkEvents } from './columns.js';
import type { ColumnPlace, ElementType } from './elementTypes.js';
import { isReadable, readColumn } from './elementTypes.js';
import type { Events, Skipped } from './events.js';
import type { EventFormat } from './format.js';
import { Inlet } from './inlet.js';
import { headerLength, type NumpyHeader, npyMagic, parseHeader, preambleLength } from './numpyHeader.js';
import {
  byUsualNames,
  type ColumnName,
  type ColumnOrder,
  columnNames,
  defaultOrder,
  missingColumns,
  RowsToEvents,
  rawColumns,
  type TableOptions,
} from './tableColumns.js';

export const npy: EventFormat = {
  names: ['npy'],
  extensions: ['.npy'],
  recognises: (head) => npyMagic.every((byte, i) => head[i] === byte),
  open: async ({ source, inlet, skipped, table }) => {
    const header = await readNumpyHeader(source.name, inlet);
    return { format: 'npy', sensor: undefined, chunks: readArray(source, inlet, header, table, skipped) };
  },
};

/**
 * Takes the header from the inlet, whose next byte is the first of the array afterwards.
 *
 * @throws DataError when it is damaged or cut off.
 */
export async function readNumpyHeader(name: string, inlet: Inlet): Promise<NumpyHeader> {
  const cutOff = new DataError(`${name}: ends inside the header of a NumPy array; copy the file again`);
  if (!(await inlet.fill(12))) throw cutOff;
  const preamble = inlet.bytes.subarray(inlet.start, inlet.end);
  const length = headerLength(name, preamble);
  const start = preambleLength(preamble[6]!);
  if (!(await inlet.fill(start + length))) throw cutOff;
  const text = new TextDecoder().decode(inlet.bytes.subarray(inlet.start + start, inlet.start + start + length));
  inlet.start += start + length;
  return parseHeader(name, text);
}

type Places = Readonly<Record<ColumnName, ColumnPlace>>;

/** @throws DataError, at once, for an array that holds no events. */
export function readArray(
  source: ByteSource,
  inlet: Inlet,
  header: NumpyHeader,
  table: TableOptions,
  skipped: Skipped,
): () => AsyncGenerator<Events, void, undefined> {
  const { name } = source;
  const { element, shape, itemSize, fortranOrder } = header;
  if ('fields' in element) {
    const fields = element.fields.map(
      ({ name: field, type, offset }) => [field, { type, offset, stride: itemSize }] as const,
    );
    const places = byUsualNames<ColumnPlace>(fields);
    if (!places)
      throw missingColumns(
        name,
        element.fields.map((field) => field.name),
        'fields',
      );
    for (const column of columnNames) checkType(name, column, places[column].type);
    return () =>
      rows(
        inlet,
        places,
        itemSize,
        shape.reduce((product, size) => product * size, 1),
        table,
        skipped,
      );
  }
  checkType(name, 'its elements', element);
  const order = table.order ?? defaultOrder;
  const { isRows, events } = layoutOf(name, header);
  // A row of one axis is a column of the other: Fortran's order turns both.
  if (isRows !== fortranOrder) {
    const places = placesOf(order, element, itemSize, 4 * itemSize);
    return () => rows(inlet, places, 4 * itemSize, events, table, skipped);
  }
  return columnsOf(source, inlet, element, order, events, table, skipped);
}

function layoutOf(name: string, { shape }: NumpyHeader): { isRows: boolean; events: number } {
  const [first, second] = shape;
  if (shape.length === 2 && second === 4) return { isRows: true, events: first! };
  if (shape.length === 2 && first === 4) return { isRows: false, events: second! };
  throw new DataError(
    `${name}: is an array of shape [${shape.join(', ')}]; events are records with fields t, x, y and p, or [N, 4]`,
  );
}

function placesOf(order: ColumnOrder, type: ElementType, step: number, stride: number): Places {
  const place = (column: ColumnName) => ({ type, offset: order.indexOf(column) * step, stride });
  return { t: place('t'), x: place('x'), y: place('y'), p: place('p') };
}

export function checkType(name: string, what: string, type: ElementType): void {
  if (isReadable(type)) return;
  throw new DataError(
    `${name}: ${what}: numbers of ${type.size} bytes (${type.kind}) cannot be read; save 8 to 64 bits, floats of at most 64`,
  );
}

export function isWhole({ kind }: ElementType): boolean {
  return kind !== 'float';
}

async function* rows(
  inlet: Inlet,
  places: Places,
  rowBytes: number,
  total: number,
  table: TableOptions,
  skipped: Skipped,
): AsyncGenerator<Events, void, undefined> {
  const raw = rawColumns(chunkEvents);
  const converter = new RowsToEvents(skipped, table, isWhole(places.t.type), chunkEvents);
  let left = total;
  while (left > 0 && (await inlet.fill(rowBytes))) {
    const count = Math.min(left, chunkEvents, Math.floor(inlet.length / rowBytes));
    const bytes = inlet.bytes.subarray(inlet.start, inlet.end);
    for (const column of columnNames) readColumn(bytes, places[column], raw[column], count);
    inlet.start += count * rowBytes;
    left -= count;
    const events = converter.convert(raw, count);
    if (events.length > 0) yield events;
  }
  // What is missing of the last row, or the bytes of rows that the header did not promise, is for whoever wrote the file.
  if (left > 0) skipped.truncatedBytes += inlet.length;
}

function columnsOf(
  source: ByteSource,
  inlet: Inlet,
  element: ElementType,
  order: ColumnOrder,
  events: number,
  table: TableOptions,
  skipped: Skipped,
): () => AsyncGenerator<Events, void, undefined> {
  const { read, name } = source;
  if (!read) {
    throw new DataError(
      `${name}: has its columns one after the other, which cannot be read from a stream; give a file`,
    );
  }
  const start = inlet.position;
  return async function* () {
    const raw = rawColumns(chunkEvents);
    const converter = new RowsToEvents(skipped, table, isWhole(element), chunkEvents);
    for (let first = 0; first < events; first += chunkEvents) {
      let count = Math.min(chunkEvents, events - first);
      for (const [place, column] of order.entries()) {
        const bytes = await read(start + (place * events + first) * element.size, count * element.size);
        // Cut off inside the last column: the rows that have all four are still good.
        count = Math.min(count, Math.floor(bytes.length / element.size));
        readColumn(bytes, { type: element, offset: 0, stride: element.size }, raw[column], count);
      }
      const missing = Math.min(chunkEvents, events - first) - count;
      if (missing > 0) skipped.truncatedBytes += 4 * element.size * (events - first - count);
      const run = converter.convert(raw, count);
      if (run.length > 0) yield run;
      if (missing > 0) return;
    }
  };
}

/** The bytes of an array file inside something else, such as an archive. */
export function inletOf(source: ByteSource): Inlet {
  return new Inlet(source.stream());
}
