/**
 * What writes recordings: a writer puts runs of events into a sink, in bounded memory, whatever the length of the recording. Here are the contract, and the check that refuses
 * an event which a format has no bits for, before anything of its run is written.
 */
import { DataError } from '../errors.js';
import type { EventFormatName, Events, Sensor } from './events.js';

/** Where bytes of a recording go. All at once: nothing waits. */
export interface EventSink {
  /** What messages call it. */
  readonly name: string;
  /** Bytes so far. */
  readonly size: number;
  append(bytes: Uint8Array): void;
  /** Over what is there, or behind it. */
  put(bytes: Uint8Array, position: number): void;
  /** Fills `target` with what is there; returns how many bytes. */
  read(target: Uint8Array, position: number): number;
  truncate(size: number): void;
}

/** What is known of a recording before it is written. */
export interface RecordingFacts {
  readonly sensor: Sensor | undefined;
  /** How many events will come, where a format must know. */
  readonly events?: number | undefined;
}

export interface EventWriter {
  /** The events are not kept. */
  write(events: Events): void | Promise<void>;
  /** Afterwards the sink holds a whole file. */
  end(): void | Promise<void>;
  /** Instead of `end`, when the recording cannot be finished; does not throw. */
  abandon?(): void;
}

/** The largest values that a format has bits for. */
export interface Limits {
  readonly x: number;
  readonly y: number;
  /** Microseconds. */
  readonly t: number;
  readonly earliest: number;
  /** How much earlier than the event in front of it an event may be. */
  readonly stepBack: number;
}

export interface WritableFormat {
  readonly name: EventFormatName;
  /** Lower case, with the dot; the first is the usual one. */
  readonly extensions: readonly string[];
  readonly limits: Limits;
  /** The header says the sensor, so it must be known. */
  readonly needsSensor?: true;
  /** The number of events must be known before. */
  readonly needsCount?: true;
  /** @throws DataError when the recording as a whole does not fit. */
  start(sink: EventSink, facts: RecordingFacts): EventWriter | Promise<EventWriter>;
}

/** Refuses events that a format cannot hold; a format's own state of mind between runs. */
export class LimitCheck {
  readonly #name: string;
  readonly #format: WritableFormat;
  #last = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** @param name The file to be written. */
  constructor(name: string, format: WritableFormat) {
    this.#name = name;
    this.#format = format;
  }

  /** @throws DataError naming the first event that does not fit. */
  check({ length, t, x, y }: Events): void {
    const { limits } = this.#format;
    let last = this.#last;
    for (let i = 0; i < length; i++) {
      const time = t[i]!;
      const fits = x[i]! <= limits.x && y[i]! <= limits.y && time <= limits.t && time >= limits.earliest;
      if (!fits) throw this.#refusal(i, t[i]!, x[i]!, y[i]!);
      if (last - time > limits.stepBack)
        throw this.#refused(
          i,
          `is ${last - time} µs earlier than the event in front of it`,
          limits.stepBack === 0 ? 'times that never step back' : `steps back of ${limits.stepBack} µs at most`,
        );
      last = time;
    }
    this.#last = last;
    this.#count += length;
  }

  #refusal(i: number, time: number, x: number, y: number): DataError {
    const { limits } = this.#format;
    if (x > limits.x) return this.#refused(i, `has x = ${x}`, `x up to ${limits.x}`);
    if (y > limits.y) return this.#refused(i, `has y = ${y}`, `y up to ${limits.y}`);
    return this.#refused(i, `is at ${time} µs`, `times from ${limits.earliest} to ${limits.t} µs`);
  }

  #refused(i: number, found: string, holds: string): DataError {
    return new DataError(
      `${this.#name}: cannot be written: event ${this.#count + i + 1} ${found}, but ${this.#format.name} holds ${holds}; choose another format`,
    );
  }
}
