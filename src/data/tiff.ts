/**
 * What a TIFF file says about its pixels, read before any decoder sees it, and whether they can be promised to become Pillow's.
 * TIFF has more kinds of pixels than readers agree on; those not listed here are refused. It decodes nothing.
 */
import { ImageError } from './errors.js';
import type { RgbImage } from './image.js';

/** The tags of the first picture of a file that decide what its pixels mean; defaults are the specification's. */
export interface TiffHeader {
  readonly photometric: number | undefined;
  readonly compression: number;
  /** One number per sample. */
  readonly bits: readonly number[];
  readonly sampleFormats: readonly number[];
  /** What the samples beyond the colours are. */
  readonly extraSamples: readonly number[];
  readonly planes: boolean;
  readonly fillOrder: number;
  /** Where the first row and column are, 1 to 8. */
  readonly orientation: number;
  readonly palette: readonly number[];
}

const tags = {
  bits: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  orientation: 274,
  samples: 277,
  planar: 284,
  palette: 320,
  extraSamples: 338,
  sampleFormat: 339,
} as const;

const mostSamples = 8;

/** Reads the first directory. Throws ImageError naming `label` when there is none. */
export function readTiffHeader(bytes: Uint8Array, label: string): TiffHeader {
  const values = readDirectory(bytes, label);
  const one = (tag: number, absent: number) => values.get(tag)?.[0] ?? absent;
  const samples = one(tags.samples, 1);
  const bits = values.get(tags.bits) ?? [1];
  return {
    photometric: values.get(tags.photometric)?.[0],
    compression: one(tags.compression, 1),
    bits: bits.length === 1 && samples <= mostSamples ? Array<number>(samples).fill(bits[0]!) : bits.slice(0, samples),
    sampleFormats: values.get(tags.sampleFormat) ?? [1],
    extraSamples: values.get(tags.extraSamples) ?? [],
    planes: one(tags.planar, 1) === 2,
    fillOrder: one(tags.fillOrder, 1),
    orientation: one(tags.orientation, 1),
    palette: values.get(tags.palette) ?? [],
  };
}

/** The whole numbers of all tags that hold such. */
function readDirectory(bytes: Uint8Array, label: string): Map<number, number[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = bytes[0] === 0x49;
  const damaged = () =>
    new ImageError(`${label}: this TIFF file is truncated or damaged (its directory lies outside); replace the file`);
  if (bytes.length < 8) throw damaged();
  const start = view.getUint32(4, little);
  if (start + 2 > bytes.length) throw damaged();
  const count = view.getUint16(start, little);
  if (start + 2 + 12 * count > bytes.length) throw damaged();
  const values = new Map<number, number[]>();
  for (let i = 0; i < count; i++) {
    const entry = start + 2 + 12 * i;
    const tag = view.getUint16(entry, little);
    if (values.has(tag) || !Object.values(tags).some((known) => known === tag)) continue;
    const found = readValues(view, entry, little);
    if (found === undefined) throw damaged();
    values.set(tag, found);
  }
  return values;
}

/** BYTE, SHORT and LONG values of an entry; at most a palette's. */
function readValues(view: DataView, entry: number, little: boolean): number[] | undefined {
  const type = view.getUint16(entry + 2, little);
  const width = { 1: 1, 3: 2, 4: 4 }[type];
  const count = view.getUint32(entry + 4, little);
  if (width === undefined || count === 0 || count > 3 * 65_536) return undefined;
  const place = width * count <= 4 ? entry + 8 : view.getUint32(entry + 8, little);
  if (place + width * count > view.byteLength) return undefined;
  return Array.from({ length: count }, (_, i) => {
    const at = place + width * i;
    if (width === 1) return view.getUint8(at);
    return width === 2 ? view.getUint16(at, little) : view.getUint32(at, little);
  });
}

/** Numbers of the specification and names for messages. */
const compressions: Readonly<Record<number, string>> = {
  1: 'none',
  2: 'CCITT',
  3: 'CCITT group 3',
  4: 'CCITT group 4',
  5: 'LZW',
  7: 'JPEG',
  8: 'Deflate',
  32773: 'PackBits',
  32946: 'Deflate',
};

const photometrics: Readonly<Record<number, string>> = {
  0: 'grey, white is 0',
  1: 'grey',
  2: 'RGB',
  3: 'a palette',
  4: 'a mask',
  5: 'CMYK',
  6: 'YCbCr',
  8: 'CIELAB',
  9: 'ICCLAB',
  10: 'ITULAB',
};

const formatNames: Readonly<Record<number, string>> = { 1: '', 2: ' signed', 3: ' floating-point' };
const jpeg = 7;

/** Throws ImageError naming `label` and the kind of pixels when they are none whose RGB is known to be Pillow's. */
export function checkTiffPixels(header: TiffHeader, label: string): void {
  if (isPromised(header)) return;
  const { photometric, bits, sampleFormats, compression, planes } = header;
  const colours = photometrics[photometric ?? -1] ?? `of an unknown kind (${photometric ?? 'not said'})`;
  const format = formatNames[sampleFormats[0]!] ?? ` format ${sampleFormats[0]}`;
  const packing = compressions[compression] ?? `number ${compression}`;
  throw new ImageError(
    `${label}: this TIFF file has pixels that are not supported (${colours}, ${bits.slice(0, mostSamples).join('+')} bits${format}` +
      `${planes ? ' in planes' : ''}, compression ${packing}); convert the file to PNG`,
  );
}

function isPromised(header: TiffHeader): boolean {
  const { compression, bits, fillOrder, photometric } = header;
  if (compressions[compression] === undefined) return false;
  if (compression >= 2 && compression <= 4 && !(bits.length === 1 && bits[0] === 1)) return false;
  if (new Set(header.sampleFormats).size > 1 || new Set(bits).size > 1) return false;
  if (fillOrder !== 1 && !(fillOrder === 2 && bits[0]! <= 8)) return false;
  switch (photometric) {
    case 0:
    case 1:
      return isPromisedGrey(header);
    case 2:
      return isPromisedRgb(header);
    case 3:
      return isPromisedPalette(header);
    case 5:
      return isUnsigned(header, [8]) && bits.length === 4 && header.extraSamples.length === 0;
    case 6:
      // Only a JPEG decoder turns these into RGB; Pillow takes the others' samples as they are.
      return compression === jpeg && isUnsigned(header, [8]) && bits.length === 3 && !header.planes;
    default:
      return false;
  }
}

function isUnsigned({ sampleFormats, bits }: TiffHeader, allowed: readonly number[]): boolean {
  return sampleFormats[0] === 1 && allowed.includes(bits[0]!);
}

const plainAlpha = 2;

function isPromisedGrey(header: TiffHeader): boolean {
  const { bits, extraSamples, photometric, planes, sampleFormats } = header;
  if (bits.length === 2) {
    const alpha = extraSamples.length === 1 && extraSamples[0] === plainAlpha;
    return photometric === 1 && isUnsigned(header, [8]) && alpha && !planes;
  }
  if (bits.length !== 1 || extraSamples.length > 0) return false;
  if (isUnsigned(header, [1, 2, 4, 8])) return true;
  if (bits[0] === 16) return isUnsigned(header, [16]) && photometric === 1;
  return bits[0] === 32 && (sampleFormats[0] === 3 || (sampleFormats[0] === 2 && photometric === 1));
}

function isPromisedRgb(header: TiffHeader): boolean {
  const { bits, extraSamples, planes } = header;
  const [extra = plainAlpha, ...others] = extraSamples;
  const known = [0, 1, plainAlpha].includes(extra) && others.every((other) => other === 0);
  if (!known || bits.length < 3 || bits.length > 6) return false;
  if (extraSamples.length !== bits.length - 3 && !(extraSamples.length === 0 && bits.length === 4)) return false;
  if (isUnsigned(header, [8])) return true;
  return isUnsigned(header, [16]) && bits.length <= 4 && extra !== 1 && !planes;
}

function isPromisedPalette(header: TiffHeader): boolean {
  const { bits, extraSamples, palette } = header;
  if (!isUnsigned(header, bits.length === 1 ? [1, 2, 4, 8] : [8])) return false;
  if (bits.length > 1 && !(bits.length === 2 && extraSamples[0] === plainAlpha && !header.planes)) return false;
  // Some writers put bytes where the specification wants 16 bits; Pillow takes such a palette as black.
  return palette.length === 3 << bits[0]! && palette.some((value) => value > 255);
}

/** Whether the samples are 16-bit grey, which Pillow clips at 255. */
export function isGrey16({ photometric, bits }: TiffHeader): boolean {
  return photometric === 1 && bits.length === 1 && bits[0] === 16;
}

/**
 * Turns stored rows and columns into the picture's, as Pillow does for TIFF (and for no other format when asked only to open
 * it). `orientation` is the tag's value: 1 is as stored, 5 to 8 exchange width and height.
 */
export function orient(image: RgbImage, orientation: number): RgbImage {
  if (!(orientation >= 2 && orientation <= 8)) return image;
  const { width, height, data } = image;
  const turned = orientation >= 5;
  const [newWidth, newHeight] = turned ? [height, width] : [width, height];
  const mirroredColumns = [2, 3, 7, 8].includes(orientation);
  const mirroredRows = [3, 4, 6, 7].includes(orientation);
  const target = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < newHeight; y++) {
    for (let x = 0; x < newWidth; x++, to += 3) {
      const [column, row] = turned ? [y, x] : [x, y];
      const from =
        ((mirroredRows ? height - 1 - row : row) * width + (mirroredColumns ? width - 1 - column : column)) * 3;
      target[to] = data[from]!;
      target[to + 1] = data[from + 1]!;
      target[to + 2] = data[from + 2]!;
    }
  }
  return { width: newWidth, height: newHeight, data: target };
}
