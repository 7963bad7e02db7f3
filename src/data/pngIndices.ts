/**
 * The numbers that a PNG stores for its pixels: grey values, or indices into its palette and not the colours that they stand for, with 1, 2,
 * 4 or 8 bits. This is how masks of classes are stored. Pictures are decoded elsewhere (`decode.ts`). After the W3C's recommendation
 * "Portable Network Graphics", second edition. For Node.
 */
import { promisify } from 'node:util';
import { inflate, inflateSync, type ZlibOptions } from 'node:zlib';
import { crc32 } from '../interop/crc32.js';
import { maximumImageBytes, maximumImagePixels } from './decode.js';
import { ImageError } from './errors.js';
import { memoryBudget } from './memoryBudget.js';
import { inflatedBytes, passes } from './pngTail.js';
import type { Size } from './resize.js';

/** One byte for each pixel, rows from the top: `data[y * width + x]`. */
export interface PixelNumbers extends Size {
  readonly data: Uint8Array;
}

/** What a file says of itself before anything is decompressed. */
interface Header extends Size {
  readonly bits: number;
  readonly isInterlaced: boolean;
  /** Of all rows, each with its filter's. */
  readonly inflated: number;
}

interface Opened {
  readonly label: string;
  readonly header: Header;
  readonly compressed: readonly Uint8Array[];
}

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const [grey, palette] = [0, 3];
const whole = [[0, 0, 1, 1]] as const;
/** Some writers compress a few bytes more than there are pixels for. */
const surplus = 2 ** 16;

/** Height and width as the header says. Throws ImageError naming `label` when the file is no PNG of numbers. */
export function pixelNumbersSize(bytes: Uint8Array, label: string): Size {
  const { width, height } = headerOf(asBuffer(bytes), label);
  return { width, height };
}

/**
 * The numbers of all pixels. Whatever the file says, no more is decompressed than its header has pixels for.
 *
 * @throws ImageError naming `label` when the file is no PNG, one of colours or 16 bits, larger than images may be, or damaged; DataError when
 *   it would take more memory than data may.
 */
export function readPixelNumbers(bytes: Uint8Array, label: string): PixelNumbers {
  const opened = open(bytes, label);
  return memoryBudget().during(bytesNeeded(opened), label, () => {
    const rows = tried(opened, () => inflateSync(Buffer.concat(opened.compressed), limits(opened)));
    return numbersOf(opened, rows);
  });
}

/** As {@link readPixelNumbers}, decompressed in another thread and waiting for memory where it must: for many files one after the other. */
export async function readPixelNumbersAhead(bytes: Uint8Array, label: string): Promise<PixelNumbers> {
  const opened = open(bytes, label);
  const free = await memoryBudget().reserve(bytesNeeded(opened), label);
  try {
    const rows = await promisify<Uint8Array, ZlibOptions, Buffer>(inflate)(
      Buffer.concat(opened.compressed),
      limits(opened),
    ).catch((error: unknown) => {
      throw damaged(label, (error as Error).message);
    });
    return numbersOf(opened, rows);
  } finally {
    free();
  }
}

function open(bytes: Uint8Array, label: string): Opened {
  const source = asBuffer(bytes);
  const header = headerOf(source, label);
  const compressed: Uint8Array[] = [];
  for (let place = signature.length; ; ) {
    if (place + 12 > source.length) throw damaged(label, 'it ends before its last chunk');
    const length = source.readUInt32BE(place);
    const type = source.toString('latin1', place + 4, place + 8);
    const end = place + 12 + length;
    if (end > source.length) throw damaged(label, `it ends within its chunk ${printable(type)}`);
    const isNeeded = type === 'IDAT' || type === 'IHDR';
    if (isNeeded && crc32(source.subarray(place + 4, end - 4)) !== source.readUInt32BE(end - 4))
      throw damaged(label, `the checksum of its chunk ${type} is wrong`);
    if (type === 'IDAT') compressed.push(source.subarray(place + 8, end - 4));
    if (type === 'IEND') return { label, header, compressed };
    place = end;
  }
}

function headerOf(source: Buffer, label: string): Header {
  if (source.length > maximumImageBytes)
    throw new ImageError(
      `${label}: has ${source.length} bytes, more than the ${maximumImageBytes} allowed for an image`,
    );
  if (!source.subarray(0, signature.length).equals(signature)) {
    const start = printable(source.toString('latin1', 0, 8));
    throw new ImageError(`${label}: begins with "${start}"; a PNG file of grey values or palette indices was expected`);
  }
  if (source.length < 33 || source.readUInt32BE(8) !== 13 || source.toString('latin1', 12, 16) !== 'IHDR')
    throw damaged(label, 'it does not begin with a header');
  const fields = source.subarray(16, 29);
  const [width, height] = [fields.readUInt32BE(0), fields.readUInt32BE(4)];
  const [bits, colours, compression, filter, interlace] = fields.subarray(8) as unknown as readonly [
    number,
    number,
    number,
    number,
    number,
  ];
  if (!(width > 0 && height > 0) || width * height > maximumImagePixels) {
    throw new ImageError(
      `${label}: its header says ${width} x ${height} pixels; sides of at least 1 and at most ${maximumImagePixels} pixels were expected`,
    );
  }
  if ((colours !== grey && colours !== palette) || ![1, 2, 4, 8].includes(bits)) {
    throw new ImageError(
      `${label}: is a PNG of ${bits}-bit ${kindNames[colours] ?? 'pixels'}; a mask has one number for each pixel: 8-bit grey or a palette`,
    );
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) throw damaged(label, 'its header names unknown methods');
  return { width, height, bits, isInterlaced: interlace === 1, inflated: inflatedBytes(fields) };
}

const kindNames: Readonly<Record<number, string>> = {
  [grey]: 'grey',
  2: 'colours',
  [palette]: 'palette indices',
  4: 'grey with alpha',
  6: 'colours with alpha',
};

function bytesNeeded({ header, compressed }: Opened): number {
  const given = compressed.reduce((sum, { length }) => sum + length, 0);
  return given + header.inflated + surplus + header.width * header.height;
}

function limits({ header }: Opened): ZlibOptions {
  return { maxOutputLength: header.inflated + surplus };
}

function tried<Result>({ label }: Opened, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw damaged(label, (error as Error).message);
  }
}

/** @param rows As decompressed; they are written to. */
function numbersOf({ label, header }: Opened, rows: Buffer): PixelNumbers {
  const { width, height, bits, isInterlaced, inflated } = header;
  if (rows.length < inflated) throw damaged(label, `it has ${rows.length} of ${inflated} bytes of pixels`);
  const data = new Uint8Array(width * height);
  let place = 0;
  for (const [left, top, across, down] of isInterlaced ? passes : whole) {
    const columns = Math.ceil((width - left) / across);
    const rowBytes = Math.ceil((columns * bits) / 8);
    if (columns <= 0) continue;
    let above: Uint8Array = new Uint8Array(rowBytes);
    for (let y = top; y < height; y += down, place += 1 + rowBytes) {
      const row = rows.subarray(place + 1, place + 1 + rowBytes);
      if (!unfilter(rows[place]!, row, above)) throw damaged(label, `a row has the unknown filter ${rows[place]}`);
      unpack(row, bits, data.subarray(y * width + left, (y + 1) * width), across);
      above = row;
    }
  }
  return { width, height, data };
}

/** In place; the pixel before is the byte before with up to 8 bits. False for a filter that there is not. */
function unfilter(filter: number, row: Uint8Array, above: Uint8Array): boolean {
  switch (filter) {
    case 0:
      return true;
    case 1:
      for (let i = 1; i < row.length; i++) row[i]! += row[i - 1]!;
      return true;
    case 2:
      for (let i = 0; i < row.length; i++) row[i]! += above[i]!;
      return true;
    case 3:
      for (let i = 0, before = 0; i < row.length; i++) {
        row[i]! += (before + above[i]!) >> 1;
        before = row[i]!;
      }
      return true;
    case 4:
      for (let i = 0, before = 0, corner = 0; i < row.length; i++) {
        row[i]! += nearest(before, above[i]!, corner);
        before = row[i]!;
        corner = above[i]!;
      }
      return true;
    default:
      return false;
  }
}

/** Paeth's predictor. */
function nearest(before: number, above: number, corner: number): number {
  const a = Math.abs(above - corner);
  const b = Math.abs(before - corner);
  const c = Math.abs(before + above - 2 * corner);
  if (a <= b && a <= c) return before;
  return b <= c ? above : corner;
}

/** The pixels of a row into every `across`th place. */
function unpack(row: Uint8Array, bits: number, target: Uint8Array, across: number): void {
  if (bits === 8 && across === 1) {
    target.set(row);
    return;
  }
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  for (let to = 0, pixel = 0; to < target.length; to += across, pixel++) {
    const byte = row[Math.floor(pixel / perByte)]!;
    target[to] = (byte >> (8 - bits * (1 + (pixel % perByte)))) & mask;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '.');
}

function damaged(label: string, reason: string): ImageError {
  return new ImageError(`${label}: this PNG file is truncated or damaged (${reason}); replace the file`);
}
