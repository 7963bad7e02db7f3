/**
 * AEDAT 4, the files of DV (`#!AER-DAT4.0`; https://gitlab.com/inivation/inivation-docs): a FlatBuffer that says how packets are compressed and, in XML, what streams there are;
 * then packets, each of one stream: a FlatBuffer of events, frames, inertial samples or triggers, compressed by itself. The table of packets at the end may be missing and is
 * not needed. Events of the first stream of events are read. Row 0 is at the top.
 */
import { DataError } from '../errors.js';
import { EventColumns } from './columns.js';
import type { Events, Sensor, Skipped } from './events.js';
import { FlatTable, identifierOf } from './flatbuffer.js';
import type { EventFormat } from './format.js';
import type { Inlet } from './inlet.js';
import { unpackLz4 } from './lz4.js';
import { beginsWith, sizeIn, textOf } from './textHeader.js';
import { UnpackError, Unpacked } from './unpacked.js';
import { unpackZstd } from './zstd.js';

const mark = '#!AER-DAT4.0\r\n';
const largestHeader = 1 << 24;
/** Of a packet, as stored and unpacked. Those of DV hold some milliseconds: a megabyte at the very most. */
const largestPacket = 1 << 25;
const eventBytes = 16;

/** Fields of the header. */
const [compressionField, tableField, descriptionField] = [0, 1, 2];

type Unpack = (packed: Uint8Array) => Uint8Array;

interface Header {
  readonly unpack: Unpack;
  /** The byte at which packets end; Infinity when nothing says so. */
  readonly end: number;
  readonly streams: ReadonlyMap<number, Stream>;
}

interface Stream {
  readonly type: string | undefined;
  readonly sensor: Sensor | undefined;
}

export const aedat4: EventFormat = {
  names: ['aedat4'],
  extensions: ['.aedat4'],
  recognises: (head) => beginsWith(head, '#!AER-DAT4'),
  open: async ({ source, inlet, skipped }) => {
    const header = await takeHeader(inlet, source.name);
    const ofEvents = [...header.streams.values()].find(({ type }) => type === 'EVTS');
    return { format: 'aedat4', sensor: ofEvents?.sensor, chunks: () => packets(inlet, skipped, header) };
  },
};

/** Of a file that ends in its header: there are no packets to find the end of. */
const cutOff: Header = { unpack: (packed) => packed, end: Number.POSITIVE_INFINITY, streams: new Map() };

async function takeHeader(inlet: Inlet, name: string): Promise<Header> {
  const damaged = () => new DataError(`${name}: its AEDAT 4 header is damaged; copy the file again`);
  if (!(await inlet.fill(mark.length + 4))) return cutOff;
  if (!beginsWith(inlet.bytes, '#!AER-DAT4')) throw damaged();
  inlet.start += mark.length;
  const size = new DataView(inlet.bytes.buffer, inlet.start, 4).getUint32(0, true) + 4;
  if (size > largestHeader) throw damaged();
  if (!(await inlet.fill(size))) return cutOff;
  const bytes = inlet.bytes.subarray(0, size);
  const table = FlatTable.root(bytes, 'IOHE');
  if (table === undefined) throw damaged();
  const text = table.vector(descriptionField, 1);
  const description = text ? textOf(bytes.subarray(text.start, text.start + text.length)) : '';
  const end = table.int64(tableField) ?? -1;
  const unpack = unpacker(table.int32(compressionField) ?? 0, name);
  inlet.start += size;
  return { unpack, end: end > inlet.position ? end : Number.POSITIVE_INFINITY, streams: streamsIn(description) };
}

function unpacker(compression: number, name: string): Unpack {
  if (compression === 0) return (packed) => packed;
  if (compression === 1 || compression === 2) {
    const into = new Unpacked(largestPacket);
    return (packed) => unpackLz4(packed, into);
  }
  if (compression === 3 || compression === 4) return (packed) => unpackZstd(packed, largestPacket);
  throw new DataError(
    `${name}: its packets are compressed in way ${compression}; none, LZ4 and Zstandard (0 to 4) are read`,
  );
}

/** Each stream has a node whose name is its number, with a node `info` inside. A stream's text goes to the next stream's node. */
function streamsIn(description: string): ReadonlyMap<number, Stream> {
  const streams = new Map<number, Stream>();
  for (const part of description.split(/<node name="(?=\d{1,9}")/).slice(1)) {
    const attribute = (key: string) => new RegExp(`<attr key="${key}"[^>]{0,80}>([^<]{0,80})<`).exec(part)?.[1]?.trim();
    const [width, height] = [sizeIn(attribute('sizeX')), sizeIn(attribute('sizeY'))];
    const sensor = width !== undefined && height !== undefined ? { width, height } : undefined;
    streams.set(Number.parseInt(part, 10), { type: attribute('typeIdentifier'), sensor });
  }
  return streams;
}

async function* packets(inlet: Inlet, skipped: Skipped, header: Header): AsyncGenerator<Events, void> {
  const { unpack, end, streams } = header;
  const columns = new EventColumns();
  let chosen: number | undefined;
  while (header !== cutOff && inlet.position < end && (await inlet.has(8))) {
    const view = new DataView(inlet.bytes.buffer, inlet.start, 8);
    const [stream, size] = [view.getInt32(0, true), view.getInt32(4, true)];
    if (stream < 0 || size < 0) {
      // Where the next packet begins cannot be known.
      skipped.damagedBytes += await inlet.skip(Number.POSITIVE_INFINITY);
      return;
    }
    const type = streams.get(stream)?.type;
    if (type !== undefined && type !== 'EVTS') {
      if (await passedOver(inlet, skipped, 8 + size)) skipped.other++;
      continue;
    }
    if (size > largestPacket) {
      if (await passedOver(inlet, skipped, 8 + size)) skipped.damagedBytes += 8 + size;
      continue;
    }
    if (!(await inlet.has(8 + size))) break;
    const packed = inlet.bytes.subarray(inlet.start + 8, inlet.start + 8 + size);
    inlet.start += 8 + size;
    const content = unpacked(packed, unpack, skipped);
    if (content === undefined) continue;
    if (identifierOf(content) !== 'EVTS' || (chosen !== undefined && chosen !== stream)) {
      skipped.other++;
      continue;
    }
    const table = FlatTable.root(content, 'EVTS');
    const events = table?.vector(0, eventBytes);
    if (events === undefined) {
      // A packet without events may leave the vector out.
      if (table === undefined || table.has(0)) skipped.damagedBytes += size;
      continue;
    }
    chosen = stream;
    yield* runs(content, events, columns);
  }
  if (inlet.position < end) skipped.truncatedBytes += inlet.length;
}

/** False, and counted, when the file ends before. */
async function passedOver(inlet: Inlet, skipped: Skipped, count: number): Promise<boolean> {
  const passed = await inlet.skip(count);
  if (passed < count) skipped.truncatedBytes += passed;
  return passed === count;
}

/** Undefined, and counted, for a packet that does not unpack. */
function unpacked(packed: Uint8Array, unpack: Unpack, skipped: Skipped): Uint8Array | undefined {
  try {
    return unpack(packed);
  } catch (error) {
    if (!(error instanceof UnpackError)) throw error;
    skipped.damagedBytes += packed.length;
    return undefined;
  }
}

/** Structures of 16 bytes: microseconds (64 bits), column, row, polarity, three bytes of nothing. */
function* runs(content: Uint8Array, { start, length }: { start: number; length: number }, columns: EventColumns) {
  const { t, x, y, p, capacity } = columns;
  for (let done = 0; done < length; ) {
    const count = Math.min(capacity, length - done);
    const from = start + done * eventBytes;
    // A copy begins where words may begin.
    const bytes = content.slice(from, from + count * eventBytes);
    const words = new Uint32Array(bytes.buffer);
    for (let i = 0, at = 0; i < count; i++, at += 4) {
      const place = words[at + 2]!;
      t[i] = (words[at + 1]! | 0) * 4294967296 + words[at]!;
      x[i] = place & 0xffff;
      y[i] = place >>> 16;
      p[i] = words[at + 3]! & 1;
    }
    columns.length = count;
    done += count;
    yield columns;
  }
}
