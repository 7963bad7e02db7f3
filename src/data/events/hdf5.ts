/**
 * Events in HDF5 files: datasets t, x, y and p under usual names in one group (`events/{t,x,y,p}` as in DSEC, `events/{ts,xs,ys,ps}`), a dataset of records (`CD/events`, as
 * Metavision writes), or of four columns. Read window by window, whole chunks at a time; the most that is in memory is a chunk of each column. What DSEC has beside the
 * events (`ms_to_idx`, `t_offset`) is not needed: times are given as they are stored.
 */
import type { Dataset, File, Metadata } from 'h5wasm';
import { DataError } from '../errors.js';
import { chunkEvents } from './columns.js';
import { type ColumnPlace, type ElementType, readColumn } from './elementTypes.js';
import type { Events, Sensor, Skipped } from './events.js';
import type { EventFormat } from './format.js';
import { type Hdf5, openHdf5File } from './hdf5Library.js';
import { findTable, type Hdf5Table, sensorOf } from './hdf5Tables.js';
import { type SynchronousSource, synchronousSource } from './held.js';
import { checkType, isWhole } from './npy.js';
import {
  type ColumnName,
  columnNames,
  defaultOrder,
  RowsToEvents,
  rawColumns,
  type TableOptions,
} from './tableColumns.js';

const mark = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a] as const;
/** A chunk is unpacked whole. */
const largestChunkBytes = 1 << 28;
/** What a byte of a file can become at most, by deflate. */
const largestRatio = 1032;
const smallestAllowance = 1 << 20;

export const hdf5: EventFormat = {
  names: ['hdf5'],
  extensions: ['.h5', '.hdf5', '.hdf'],
  recognises: (head) => mark.every((byte, i) => head[i] === byte),
  open: async ({ source, inlet, table, skipped }) => {
    const bytes = await synchronousSource(source, inlet);
    // Looked through now, so that a file without events is refused when it is opened.
    const { sensor } = await opened(bytes, table, ({ sensor }) => ({ sensor }));
    return { format: 'hdf5', sensor, chunks: () => events(bytes, table, skipped) };
  },
};

/** Opens the file, looks at its table, and closes it. */
async function opened<T>(source: SynchronousSource, options: TableOptions, use: (table: Opened) => T): Promise<T> {
  const { name, size, readNow } = source;
  const { file, library, guarded, close } = await openHdf5File(name, { size, read: readNow }, 'r');
  try {
    return guarded(() => use(tableOf(source, file, library, options)));
  } finally {
    close();
  }
}

async function* events(
  source: SynchronousSource,
  table: TableOptions,
  skipped: Skipped,
): AsyncGenerator<Events, void, undefined> {
  const { name, size, readNow } = source;
  const { file, library, guarded, close } = await openHdf5File(name, { size, read: readNow }, 'r');
  try {
    const { columns, rows } = guarded(() => tableOf(source, file, library, table));
    const raw = rawColumns(chunkEvents);
    const converter = new RowsToEvents(skipped, table, isWhole(columns.t.place.type), chunkEvents);
    const windows = new Map<string, WindowedDataset>();
    for (const { dataset } of Object.values(columns)) windows.set(dataset.path, new WindowedDataset(library, dataset));
    for (let first = 0; first < rows; first += chunkEvents) {
      const count = Math.min(chunkEvents, rows - first);
      for (const column of columnNames) {
        const { dataset, place } = columns[column];
        guarded(() => windows.get(dataset.path)!.column(place, first, count, raw[column]));
      }
      const run = converter.convert(raw, count);
      if (run.length > 0) yield run;
    }
  } finally {
    close();
  }
}

interface Column {
  readonly dataset: Dataset;
  readonly place: ColumnPlace;
}

interface Opened {
  readonly sensor: Sensor | undefined;
  readonly columns: Readonly<Record<ColumnName, Column>>;
  readonly rows: number;
}

/** @throws DataError where there are no events, or what is there cannot be read. */
function tableOf({ name, size }: SynchronousSource, file: File, library: Hdf5, options: TableOptions): Opened {
  const table = findTable(name, file, library, options.dataset);
  const columns = columnsOf(name, table, options);
  const lengths = columnNames.map((column) => columns[column].dataset.shape?.[0] ?? 0);
  const [rows] = lengths as [number];
  if (lengths.some((length) => length !== rows)) {
    const list = columnNames.map((column, i) => `${column} ${lengths[i]}`).join(', ');
    throw new DataError(`${name}: its columns have different lengths (${list}); save datasets of one length`);
  }
  for (const { dataset, place } of Object.values(columns)) {
    const { size: rowBytes, chunks } = dataset.metadata;
    if (rows * rowBytes > Math.max(largestRatio * size, smallestAllowance))
      throw new DataError(
        `${name}: ${dataset.path}: claims ${rows} events, more than a file of ${size} bytes can hold; copy or download it again`,
      );
    const chunkBytes = chunks?.reduce((product, length) => product * length, rowBytes) ?? 0;
    if (chunkBytes > largestChunkBytes)
      throw new DataError(
        `${name}: ${dataset.path}: has chunks of ${chunkBytes} bytes; repack it in smaller ones: h5repack -l CHUNK=65536`,
      );
    checkType(name, dataset.path, place.type);
  }
  return { sensor: sensorOf(library, file, table.path), columns, rows };
}

function columnsOf(name: string, table: Hdf5Table, options: TableOptions): Opened['columns'] {
  const of = (column: ColumnName): Column => {
    if (table.kind === 'columns') {
      const dataset = table.columns[column];
      const type = elementType(name, dataset.path, dataset.metadata);
      return { dataset, place: { type, offset: 0, stride: type.size } };
    }
    const { dataset } = table;
    if (table.kind === 'records') {
      const member = table.members[column];
      // Records of one order come in ours, as single numbers do; of mixed orders as they are.
      const isMixed = Object.values(table.members).some(({ littleEndian }) => littleEndian);
      const littleEndian = member.littleEndian || !isMixed;
      const type = { ...elementType(name, `${dataset.path} ${column}`, member), littleEndian };
      return { dataset, place: { type, offset: member.offset, stride: dataset.metadata.size } };
    }
    const type = elementType(name, dataset.path, dataset.metadata);
    const place = (options.order ?? defaultOrder).indexOf(column);
    return { dataset, place: { type, offset: place * type.size, stride: 4 * type.size } };
  };
  return { t: of('t'), x: of('x'), y: of('y'), p: of('p') };
}

/** H5T_INTEGER, H5T_FLOAT, H5T_BITFIELD, H5T_ENUM; the last is how h5py writes booleans. */
const kinds: Readonly<Record<number, 'integer' | 'float'>> = { 0: 'integer', 1: 'float', 4: 'integer', 8: 'integer' };

/** The library turns numbers of the other order into ours. */
function elementType(name: string, what: string, { type, size, signed }: Metadata): ElementType {
  const kind = kinds[type];
  if (!kind) throw new DataError(`${name}: ${what}: is no column of numbers; save t, x, y and p as numbers`);
  return { kind: kind === 'float' ? 'float' : signed ? 'signed' : 'unsigned', size, littleEndian: true };
}

/** A dataset seen through a window of rows: whole chunks, for the library unpacks a chunk again each time that a part of it is asked for. */
class WindowedDataset {
  readonly #library: Hdf5;
  readonly #dataset: Dataset;
  readonly #rows: number;
  readonly #rowBytes: number;
  /** Rows of a window. */
  readonly #length: number;
  #first = 0;
  #bytes = new Uint8Array();

  constructor(library: Hdf5, dataset: Dataset) {
    const { shape, chunks, size } = dataset.metadata;
    this.#library = library;
    this.#dataset = dataset;
    this.#rows = shape![0]!;
    this.#rowBytes = size * (shape![1] ?? 1);
    const chunk = chunks?.[0] ?? 1;
    this.#length = Math.ceil(chunkEvents / chunk) * chunk;
  }

  /** Reads a column's rows from `first` on; runs are asked for in order. */
  column(place: ColumnPlace, first: number, count: number, target: Float64Array): void {
    for (let done = 0; done < count; ) {
      const row = first + done;
      this.#moveTo(row);
      const start = row - this.#first;
      const some = Math.min(count - done, this.#bytes.length / this.#rowBytes - start);
      readColumn(this.#bytes.subarray(start * this.#rowBytes), place, target.subarray(done), some);
      done += some;
    }
  }

  #moveTo(row: number): void {
    const held = this.#bytes.length / this.#rowBytes;
    if (row >= this.#first && row < this.#first + held) return;
    this.#first = Math.floor(row / this.#length) * this.#length;
    this.#bytes = this.#read(this.#first, Math.min(this.#length, this.#rows - this.#first));
  }

  #read(first: number, count: number): Uint8Array<ArrayBuffer> {
    const { Module: library } = this.#library;
    const { file_id: file, path, metadata } = this.#dataset;
    const rest = metadata.shape!.slice(1).map(BigInt);
    const bytes = count * this.#rowBytes;
    const memory = library._malloc(bytes);
    if (memory === 0)
      throw new DataError(`${path}: does not fit into the memory of the HDF5 library; repack it in smaller chunks`);
    try {
      const zeros = rest.map(() => 0n);
      const ones = rest.map(() => 1n);
      const status = library.get_dataset_data(
        file,
        path,
        [BigInt(count), ...rest],
        [BigInt(first), ...zeros],
        [1n, ...ones],
        BigInt(memory),
      );
      if (status < 0) throw new Error(`${path} cannot be read`);
      return library.HEAPU8.slice(memory, memory + bytes) as Uint8Array<ArrayBuffer>;
    } finally {
      library._free(memory);
    }
  }
}
