/**
 * PNG files cut off behind their last pixel: Pillow reads them, since it stops at the last row, while other decoders insist on the
 * checksum and the closing chunk. Such a file is completed here; one that lacks pixels only where that is asked for.
 */
import { promisify } from 'node:util';
import { constants, deflate, inflate } from 'node:zlib';
import { crc32 } from '../interop/crc32.js';

const signatureBytes = 8;

interface Cut {
  /** Signature and all complete chunks before the picture's data. */
  readonly head: Buffer;
  readonly header: Buffer;
  /** The picture's compressed data, as far as they go. */
  readonly data: Buffer;
}

/** The file completed, or undefined when it is not cut off, or lacks pixels. */
export async function completePng(bytes: Buffer): Promise<Buffer | undefined> {
  const rows = await readRows(bytes);
  return rows && rows.data.length >= rows.expected ? rebuilt(rows) : undefined;
}

/** The file with what it lacks in black, or undefined when it is not cut off, or nothing of the picture is left. */
export async function filledPng(bytes: Buffer): Promise<Buffer | undefined> {
  const rows = await readRows(bytes);
  if (rows === undefined || rows.data.length === 0) return undefined;
  const missing = Buffer.alloc(Math.max(0, rows.expected - rows.data.length));
  return rebuilt({ ...rows, data: Buffer.concat([rows.data, missing]) });
}

interface Rows {
  readonly head: Buffer;
  readonly data: Buffer;
  /** How many bytes a whole picture has. */
  readonly expected: number;
}

async function readRows(bytes: Buffer): Promise<Rows | undefined> {
  const cut = readCut(bytes);
  if (cut === undefined) return undefined;
  const expected = inflatedBytes(cut.header);
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: expected + 2 ** 16 };
  const data = await promisify(inflate)(cut.data, options).catch(() => undefined);
  return data && { head: cut.head, data, expected };
}

async function rebuilt(rows: Rows): Promise<Buffer> {
  const data = await promisify(deflate)(rows.data.subarray(0, rows.expected), { level: 1 });
  return Buffer.concat([rows.head, chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

function readCut(bytes: Buffer): Cut | undefined {
  const parts: Buffer[] = [];
  let headEnd = signatureBytes;
  let header: Buffer | undefined;
  for (let place = signatureBytes; ; ) {
    if (place + 8 > bytes.length) break;
    if (place + 12 + bytes.readUInt32BE(place) > bytes.length) {
      if (bytes.toString('latin1', place + 4, place + 8) === 'IDAT') parts.push(dataOf(bytes, place));
      break;
    }
    const length = bytes.readUInt32BE(place);
    const type = bytes.toString('latin1', place + 4, place + 8);
    const end = place + 12 + length;
    if (type === 'IHDR' && length === 13) header = bytes.subarray(place + 8, place + 21);
    if (type === 'IEND') return undefined;
    if (type === 'IDAT') parts.push(dataOf(bytes, place));
    else if (parts.length === 0) headEnd = end;
    place = end;
  }
  if (header === undefined || parts.length === 0) return undefined;
  return { head: bytes.subarray(0, headEnd), header, data: Buffer.concat(parts) };
}

/** Of the chunk that begins at `place`, as far as it goes. */
function dataOf(bytes: Buffer, place: number): Buffer {
  return bytes.subarray(place + 8, place + 8 + bytes.readUInt32BE(place));
}

const samplesOfColourType: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** First column and row and the steps of the seven passes of an interlaced picture. */
export const passes = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Bytes of all rows, each with its filter's, out of the 13 bytes of the chunk IHDR. */
export function inflatedBytes(header: Buffer): number {
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const bitsPerPixel = header[8]! * (samplesOfColourType[header[9]!] ?? 4);
  const rows = (columns: number, count: number) =>
    columns === 0 ? 0 : count * (1 + Math.ceil((columns * bitsPerPixel) / 8));
  if (header[12] === 0) return rows(width, height);
  const steps = (size: number, first: number, step: number) => Math.max(0, Math.ceil((size - first) / step));
  return passes.reduce((sum, [x, y, across, down]) => sum + rows(steps(width, x, across), steps(height, y, down)), 0);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(data.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}
