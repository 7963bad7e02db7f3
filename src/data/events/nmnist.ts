/**
 * The recordings of N-MNIST and N-Caltech101 (`.bin`; Orchard et al. 2015, Frontiers in Neuroscience 9:437), and `.bs2`, which has the same records: five bytes each, x, y, then
 * 24 bits with the most significant first: the polarity and 23 bits of microseconds. There is no header. A record of row 240, which no sensor of these sets has, adds 8,192 µs
 * to all that follow.
 */
import type { Decoder } from './decoding.js';
import { decoded } from './decoding.js';
import type { Sensor, Skipped } from './events.js';
import type { EventFormat } from './format.js';

const recordBytes = 5;
const overflowRow = 240;
const overflowMicroseconds = 1 << 13;

const digits: Sensor = { width: 34, height: 34 };
const objects: Sensor = { width: 240, height: 180 };

export const nmnist: EventFormat = {
  names: ['nmnist-bin'],
  extensions: ['.bin', '.bs2'],
  open: async ({ inlet, skipped }) => {
    await inlet.fill(1 << 16);
    const sensor = sensorOf(inlet.bytes.subarray(inlet.start, inlet.end));
    return { format: 'nmnist-bin', sensor, chunks: () => decoded(inlet, skipped, decoder(skipped)) };
  },
};

/** The digits' sensor, unless most of the first events are outside it. */
function sensorOf(head: Uint8Array): Sensor {
  let outside = 0;
  const records = Math.floor(head.length / recordBytes);
  for (let i = 0; i < records; i++) {
    if (head[i * recordBytes]! >= digits.width || head[i * recordBytes + 1]! >= digits.height) outside++;
  }
  return 2 * outside > records ? objects : digits;
}

function decoder(skipped: Skipped): Decoder {
  let overflow = 0;
  return (inlet, columns) => {
    const { bytes, end } = inlet;
    const { t, x, y, p, capacity } = columns;
    let at = inlet.start;
    let n = columns.length;
    for (; at + recordBytes <= end && n < capacity; at += recordBytes) {
      const row = bytes[at + 1]!;
      if (row === overflowRow) {
        overflow += overflowMicroseconds;
        skipped.other++;
        continue;
      }
      const high = bytes[at + 2]!;
      t[n] = overflow + (((high & 0x7f) << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!);
      x[n] = bytes[at]!;
      y[n] = row;
      p[n] = high >> 7;
      n++;
    }
    inlet.start = at;
    columns.length = n;
  };
}
