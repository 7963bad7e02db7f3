/**
 * EVT 3.0 of Prophesee (https://docs.prophesee.ai/stable/data/encoding_formats/evt3.html): words of 16 bits, little-endian, whose first four bits say what they are. Only what
 * changes is written: the row, the upper and the lower 12 bits of the time, then a column or a vector of 12 or 8 columns. Row 0 is at the top.
 */
import type { Decoder } from './decoding.js';
import type { Skipped } from './events.js';
import { propheseeRaw } from './propheseeRaw.js';

const row = 0;
const column = 2;
const vectorBase = 3;
const vector12 = 4;
const vector8 = 5;
const timeLow = 6;
const timeHigh = 8;
const trigger = 10;

/** The time has 24 bits: it runs over every 16.8 seconds. */
const wrap = 1 << 24;
const halfHigh = 1 << 11;
const largestVector = 12;

export const evt3 = propheseeRaw('evt3', 3, decoder);

function decoder(skipped: Skipped): Decoder {
  const state = { high: -1, low: 0, y: -1, base: -1, polarity: 0, runs: 0, time: 0 };
  return (inlet, columns) => {
    // In variables of this function: those of the one around it are memory, a third of the speed.
    let { high, low, y, base, polarity, runs, time } = state;
    const words = new Uint16Array(inlet.bytes.buffer);
    const { t, x: xs, y: ys, p, capacity } = columns;
    const stop = inlet.end >> 1;
    const full = capacity - largestVector;
    let at = inlet.start >> 1;
    let n = columns.length;
    let [before, triggers, other] = [0, 0, 0];
    let isPlaced = high >= 0 && y >= 0;
    for (; at < stop && n <= full; at++) {
      const word = words[at]!;
      const type = word >> 12;
      // Most words are columns, then rows.
      if (type === column) {
        if (isPlaced) {
          t[n] = time;
          xs[n] = word & 0x7ff;
          ys[n] = y;
          p[n] = (word >> 11) & 1;
          n++;
        } else before++;
      } else if (type === row) {
        y = word & 0x7ff;
        isPlaced = high >= 0;
      } else if (type === vector12 || type === vector8) {
        const length = type === vector12 ? 12 : 8;
        let bits = word & ((1 << length) - 1);
        if (!isPlaced || base < 0) {
          for (; bits !== 0; bits &= bits - 1) before++;
        }
        for (; bits !== 0; bits &= bits - 1) {
          t[n] = time;
          xs[n] = base + 31 - Math.clz32(bits & -bits);
          ys[n] = y;
          p[n] = polarity;
          n++;
        }
        if (base >= 0) base += length;
      } else if (type === vectorBase) {
        base = word & 0x7ff;
        polarity = (word >> 11) & 1;
      } else if (type === timeLow) {
        low = word & 0xfff;
        time = runs + ((high << 12) | low);
      } else if (type === timeHigh) {
        const next = word & 0xfff;
        if (high - next > halfHigh) runs += wrap;
        else if (next - high > halfHigh && runs > 0) runs -= wrap;
        high = next;
        time = runs + ((high << 12) | low);
        isPlaced = y >= 0;
      } else if (type === trigger) triggers++;
      else other++;
    }
    Object.assign(state, { high, low, y, base, polarity, runs, time });
    skipped.beforeFirstTime += before;
    skipped.triggers += triggers;
    skipped.other += other;
    inlet.start = at << 1;
    columns.length = n;
  };
}
