/** What is in a recording, gathered as it is read: how many events, when, and how many in each stretch of time. Memory does not grow with the recording. */
import type { Events, Sensor } from './events.js';

/** Stretches of time that are counted in; their length doubles when the recording turns out to be longer. */
const mostBins = 1024;
const firstBinMicroseconds = 100;

export type EventTuple = readonly [t: number, x: number, y: number, p: number];

export class RecordingSummary {
  events = 0;
  /** How many have p = 1. */
  on = 0;
  first: readonly EventTuple[] = [];
  earliest = Number.POSITIVE_INFINITY;
  latest = Number.NEGATIVE_INFINITY;
  readonly #counts = new Float64Array(mostBins);
  #binMicroseconds = firstBinMicroseconds;
  #start = 0;
  #last: readonly EventTuple[] = [];

  add(events: Events): void {
    const { length, t, p } = events;
    if (length === 0) return;
    if (this.events === 0) this.#start = t[0]!;
    let on = 0;
    let { earliest, latest } = this;
    for (let i = 0; i < length; i++) {
      const time = t[i]!;
      if (time < earliest) earliest = time;
      if (time > latest) latest = time;
      on += p[i]!;
      // What lies in front of the first event is counted with it.
      let bin = Math.max(0, Math.floor((time - this.#start) / this.#binMicroseconds));
      while (bin >= mostBins) {
        this.#double();
        bin = Math.floor((time - this.#start) / this.#binMicroseconds);
      }
      this.#counts[bin]!++;
    }
    this.earliest = earliest;
    this.latest = latest;
    this.on += on;
    this.events += length;
    if (this.first.length < 3) this.first = [...this.first, ...tuples(events, 0, 3 - this.first.length)];
    this.#last = [...this.#last, ...tuples(events, Math.max(0, length - 3), 3)].slice(-3);
  }

  /** The last three, fewer where there are fewer. */
  get last(): readonly EventTuple[] {
    return this.#last;
  }

  /** Microseconds from the earliest to the latest event. */
  get duration(): number {
    return this.events === 0 ? 0 : this.latest - this.earliest;
  }

  /**
   * Events a second, in at most `columns` stretches of one length from the first event to the latest.
   *
   * @returns the rates and the length of a stretch in microseconds.
   */
  rates(columns: number): { readonly rates: readonly number[]; readonly microseconds: number } {
    const bins = Math.floor(Math.max(0, this.latest - this.#start) / this.#binMicroseconds) + 1;
    const wide = Math.max(1, Math.ceil(bins / columns));
    const microseconds = wide * this.#binMicroseconds;
    const count = this.events === 0 ? 0 : Math.ceil(bins / wide);
    const rates = Array.from({ length: count }, (_, column) => {
      const sum = this.#counts.subarray(column * wide, (column + 1) * wide).reduce((all, some) => all + some, 0);
      return (1e6 * sum) / microseconds;
    });
    return { rates, microseconds };
  }

  #double(): void {
    for (let i = 0; i < mostBins / 2; i++) this.#counts[i] = this.#counts[2 * i]! + this.#counts[2 * i + 1]!;
    this.#counts.fill(0, mostBins / 2);
    this.#binMicroseconds *= 2;
  }
}

function tuples({ length, t, x, y, p }: Events, from: number, count: number): EventTuple[] {
  const many = Math.max(0, Math.min(count, length - from));
  return Array.from({ length: many }, (_, i) => [t[from + i]!, x[from + i]!, y[from + i]!, p[from + i]!] as const);
}

export interface Flip {
  readonly x: boolean;
  readonly y: boolean;
  readonly p: boolean;
}

/**
 * Mirrors events in place, run by run: columns, rows, polarities.
 *
 * @param onOutside Called with the first event that is outside the sensor; it cannot be mirrored.
 */
export function flipped(
  events: Events,
  flip: Flip,
  sensor: Sensor | undefined,
  onOutside: (i: number) => never,
): Events {
  const { length, x, y, p } = events;
  for (let i = 0; sensor && i < length; i++) {
    if (x[i]! >= sensor.width || y[i]! >= sensor.height) onOutside(i);
    if (flip.x) x[i] = sensor.width - 1 - x[i]!;
    if (flip.y) y[i] = sensor.height - 1 - y[i]!;
  }
  for (let i = 0; flip.p && i < length; i++) p[i] = 1 - p[i]!;
  return events;
}
