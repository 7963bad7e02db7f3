/**
 * DAT of Prophesee (https://docs.prophesee.ai/stable/data/file_formats/dat.html), of N-CARS and the automotive sets: lines that begin with `%`, a byte for the type of the
 * events, a byte for their size, then records of eight bytes: microseconds and an address, 32 bits each, little-endian. Row 0 is at the top.
 */
import { DataError } from '../errors.js';
import { type Decoder, decoded } from './decoding.js';
import type { Sensor } from './events.js';
import type { EventFormat } from './format.js';
import type { Inlet } from './inlet.js';
import { beginsWith, sizeIn, takeHeader, textOf } from './textHeader.js';

const recordBytes = 8;
const wrap = 2 ** 32;
/** Types of an event of place and polarity: a plain one, and that of contrast detection. */
const eventTypes = [0, 12];

/** Where an address has its parts. */
interface Layout {
  readonly xMask: number;
  readonly yShift: number;
  readonly yMask: number;
  readonly polarityShift: number;
}

const version2: Layout = { xMask: 0x3fff, yShift: 14, yMask: 0x3fff, polarityShift: 28 };
const version1: Layout = { xMask: 0x1ff, yShift: 9, yMask: 0xff, polarityShift: 17 };

/** Lines that raw files have and these have not. */
const isRaw = /^% (evt|format|geometry|system_ID|plugin_name|integrator_name) /m;

export const propheseeDat: EventFormat = {
  names: ['prophesee-dat'],
  extensions: ['.dat'],
  recognises: (head) => {
    if (!beginsWith(head, '%')) return false;
    const text = textOf(head);
    return /^%\s*Data file/im.test(text) || (/^%\s*(Version|Width|Height)\b/im.test(text) && !isRaw.test(text));
  },
  open: async ({ source, inlet, skipped }) => {
    const lines = await takeHeader(inlet, source.name, '%', (line) => /^%\s*end$/i.test(line));
    // The first files had neither lines nor type and size.
    if (lines.length > 0 && (await inlet.has(2))) {
      const [type, size] = [inlet.bytes[inlet.start]!, inlet.bytes[inlet.start + 1]!];
      if (!eventTypes.includes(type) || size !== recordBytes)
        throw new DataError(
          `${source.name}: holds events of type ${type} with ${size} bytes; contrast events (type 0 or 12) of 8 bytes are read`,
        );
      inlet.start += 2;
    }
    const layout = Number(numberOf(lines, 'Version') ?? 0) >= 2 ? version2 : await guessed(inlet);
    return { format: 'prophesee-dat', sensor: sensorIn(lines), chunks: () => decoded(inlet, skipped, decoder(layout)) };
  },
};

function numberOf(lines: readonly string[], key: string): string | undefined {
  const pattern = new RegExp(`^%\\s*${key}[:\\s]\\s*(\\d{1,5})\\s*$`, 'i');
  return lines.map((line) => pattern.exec(line)?.[1]).find((value) => value !== undefined);
}

function sensorIn(lines: readonly string[]): Sensor | undefined {
  const [width, height] = [sizeIn(numberOf(lines, 'Width')), sizeIn(numberOf(lines, 'Height'))];
  return width !== undefined && height !== undefined ? { width, height } : undefined;
}

/** Without a version: addresses of version 1 have 18 bits. Many programs leave the version out and mean 2. */
async function guessed(inlet: Inlet): Promise<Layout> {
  await inlet.fill(1 << 12);
  const { bytes, end } = inlet;
  for (let at = inlet.start; at + recordBytes <= end; at += recordBytes) {
    if (bytes[at + 6]! > 3 || bytes[at + 7]! !== 0) return version2;
  }
  return inlet.length < recordBytes ? version2 : version1;
}

function decoder({ xMask, yShift, yMask, polarityShift }: Layout): Decoder {
  const state = { base: 0, last: 0 };
  return (inlet, columns) => {
    // In variables of this function: those of the one around it are memory.
    let { base, last } = state;
    const words = new Uint32Array(inlet.bytes.buffer);
    const { t, x, y, p, capacity } = columns;
    const start = inlet.start >> 2;
    const count = Math.min(inlet.length >> 3, capacity);
    for (let i = 0, at = start; i < count; i++, at += 2) {
      const time = words[at]!;
      const address = words[at + 1]!;
      // The counter has run over, after 71 minutes.
      if (last - time > 0x80000000) base += wrap;
      last = time;
      t[i] = base + time;
      x[i] = address & xMask;
      y[i] = (address >>> yShift) & yMask;
      p[i] = (address >>> polarityShift) & 1;
    }
    Object.assign(state, { base, last });
    inlet.start += count * recordBytes;
    columns.length = count;
  };
}
