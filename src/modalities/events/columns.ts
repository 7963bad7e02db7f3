/**
 * Events as columns of numbers: making, cutting and choosing. Everything in this folder takes columns and gives columns or frames; what
 * is given is never changed.
 */
import type { Events } from '../../data/events/events.js';

export type { Events } from '../../data/events/events.js';

/** Columns that may be written. */
export interface WritableEvents extends Events {
  length: number;
}

/** Empty columns with room for `capacity` events; raise `length` as they are filled. */
export function makeEvents(capacity: number, length = 0): WritableEvents {
  return {
    length,
    t: new Float64Array(capacity),
    x: new Uint16Array(capacity),
    y: new Uint16Array(capacity),
    p: new Uint8Array(capacity),
  };
}

/** Events from rows `[t, x, y, p]`, for few of them. */
export function eventsOf(rows: readonly (readonly [t: number, x: number, y: number, p: number])[]): Events {
  const events = makeEvents(rows.length, rows.length);
  for (const [i, [t, x, y, p]] of rows.entries()) setEvent(events, i, t, x, y, p);
  return events;
}

/** Writes one event; `length` stays as it is. */
export function setEvent(events: Events, index: number, t: number, x: number, y: number, p: number): void {
  events.t[index] = t;
  events.x[index] = x;
  events.y[index] = y;
  events.p[index] = p;
}

/** The events whose index `keeps` says yes to, in their order. */
export function filterEvents(events: Events, keeps: (index: number) => boolean): Events {
  const kept = makeEvents(events.length);
  for (let i = 0; i < events.length; i++) {
    if (keeps(i)) setEvent(kept, kept.length++, events.t[i]!, events.x[i]!, events.y[i]!, events.p[i]!);
  }
  return kept;
}

/** The same number of events, some columns replaced; the others are shared. */
export function withColumns(events: Events, columns: Partial<Omit<Events, 'length'>>): Events {
  const { length, t, x, y, p } = events;
  return { length, t, x, y, p, ...columns };
}

/** The events themselves where times never step back, else a copy sorted by time; events of one time keep their order. */
export function inTimeOrder(events: Events): Events {
  const { t, length } = events;
  for (let i = 1; i < length; i++) {
    if (t[i]! < t[i - 1]!) return takeEvents(events, orderOfTimes(t, length));
  }
  return events;
}

/** The events at these indices, in the order of the indices. */
export function takeEvents(events: Events, indices: ArrayLike<number>): Events {
  const taken = makeEvents(indices.length, indices.length);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i]!;
    setEvent(taken, i, events.t[from]!, events.x[from]!, events.y[from]!, events.p[from]!);
  }
  return taken;
}

/** The order of these times; of equal ones, that of their indices. */
function orderOfTimes(t: Float64Array, length: number): Uint32Array {
  const [first, last] = timeRange({ t, length });
  const order = new Uint32Array(length);
  const whole = t.subarray(0, length).every(Number.isInteger);
  if (!whole || (last - first + 1) * length > Number.MAX_SAFE_INTEGER) {
    for (let i = 0; i < length; i++) order[i] = i;
    return order.sort((a, b) => t[a]! - t[b]! || a - b);
  }
  // Time and index in one number sort without a function that compares, ten times as fast.
  const keys = new Float64Array(length);
  for (let i = 0; i < length; i++) keys[i] = (t[i]! - first) * length + i;
  keys.sort();
  for (let i = 0; i < length; i++) order[i] = keys[i]! % length;
  return order;
}

/** The first index at which `reached` is true, or `length`; once true it must stay true. */
export function firstWhere(length: number, reached: (index: number) => boolean, from = 0): number {
  let [low, high] = [from, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (reached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The first event at or after a time, of events in time order. */
export function firstAt(events: Events, time: number): number {
  const { t, length } = events;
  return firstWhere(length, (i) => t[i]! >= time);
}

/** All events of both, in time order; those of one time: first the first's. */
export function mergeEvents(first: Events, second: Events): Events {
  const merged = makeEvents(first.length + second.length, first.length + second.length);
  let [i, j] = [0, 0];
  const [a, b] = [inTimeOrder(first), inTimeOrder(second)];
  for (let k = 0; k < merged.length; k++) {
    const fromFirst = j === b.length || (i < a.length && a.t[i]! <= b.t[j]!);
    const source = fromFirst ? a : b;
    const at = fromFirst ? i++ : j++;
    setEvent(merged, k, source.t[at]!, source.x[at]!, source.y[at]!, source.p[at]!);
  }
  return merged;
}

/** The earliest and the latest time; 0 and 0 without events. */
export function timeRange({ t, length }: Pick<Events, 't' | 'length'>): readonly [first: number, last: number] {
  if (length === 0) return [0, 0];
  let [first, last] = [Infinity, -Infinity];
  for (let i = 0; i < length; i++) {
    first = Math.min(first, t[i]!);
    last = Math.max(last, t[i]!);
  }
  return [first, last];
}
