/** PNG files of numbers, written here so that every kind and every fault can be had. */
import { deflateSync } from 'node:zlib';
import { crc32 } from '../../src/interop/crc32.js';

export interface PngMaking {
  readonly width: number;
  readonly height: number;
  /** One number a pixel. */
  readonly data: ArrayLike<number>;
  readonly bits?: number;
  /** Red, green and blue of each index; without it grey. */
  readonly palette?: Uint8Array;
  /** What the header says instead, byte by byte. */
  readonly header?: Readonly<Record<number, number>>;
  /** The filter of row y; 0 to 4, of which this writer applies those it is asked for. */
  readonly filter?: (y: number) => number;
  /** Compressed instead of the rows. */
  readonly rows?: Buffer;
}

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

export function pngOf({
  width,
  height,
  data,
  bits = 8,
  palette,
  header = {},
  filter = () => 0,
  rows,
}: PngMaking): Buffer {
  const beginning = Buffer.alloc(13);
  beginning.writeUInt32BE(width, 0);
  beginning.writeUInt32BE(height, 4);
  beginning[8] = bits;
  beginning[9] = palette === undefined ? 0 : 3;
  for (const [place, value] of Object.entries(header)) beginning[Number(place)] = value;
  return Buffer.concat([
    signature,
    chunk('IHDR', beginning),
    ...(palette === undefined ? [] : [chunk('PLTE', palette)]),
    chunk('IDAT', deflateSync(rows ?? filteredRows({ width, height, data, bits, filter }))),
    chunk('IEND', new Uint8Array()),
  ]);
}

export function chunk(type: string, content: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(content.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}

type Rows = Required<Pick<PngMaking, 'width' | 'height' | 'data' | 'bits' | 'filter'>>;

function filteredRows({ width, height, data, bits, filter }: Rows): Buffer {
  const length = Math.ceil((width * bits) / 8);
  const rows: Buffer[] = [];
  let above = Buffer.alloc(length);
  for (let y = 0; y < height; y++) {
    const row = Buffer.alloc(length);
    for (let x = 0; x < width; x++) {
      const place = x * bits;
      row[place >> 3]! |= data[y * width + x]! << (8 - bits - (place & 7));
    }
    rows.push(Buffer.of(filter(y)), filtered(row, above, filter(y)));
    above = row;
  }
  return Buffer.concat(rows);
}

function filtered(row: Buffer, above: Buffer, filter: number): Buffer {
  return Buffer.from(
    row.map((value, i) => value - predicted(i > 0 ? row[i - 1]! : 0, above[i]!, i > 0 ? above[i - 1]! : 0, filter)),
  );
}

function predicted(a: number, b: number, c: number, filter: number): number {
  if (filter === 1) return a;
  if (filter === 2) return b;
  if (filter === 3) return Math.floor((a + b) / 2);
  if (filter !== 4) return 0;
  const p = a + b - c;
  const distances = [a, b, c].map((value) => Math.abs(p - value));
  return [a, b, c][distances.indexOf(Math.min(...distances))]!;
}
