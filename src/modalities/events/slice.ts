/** One window of a recording, and the few ways to make one that every definition of windows shares. */
import { DataError } from '../../data/errors.js';
import { type Events, firstAt } from './columns.js';

/** Events `start` … `end - 1`; the window lasts from `from` to `to` in microseconds, whether or not something happened. */
export interface Slice {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** Which windows of a recording. */
export interface SliceOptions {
  /** Of the first window by time; the first event by default. Earlier events are left out. */
  readonly startTime?: number;
  /** Windows by time go on until this time is inside; the last event by default. */
  readonly endTime?: number;
  /** Windows after these are not made. */
  readonly limit?: number;
}

/** More windows than this are not made: a wrong time stamp would ask for billions. */
export const mostSlices = 1 << 20;

/** `count` windows or as many as asked for. Throws DataError for more than anybody can want. */
export function makeSlices(count: number, { limit }: SliceOptions, make: (index: number) => Slice): readonly Slice[] {
  const wanted = Math.min(count, limit ?? Infinity);
  if (!(wanted <= mostSlices)) throw tooManySlices(`${count}`);
  return Array.from({ length: Math.max(wanted, 0) }, (_, index) => make(index));
}

export function tooManySlices(count: string): DataError {
  return new DataError(
    `the events would be cut into ${count} windows; at most ${mostSlices} are made. Take longer windows, or look for wrong time stamps.`,
  );
}

/** A run of events, lasting from its first to its last. */
export function sliceOfEvents(events: Events, start: number, end: number): Slice {
  const last = Math.min(end, events.length);
  const at = (index: number) => events.t[Math.min(Math.max(index, 0), events.length - 1)] ?? 0;
  return { start: Math.min(start, last), end: last, from: at(start), to: at(last - 1) };
}

/** The window `[from, to)`. */
export function sliceOfTime(events: Events, from: number, to: number): Slice {
  const start = firstAt(events, from);
  return { start, end: Math.max(firstAt(events, to), start), from, to };
}
