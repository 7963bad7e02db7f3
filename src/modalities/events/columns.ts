/**
 * Events as columns of numbers: making, cutting and choosing. Everything in this folder takes columns and gives columns or frames; what
 * is given is never changed.
 */

/** A run of events; the columns may be longer than `length`. */
export interface Events {
  readonly length: number;
  /** Microseconds, whole numbers. */
  readonly t: Float64Array;
  readonly x: Uint16Array;
  readonly y: Uint16Array;
  /** 0 or 1. */
  readonly p: Uint8Array;
}

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

function orderOfTimes(t: Float64Array, length: number): Uint32Array {
  return Uint32Array.from({ length }, (_, i) => i).sort((a, b) => t[a]! - t[b]! || a - b);
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
