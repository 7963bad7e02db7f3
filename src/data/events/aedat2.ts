/**
 * AEDAT 2, the files of jAER (`#!AER-DAT2.0`): lines that begin with `#`, then records of eight bytes, address and microseconds, both 32 bits with the most significant byte
 * first. What an address means is the chip's: that of the DVS128 and that of the DAVIS cameras are read here. Handed out are the stored bits; jAER mirrors them when it shows
 * them, which `convention: 'jaer'` does too (DVS128: `x = 127 - x`, a bit of 0 is ON; DAVIS: `x = width - 1 - x`). Row 0 is at the bottom.
 */
import { DataError } from '../errors.js';
import { sensorOfChip } from './chips.js';
import { type Decoder, decoded } from './decoding.js';
import type { EventFormatName, Sensor, Skipped } from './events.js';
import type { EventFormat } from './format.js';
import type { Inlet } from './inlet.js';
import { beginsWith, takeHeader } from './textHeader.js';

const recordBytes = 8;
const wrap = 2 ** 32;

/** Bits of an address, and the sensor whose first and last column a mirror swaps. */
interface Layout {
  readonly format: EventFormatName;
  readonly sensor: Sensor | undefined;
  /** An address is an event when these bits are clear. */
  readonly noEvent: number;
  readonly xShift: number;
  readonly xMask: number;
  readonly yShift: number;
  readonly yMask: number;
  readonly polarityShift: number;
  /** Whether jAER takes a bit of 0 as ON. */
  readonly isZeroOn: boolean;
}

const dvs128: Layout = {
  format: 'aedat2-dvs128',
  sensor: { width: 128, height: 128 },
  noEvent: 0xffff8000,
  xShift: 1,
  xMask: 0x7f,
  yShift: 8,
  yMask: 0x7f,
  polarityShift: 0,
  isZeroOn: true,
};

/** Bit 31 marks samples of frames and of the inertial sensor, bit 10 special events. */
const davis: Layout = {
  format: 'aedat2-davis240c',
  sensor: { width: 240, height: 180 },
  noEvent: 0x80000400,
  xShift: 12,
  xMask: 0x3ff,
  yShift: 22,
  yMask: 0x1ff,
  polarityShift: 11,
  isZeroOn: false,
};

export const aedat2: EventFormat = {
  names: ['aedat2', 'aedat2-dvs128', 'aedat2-davis240c'],
  extensions: ['.aedat', '.aedat2', '.dat2'],
  recognises: (head) => beginsWith(head, '#!AER-DAT2'),
  open: async ({ source, inlet, variant, convention, skipped }) => {
    const lines = await takeHeader(inlet, source.name, '#', (line) => /^#\s*End Of ASCII Header/i.test(line));
    const version = /^#!AER-DAT(\d+)/.exec(lines[0] ?? '')?.[1] ?? '2';
    if (version !== '2')
      throw new DataError(`${source.name}: is AEDAT ${version}, read as AEDAT 2; leave the format to its header`);
    const layout = layoutOf(variant, lines) ?? (await guessed(inlet));
    const { format, sensor } = layout;
    const mirror = convention === 'jaer' ? (sensor?.width ?? 240) - 1 : undefined;
    return { format, sensor, chunks: () => decoded(inlet, skipped, decoder(layout, mirror, skipped)) };
  },
};

function layoutOf(variant: EventFormatName | undefined, lines: readonly string[]): Layout | undefined {
  if (variant === 'aedat2-dvs128') return dvs128;
  if (variant === 'aedat2-davis240c') return davis;
  const chip =
    lines.find((line) => /^#\s*AEChip:/i.test(line)) ?? lines.find((line) => /HardwareInterface/i.test(line));
  if (!chip) return undefined;
  const sensor = sensorOfChip(chip);
  if (!/davis|sbret/i.test(chip)) return /DVS[^\d]*128|TmpDiff128/i.test(chip) ? dvs128 : undefined;
  if (sensor?.width === davis.sensor!.width) return davis;
  return { ...davis, format: 'aedat2', sensor };
}

/** Without a word about the chip: addresses of the DVS128 have 15 bits. */
async function guessed(inlet: Inlet): Promise<Layout> {
  await inlet.fill(1 << 12);
  const { bytes, end } = inlet;
  let beyond = 0;
  let records = 0;
  for (let at = inlet.start; at + recordBytes <= end; at += recordBytes, records++) {
    if (bytes[at]! !== 0 || bytes[at + 1]! !== 0 || bytes[at + 2]! > 0x7f) beyond++;
  }
  // A few may be marks of the camera.
  return 2 * beyond > records ? davis : dvs128;
}

function decoder(layout: Layout, mirror: number | undefined, skipped: Skipped): Decoder {
  const { noEvent, xShift, xMask, yShift, yMask, polarityShift } = layout;
  const flip = mirror !== undefined && layout.isZeroOn ? 1 : 0;
  const state = { base: 0, last: 0 };
  return (inlet, columns) => {
    // In variables of this function: those of the one around it are memory.
    let { base, last } = state;
    const view = new DataView(inlet.bytes.buffer);
    const { t, x, y, p, capacity } = columns;
    const stop = inlet.end - recordBytes;
    let at = inlet.start;
    let n = columns.length;
    let other = 0;
    for (; at <= stop && n < capacity; at += recordBytes) {
      const address = view.getUint32(at);
      if ((address & noEvent) !== 0) {
        other++;
        continue;
      }
      const time = view.getUint32(at + 4);
      // The counter has run over, after 71 minutes.
      if (last - time > 0x80000000) base += wrap;
      last = time;
      t[n] = base + time;
      x[n] = (address >>> xShift) & xMask;
      y[n] = (address >>> yShift) & yMask;
      p[n] = ((address >>> polarityShift) & 1) ^ flip;
      n++;
    }
    Object.assign(state, { base, last });
    if (mirror !== undefined) for (let i = columns.length; i < n; i++) x[i] = mirror - x[i]!;
    skipped.other += other;
    inlet.start = at;
    columns.length = n;
  };
}
