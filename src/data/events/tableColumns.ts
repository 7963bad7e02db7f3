/**
 * What tables of events have in common, whatever holds them (NumPy, HDF5, text): which column is which, in which unit the times are, and how a row of numbers becomes an
 * event. A row that can be no event (a number missing or not whole where it must be, a coordinate that no 16 bits hold) is counted and left out.
 */
import { DataError } from '../errors.js';
import { EventColumns } from './columns.js';
import type { Skipped } from './events.js';

export const columnNames = ['t', 'x', 'y', 'p'] as const;
export type ColumnName = (typeof columnNames)[number];
export type ColumnOrder = readonly [ColumnName, ColumnName, ColumnName, ColumnName];

export const defaultOrder: ColumnOrder = columnNames;

/** Microseconds in a unit. */
const units = { seconds: 1e6, milliseconds: 1e3, microseconds: 1, nanoseconds: 1e-3 } as const;
export const timeUnits = [
  'seconds',
  'milliseconds',
  'microseconds',
  'nanoseconds',
] as const satisfies (keyof typeof units)[];
export type TimeUnit = (typeof timeUnits)[number];

export interface TableOptions {
  /** Columns without names; default: t, x, y, p. */
  readonly order?: ColumnOrder | undefined;
  /** Default: seconds where times have fractions, else microseconds. */
  readonly timeUnit?: TimeUnit | undefined;
  /** Where the events are in an HDF5 file; default: looked for. */
  readonly dataset?: string | undefined;
}

/** Names by which columns go; compared in lower case. */
const usualNames: Readonly<Record<ColumnName, readonly string[]>> = {
  t: ['t', 'ts', 'time', 'times', 'timestamp', 'timestamps', 't_us', 'time_us', 'timestamp_us', 'event_time'],
  x: ['x', 'xs', 'x_coordinate', 'x_pos', 'col', 'column'],
  y: ['y', 'ys', 'y_coordinate', 'y_pos', 'row'],
  p: ['p', 'ps', 'pol', 'pols', 'polarity', 'polarities', 'on', 'is_on', 'sign'],
};

/** `t,x,y,p`, `txyp` and the like, as a person types an order. Undefined when it names not each column once. */
export function parseOrder(text: string): ColumnOrder | undefined {
  const letters = text.toLowerCase().replace(/[\s,]/g, '').split('');
  const complete = letters.length === 4 && columnNames.every((name) => letters.includes(name));
  return complete ? (letters as unknown as ColumnOrder) : undefined;
}

/** Which column a name means, if any. */
export function columnOf(name: string): ColumnName | undefined {
  const lower = name.trim().toLowerCase();
  return columnNames.find((column) => usualNames[column].includes(lower));
}

/**
 * Finds t, x, y and p among named things.
 *
 * @returns undefined when one of them is missing or there twice.
 */
export function byUsualNames<T>(named: Iterable<readonly [string, T]>): Readonly<Record<ColumnName, T>> | undefined {
  const found = new Map<ColumnName, T>();
  for (const [name, value] of named) {
    const column = columnOf(name);
    if (column === undefined) continue;
    if (found.has(column)) return undefined;
    found.set(column, value);
  }
  return found.size === 4 ? (Object.fromEntries(found) as Record<ColumnName, T>) : undefined;
}

/** @throws DataError naming the columns there are. */
export function missingColumns(name: string, there: readonly string[], what = 'columns'): DataError {
  const shown = there.slice(0, 8).join(', ');
  return new DataError(
    `${name}: has no ${what} t, x, y and p (found ${shown || 'none'}${there.length > 8 ? ', …' : ''}); name them so, or convert the file`,
  );
}

/** Rows as numbers. Columns may be longer than there are rows. */
export interface RawColumns {
  readonly t: Float64Array;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly p: Float64Array;
}

export function rawColumns(rows: number): RawColumns {
  const column = () => new Float64Array(rows);
  return { t: column(), x: column(), y: column(), p: column() };
}

/** Turns rows of numbers into events. Keeps the unit of the times once it was recognised. */
export class RowsToEvents {
  readonly #skipped: Skipped;
  readonly #columns: EventColumns;
  #microseconds: number | undefined;

  /**
   * @param timesAreWhole Whether the column of times can hold no fractions: then they are microseconds, unless another unit was asked for.
   * @param rows The most rows that come at once.
   */
  constructor(skipped: Skipped, { timeUnit }: TableOptions, timesAreWhole: boolean, rows: number) {
    this.#skipped = skipped;
    this.#columns = new EventColumns(rows);
    this.#microseconds = timeUnit === undefined ? (timesAreWhole ? 1 : undefined) : units[timeUnit];
  }

  /** Valid until it is called again; may be empty. */
  convert(rows: RawColumns, count: number): EventColumns {
    const scale = this.#scaleOf(rows.t, count);
    const { t, x, y, p } = this.#columns;
    let n = 0;
    for (let i = 0; i < count; i++) {
      const time = scale === 1 ? rows.t[i]! : Math.round(rows.t[i]! * scale);
      const column = rows.x[i]!;
      const row = rows.y[i]!;
      const polarity = rows.p[i]!;
      const isEvent =
        Number.isSafeInteger(time) && isCoordinate(column) && isCoordinate(row) && polarity >= -1 && polarity <= 255;
      if (!isEvent) continue;
      t[n] = time;
      x[n] = column;
      y[n] = row;
      // OFF is 0 or -1.
      p[n] = polarity > 0 ? 1 : 0;
      n++;
    }
    this.#skipped.damagedRows += count - n;
    this.#columns.length = n;
    return this.#columns;
  }

  /** Microseconds in the unit of the times. The first rows decide. */
  #scaleOf(times: Float64Array, count: number): number {
    if (this.#microseconds === undefined && count > 0)
      this.#microseconds = hasFractions(times, count) ? units.seconds : units.microseconds;
    return this.#microseconds ?? 1;
  }
}

function isCoordinate(value: number): boolean {
  // A conversion to 16 bits that changes nothing: whole and from 0 to 65,535.
  return (value & 0xffff) === value;
}

function hasFractions(times: Float64Array, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const time = times[i]!;
    if (time !== Math.trunc(time) && Number.isFinite(time)) return true;
  }
  return false;
}
