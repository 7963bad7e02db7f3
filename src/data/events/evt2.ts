/**
 * EVT 2.0 of Prophesee (https://docs.prophesee.ai/stable/data/encoding_formats/evt2.html): words of 32 bits, little-endian, whose first four bits say what they are. An event has
 * the low 6 bits of its time, a word of its own the 28 above. Row 0 is at the top.
 */
import type { Decoder } from './decoding.js';
import type { Skipped } from './events.js';
import { propheseeRaw } from './propheseeRaw.js';

const timeHigh = 8;
const trigger = 10;
/** The time has 34 bits: it runs over after 4.8 hours. */
const wrap = 2 ** 34;
const halfHigh = 1 << 27;

export const evt2 = propheseeRaw('evt2', 2, decoder);

function decoder(skipped: Skipped): Decoder {
  const state = { high: -1, runs: 0, base: 0 };
  return (inlet, columns) => {
    // In variables of this function: those of the one around it are memory.
    let { high, runs, base } = state;
    const words = new Uint32Array(inlet.bytes.buffer);
    const { t, x, y, p, capacity } = columns;
    const stop = inlet.end >> 2;
    let at = inlet.start >> 2;
    let n = columns.length;
    for (; at < stop && n < capacity; at++) {
      const word = words[at]!;
      const type = word >>> 28;
      if (type <= 1) {
        if (high < 0) {
          skipped.beforeFirstTime++;
          continue;
        }
        t[n] = base + ((word >>> 22) & 63);
        x[n] = (word >>> 11) & 0x7ff;
        y[n] = word & 0x7ff;
        p[n] = type;
        n++;
      } else if (type === timeHigh) {
        const next = word & 0xfffffff;
        if (high - next > halfHigh) runs += wrap;
        else if (next - high > halfHigh && runs > 0) runs -= wrap;
        high = next;
        base = runs + next * 64;
      } else if (type === trigger) skipped.triggers++;
      else skipped.other++;
    }
    Object.assign(state, { high, runs, base });
    inlet.start = at << 2;
    columns.length = n;
  };
}
