/**
 * Event Stream 2 (`.es`, https://github.com/neuromorphicsystems/event_stream): a mark, the version, the type of the events, the sensor, then five bytes an event: the time since
 * the event before with the polarity, column and row. Only recordings of type 1, DVS, have these. Row 0 is at the bottom.
 */
import { DataError } from '../errors.js';
import { type Decoder, decoded } from './decoding.js';
import type { Skipped } from './events.js';
import type { EventFormat } from './format.js';
import { beginsWith } from './textHeader.js';

const mark = 'Event Stream';
const headerBytes = 20;
const recordBytes = 5;
const types = ['generic', 'DVS', 'ATIS', 'asynchronous ATIS', 'colour'];

/** Bytes that are no event: 127 µs more, and one that is reserved. */
const overflow = 0xff;
const overflowMicroseconds = 127;
const reserved = 0xfe;

export const eventStream: EventFormat = {
  names: ['es'],
  extensions: ['.es'],
  recognises: (head) => beginsWith(head, mark),
  open: async ({ source, inlet, skipped }) => {
    const isWhole = await inlet.fill(headerBytes);
    const header = inlet.bytes.subarray(0, inlet.end);
    if (inlet.length > mark.length + 3) {
      if (!beginsWith(header, mark)) throw new DataError(`${source.name}: is no Event Stream; leave the format out`);
      const [major, type] = [header[mark.length]!, header[mark.length + 3]!];
      if (major !== 2) throw new DataError(`${source.name}: is Event Stream ${major}; version 2 is read`);
      if (type !== 1)
        throw new DataError(
          `${source.name}: is an Event Stream of type ${type} (${types[type] ?? 'unknown'}), which has no events of a place and polarity alone; give one of type 1 (DVS)`,
        );
    }
    if (!isWhole) return { format: 'es', sensor: undefined, chunks: () => decoded(inlet, skipped, () => {}) };
    const [width, height] = [header[16]! | (header[17]! << 8), header[18]! | (header[19]! << 8)];
    inlet.start += headerBytes;
    const sensor = width > 0 && height > 0 ? { width, height } : undefined;
    return { format: 'es', sensor, chunks: () => decoded(inlet, skipped, decoder(skipped)) };
  },
};

function decoder(skipped: Skipped): Decoder {
  let reached = 0;
  return (inlet, columns) => {
    let time = reached;
    const { bytes, end } = inlet;
    const { t, x, y, p, capacity } = columns;
    let at = inlet.start;
    let n = columns.length;
    while (at < end && n < capacity) {
      const first = bytes[at]!;
      if (first >= reserved) {
        if (first === overflow) time += overflowMicroseconds;
        else skipped.other++;
        at++;
        continue;
      }
      if (at + recordBytes > end) break;
      time += first >> 1;
      t[n] = time;
      x[n] = bytes[at + 1]! | (bytes[at + 2]! << 8);
      y[n] = bytes[at + 3]! | (bytes[at + 4]! << 8);
      p[n] = first & 1;
      n++;
      at += recordBytes;
    }
    reached = time;
    inlet.start = at;
    columns.length = n;
  };
}
