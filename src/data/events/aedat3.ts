/**
 * AEDAT 3.1, the files of cAER and of DVS128 Gesture (`#!AER-DAT3.1`): lines of text up to `#!END-HEADER`, then packets of events of one type, all numbers with the least
 * significant byte first. Polarity events are read; others are counted. Row 0 is at the top.
 */
import { DataError } from '../errors.js';
import { sensorOfChip } from './chips.js';
import { EventColumns } from './columns.js';
import type { Events, Sensor, Skipped } from './events.js';
import type { EventFormat } from './format.js';
import type { Inlet } from './inlet.js';
import { beginsWith, takeHeader } from './textHeader.js';

const packetHeaderBytes = 28;
const polarityType = 1;
/** More than any type of event of the format's list. */
const largestType = 1024;
const largestEvent = 1 << 26;

export const aedat3: EventFormat = {
  names: ['aedat3'],
  extensions: ['.aedat3'],
  recognises: (head) => beginsWith(head, '#!AER-DAT3'),
  open: async ({ source, inlet, skipped }) => {
    const lines = await takeHeader(inlet, source.name, '#', (line) => /^#!END-HEADER/.test(line));
    const isWhole = /^#!END-HEADER/.test(lines.at(-1) ?? '');
    const coding = /^#\s*Format:\s*(\S+)/m.exec(lines.join('\n'))?.[1] ?? 'RAW';
    if (isWhole && coding.toUpperCase() !== 'RAW')
      throw new DataError(
        `${source.name}: its events are stored as ${coding.slice(0, 40)}; save it again as AEDAT 3.1 RAW`,
      );
    return { format: 'aedat3', sensor: sensorIn(lines), chunks: () => packets(inlet, skipped) };
  },
};

/** The first camera that is named. */
function sensorIn(lines: readonly string[]): Sensor | undefined {
  const sources = lines.filter((line) => /^#\s*Source\b/i.test(line));
  return sources.map((line) => sensorOfChip(line)).find((sensor) => sensor !== undefined);
}

/** What is in front of a packet's events. */
interface Packet {
  readonly type: number;
  readonly size: number;
  readonly timeOffset: number;
  readonly overflow: number;
  readonly number: number;
}

async function* packets(inlet: Inlet, skipped: Skipped): AsyncGenerator<Events, void> {
  const columns = new EventColumns();
  while (await inlet.has(packetHeaderBytes)) {
    const packet = packetAt(inlet);
    if (packet === undefined) {
      // Where the next packet begins cannot be known.
      skipped.damagedBytes += await inlet.skip(Number.POSITIVE_INFINITY);
      return;
    }
    inlet.start += packetHeaderBytes;
    if (packet.type === polarityType) yield* polarities(inlet, skipped, packet, columns);
    else await passOver(inlet, skipped, packet);
  }
  skipped.truncatedBytes += inlet.length;
}

/** Undefined when it makes no sense. */
function packetAt(inlet: Inlet): Packet | undefined {
  const view = new DataView(inlet.bytes.buffer, inlet.start, packetHeaderBytes);
  const [type, size, timeOffset] = [view.getInt16(0, true), view.getInt32(4, true), view.getInt32(8, true)];
  const [overflow, number] = [view.getInt32(12, true), view.getInt32(20, true)];
  if (type < 0 || type > largestType || size < 1 || size > largestEvent || overflow < 0 || number < 0) return undefined;
  if (type === polarityType && (size < 8 || timeOffset < 4 || timeOffset > size - 4)) return undefined;
  return { type, size, timeOffset, overflow, number };
}

async function passOver(inlet: Inlet, skipped: Skipped, { size, number }: Packet): Promise<void> {
  const passed = await inlet.skip(size * number);
  skipped.other += Math.floor(passed / size);
  if (passed < size * number) skipped.truncatedBytes += passed % size;
}

async function* polarities(inlet: Inlet, skipped: Skipped, packet: Packet, columns: EventColumns) {
  const { size, timeOffset, number } = packet;
  const base = packet.overflow * 2 ** 31;
  for (let left = number; left > 0; ) {
    if (!(await inlet.has(size))) return;
    const view = new DataView(inlet.bytes.buffer);
    const { t, x, y, p, capacity } = columns;
    const count = Math.min(left, Math.floor(inlet.length / size), capacity);
    let n = 0;
    for (let i = 0, at = inlet.start; i < count; i++, at += size) {
      const data = view.getUint32(at, true);
      t[n] = base + view.getInt32(at + timeOffset, true);
      x[n] = data >>> 17;
      y[n] = (data >>> 2) & 0x7fff;
      p[n] = (data >>> 1) & 1;
      // An event that is not valid is overwritten by the next.
      n += data & 1;
    }
    skipped.invalid += count - n;
    inlet.start += count * size;
    left -= count;
    columns.length = n;
    if (n > 0) yield columns;
  }
}
