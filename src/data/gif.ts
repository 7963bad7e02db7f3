/**
 * The first picture of a GIF file as Pillow shows it: where it lies on the screen, its colours, and which of them is around it.
 * GIF is read here, since other decoders disagree with Pillow on what is transparent or outside. Its codes are in gifPixels.ts.
 */
import { type CodedPixels, drawPixels } from './gifPixels.js';
import type { RgbImage } from './image.js';

/** What is known of a GIF file before its first picture's pixels are decoded. */
export interface GifHeader {
  /** Of the screen, or as far as the picture reaches beyond it. */
  readonly width: number;
  readonly height: number;
  readonly pixels: CodedPixels;
  /** Three bytes for each of 256 indices. */
  readonly colours: Uint8Array;
  /** Index of the colour around the picture. */
  readonly around: number;
}

const blocks = { extension: 0x21, picture: 0x2c, end: 0x3b } as const;
const extensions = { graphicControl: 0xf9, comment: 0xfe } as const;
const bits = { table: 0x80, interlaced: 0x40, transparent: 0x01 } as const;

/** Reads bytes in turn; none is beyond the end. */
class Reader {
  place = 6;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(count: number): Uint8Array {
    const end = this.place + count;
    if (end > this.#bytes.length) throw new Error('it ends before its first picture');
    const taken = this.#bytes.subarray(this.place, end);
    this.place = end;
    return taken;
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  short(): number {
    return this.byte() + 256 * this.byte();
  }

  /** The content of a block of an extension: its length comes first, 0 for none. */
  block(): Uint8Array {
    return this.take(this.byte());
  }
}

/** Reads up to the first picture's codes. Throws an error that says what is wrong. */
export function readGifHeader(bytes: Uint8Array): GifHeader {
  const reader = new Reader(bytes);
  const [screenWidth, screenHeight, screenFlags] = [reader.short(), reader.short(), reader.byte()];
  reader.take(2);
  const common = readColours(reader, screenFlags);
  const transparent = findPicture(reader);
  const [left, top, width, height] = [reader.short(), reader.short(), reader.short(), reader.short()];
  const flags = reader.byte();
  const own = readColours(reader, flags);
  const [codeBits, interlaced] = [reader.byte(), (flags & bits.interlaced) !== 0];
  if (width === 0 || height === 0) throw new Error(`its first picture has ${width} x ${height} pixels`);
  if (codeBits > 8) throw new Error(`its indices have ${codeBits} bits`);
  return {
    width: Math.max(screenWidth, left + width),
    height: Math.max(screenHeight, top + height),
    pixels: { left, top, width, height, interlaced, codeBits, start: reader.place },
    colours: chooseColours(own, common),
    around: transparent ?? 0,
  };
}

/** A table of colours; indices beyond it are greys, as in Pillow. */
function readColours(reader: Reader, flags: number): Uint8Array | undefined {
  if ((flags & bits.table) === 0) return undefined;
  const colours = greys();
  colours.set(reader.take(3 * 2 ** ((flags & 7) + 1)));
  return colours;
}

/** The picture's own table comes first; but Pillow forgets one that holds only the greys 0, 1, 2… when there is a common one. */
function chooseColours(own: Uint8Array | undefined, common: Uint8Array | undefined): Uint8Array {
  const isForgotten = own === undefined || own.every((value, i) => value === Math.floor(i / 3));
  return (isForgotten ? common : own) ?? greys();
}

function greys(): Uint8Array {
  return Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.floor(i / 3));
}

/** Passes everything before the first picture; gives the transparent index, if any was said. */
function findPicture(reader: Reader): number | undefined {
  let transparent: number | undefined;
  for (;;) {
    const kind = reader.byte();
    if (kind === blocks.picture) return transparent;
    if (kind === blocks.end) throw new Error('it has no picture');
    // Pillow passes bytes of no meaning too.
    if (kind !== blocks.extension) continue;
    const label = reader.byte();
    let content = reader.block();
    // Pillow then takes the next byte for a length.
    if (content.length === 0 && label !== extensions.comment) throw new Error('it has an empty extension');
    if (label === extensions.graphicControl) {
      if (content.length < 4) throw new Error(`its graphic control has ${content.length} bytes`);
      if ((content[0]! & bits.transparent) !== 0) transparent = content[3]!;
    }
    while (content.length > 0) content = reader.block();
  }
}

/**
 * The picture on its screen; the rest of it, and pixels that are missing, have the transparent index's colour, or that of index 0.
 * `damage` says why pixels are missing, when some are.
 */
export function decodeGif(bytes: Uint8Array, header: GifHeader): { image: RgbImage; damage: string | undefined } {
  const { width, height, colours, around } = header;
  const data = new Uint8Array(width * height * 3);
  const row = data.subarray(0, 3 * width);
  for (let at = 0; at < row.length; at++) row[at] = colours[3 * around + (at % 3)]!;
  for (let y = 1; y < height; y++) data.set(row, y * row.length);
  const damage = drawPixels(bytes, header.pixels, { data, width, colours });
  return { image: { width, height, data }, damage };
}
