/**
 * Writers of formats that say the time when it changes: Prophesee's EVT2 and EVT3, and Event Stream (`.es`). EVT3 writes single events, not vectors of neighbours. A clock of
 * few bits starts again from 0; EVT3 is taken round as often as the time of the first event needs.
 */

import { DataError } from '../errors.js';
import type { Events, Sensor } from './events.js';
import type { EventSink, WritableFormat } from './eventWriter.js';
import { ascii, coordinates16 } from './writeRecords.js';

/** Words of a run, in memory that grows to what is needed and is used again. */
class Words {
  #bytes = new Uint8Array(1 << 16);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#size++] = value;
  }

  short(value: number): void {
    this.#room(2);
    this.#view.setUint16(this.#size, value, true);
    this.#size += 2;
  }

  long(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#size, value, true);
    this.#size += 4;
  }

  /** Hands what there is to the sink. */
  flush(sink: EventSink): void {
    sink.append(this.#bytes.subarray(0, this.#size));
    this.#size = 0;
  }

  #room(count: number): void {
    if (this.#size + count <= this.#bytes.length) return;
    const larger = new Uint8Array(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

function rawHeader(version: 2 | 3, sensor: Sensor | undefined): Uint8Array {
  const size = sensor ? `;height=${sensor.height};width=${sensor.width}` : '';
  const geometry = sensor ? `% geometry ${sensor.width}x${sensor.height}\n` : '';
  return ascii(`% evt ${version}.0\n% format EVT${version}${size}\n${geometry}% end\n`);
}

const evt2TimeHigh = 0x8000_0000;

export const evt2: WritableFormat = {
  name: 'evt2',
  extensions: ['.raw'],
  // A word of the time has 28 bits, an event 6 more.
  limits: { x: 0x7ff, y: 0x7ff, t: 2 ** 34 - 1, earliest: 0, stepBack: 2 ** 32 },
  start(sink, { sensor }) {
    sink.append(rawHeader(2, sensor));
    const words = new Words();
    let high = -1;
    return {
      write({ length, t, x, y, p }) {
        for (let i = 0; i < length; i++) {
          const time = t[i]!;
          const timeHigh = Math.floor(time / 64);
          if (timeHigh !== high) words.long((evt2TimeHigh | timeHigh) >>> 0);
          high = timeHigh;
          words.long(((p[i]! << 28) | ((time % 64) << 22) | (x[i]! << 11) | y[i]!) >>> 0);
        }
        words.flush(sink);
      },
      end: () => undefined,
    };
  },
};

const [evt3Row, evt3Column, evt3TimeLow, evt3TimeHigh] = [0x0000, 0x2000, 0x6000, 0x8000];
const evt3Stride = 1 << 10;

export const evt3: WritableFormat = {
  name: 'evt3',
  extensions: ['.raw'],
  // 19 hours: the clock is taken there from 0 in strides of 4 s, wherever the recording begins.
  limits: { x: 0x7ff, y: 0x7ff, t: 2 ** 36 - 1, earliest: 0, stepBack: 0 },
  start(sink, { sensor }) {
    sink.append(rawHeader(3, sensor));
    const words = new Words();
    let [high, low, row] = [-1, -1, -1];
    /** In strides that are no more than a quarter of the clock's round: nobody can take one for a step back, and everybody sees each overflow. */
    const goTo = (timeHigh: number): void => {
      do {
        high = Math.min(timeHigh, Math.max(0, high) + evt3Stride);
        words.short(evt3TimeHigh | (high & 0xfff));
      } while (high < timeHigh);
      low = -1;
    };
    return {
      write({ length, t, x, y, p }: Events) {
        for (let i = 0; i < length; i++) {
          const time = t[i]!;
          const timeHigh = Math.floor(time / 4096);
          if (timeHigh !== high) goTo(timeHigh);
          if (time % 4096 !== low) {
            low = time % 4096;
            words.short(evt3TimeLow | low);
          }
          if (y[i] !== row) {
            row = y[i]!;
            words.short(evt3Row | row);
          }
          words.short(evt3Column | (p[i]! << 11) | x[i]!);
        }
        words.flush(sink);
      },
      end: () => undefined,
    };
  },
};

/** A byte of an event has 7 bits of time; 127 is the mark of an overflow or reserved. */
const esOverflow = 127;
/** Longer pauses would be megabytes of overflows. */
const esLongestPause = 3_600_000_000;

export const es: WritableFormat = {
  name: 'es',
  extensions: ['.es'],
  limits: { ...coordinates16, t: Number.MAX_SAFE_INTEGER, earliest: 0, stepBack: 0 },
  needsSensor: true,
  start(sink, { sensor }) {
    const header = new Uint8Array(20);
    header.set(ascii('Event Stream'));
    header.set([2, 0, 0, 1], 12);
    const view = new DataView(header.buffer);
    view.setUint16(16, sensor!.width, true);
    view.setUint16(18, sensor!.height, true);
    sink.append(header);
    const words = new Words();
    let last = 0;
    return {
      write({ length, t, x, y, p }) {
        for (let i = 0; i < length; i++) {
          let pause = t[i]! - last;
          if (pause > esLongestPause)
            throw new DataError(
              `${sink.name}: cannot be written: a pause of ${pause} µs, but es has a byte for each 127 µs and is refused beyond an hour; choose another format`,
            );
          for (; pause >= esOverflow; pause -= esOverflow) words.byte(0xff);
          words.byte((pause << 1) | p[i]!);
          words.short(x[i]!);
          words.short(y[i]!);
          last = t[i]!;
        }
        words.flush(sink);
      },
      end: () => undefined,
    };
  },
};
