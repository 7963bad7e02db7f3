/** The memory that a decoder fills, again and again: one run of events. */
import type { Events } from './events.js';

/**
 * Events in a run at most. 13 bytes each: a run stays in the second cache of a processor while it is filled, checked and used (half a million bytes on Zen 3; runs four times as
 * long are read a fifth more slowly).
 */
export const chunkEvents = 1 << 13;

export class EventColumns implements Events {
  length = 0;
  readonly t: Float64Array;
  readonly x: Uint16Array;
  readonly y: Uint16Array;
  readonly p: Uint8Array;

  constructor(readonly capacity = chunkEvents) {
    this.t = new Float64Array(capacity);
    this.x = new Uint16Array(capacity);
    this.y = new Uint16Array(capacity);
    this.p = new Uint8Array(capacity);
  }
}
