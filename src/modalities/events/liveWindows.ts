/**
 * Windows of equal duration out of events that are still arriving: window k holds the events of `[t₀ + k·w, t₀ + (k+1)·w)`, t₀ being the first event's time, as slicing a whole
 * recording by time cuts it. A window is complete when an event behind it arrives. Its events lie in memory that is filled again.
 */
import type { Events } from '../../data/events/events.js';

/** Consecutive empty windows are one entry: after an hour of silence nobody wants a hundred thousand. */
export interface LiveWindow {
  /** Number of the window; of several the first. */
  readonly index: number;
  /** How many windows this is: more than one only where there are no events. */
  readonly windows: number;
  /** Where it begins and ends, in microseconds of the recording. */
  readonly from: number;
  readonly to: number;
  /** Until the next window is asked for. */
  readonly events: Events;
}

const none: Events = {
  length: 0,
  t: new Float64Array(0),
  x: new Uint16Array(0),
  y: new Uint16Array(0),
  p: new Uint8Array(0),
};

export class LiveWindows {
  readonly #duration: number;
  #columns = { t: new Float64Array(4096), x: new Uint16Array(4096), y: new Uint16Array(4096), p: new Uint8Array(4096) };
  #length = 0;
  #start: number | undefined;
  #index = 0;
  /** Events that were earlier than the window they are counted in: the clock stepped back. */
  late = 0;

  /** @param microseconds Of a window; a whole number from 1 on. */
  constructor(microseconds: number) {
    this.#duration = microseconds;
  }

  /** The windows that these events complete, in order. */
  *push({ length, t, x, y, p }: Events): Generator<LiveWindow, void, undefined> {
    for (let i = 0; i < length; i++) {
      const time = t[i]!;
      this.#start ??= time;
      if (time - this.#start >= this.#duration) {
        yield this.#close();
        const silent = Math.floor((time - this.#start) / this.#duration);
        if (silent > 0) yield this.#silence(silent);
      } else if (time < this.#start) this.late++;
      this.#add(time, x[i]!, y[i]!, p[i]!);
    }
  }

  /** The window that is not complete, when the events have ended; undefined if it holds none. */
  end(): LiveWindow | undefined {
    return this.#length === 0 ? undefined : this.#close();
  }

  #close(): LiveWindow {
    const from = this.#start!;
    const events: Events = { length: this.#length, ...this.#columns };
    this.#length = 0;
    this.#start = from + this.#duration;
    return { index: this.#index++, windows: 1, from, to: this.#start, events };
  }

  #silence(windows: number): LiveWindow {
    const from = this.#start!;
    const index = this.#index;
    this.#index += windows;
    this.#start = from + windows * this.#duration;
    return { index, windows, from, to: this.#start, events: none };
  }

  #add(t: number, x: number, y: number, p: number): void {
    if (this.#length === this.#columns.t.length) this.#grow();
    const at = this.#length++;
    this.#columns.t[at] = t;
    this.#columns.x[at] = x;
    this.#columns.y[at] = y;
    this.#columns.p[at] = p;
  }

  #grow(): void {
    const { t, x, y, p } = this.#columns;
    const length = 2 * t.length;
    this.#columns = {
      t: new Float64Array(length),
      x: new Uint16Array(length),
      y: new Uint16Array(length),
      p: new Uint8Array(length),
    };
    this.#columns.t.set(t);
    this.#columns.x.set(x);
    this.#columns.y.set(y);
    this.#columns.p.set(p);
  }
}
