/**
 * Image files to RGB bytes in Node, by sharp, with the pixels that `PIL.Image.open(file).convert('RGB')` gives: alpha is
 * dropped, EXIF orientation and colour profiles are ignored, CMYK becomes RGB by Pillow's integer formula. JPEG, PNG and
 * WebP are promised; GIF (first frame), TIFF and AVIF are passed on to sharp as they are.
 */
import { readFile, stat } from 'node:fs/promises';
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { ImageError } from './errors.js';
import { systemPath } from './fileNames.js';
import type { RgbImage } from './image.js';

/** Larger files are refused unread. */
export const maximumImageBytes = 256 * 1024 * 1024;

/** Larger images are refused by their header, undecoded. Pillow refuses the same: twice its MAX_IMAGE_PIXELS. */
export const maximumImagePixels = 178_956_970;

type Format = 'JPEG' | 'PNG' | 'WebP' | 'GIF' | 'TIFF' | 'AVIF';

/**
 * One image from a path or from the bytes of a file; `name` stands for bytes in messages. Throws ImageError naming the
 * file when it is missing, a folder, empty, larger than 256 MiB or 178,956,970 pixels, of another format, truncated or
 * damaged. 16-bit RGB and grey-alpha keep their high bytes; 16-bit grey PNGs are clipped at 255, which is Pillow's way.
 */
export async function decodeImage(pathOrBytes: string | Uint8Array, name?: string): Promise<RgbImage> {
  const fromPath = typeof pathOrBytes === 'string';
  const label = name ?? (fromPath ? pathOrBytes : 'image data');
  const bytes = fromPath ? await readImageFile(pathOrBytes, label) : pathOrBytes;
  checkByteCount(bytes.length, label);
  const format = formatOf(bytes, label);
  const source = toBuffer(bytes);
  try {
    const header = await sharp(source, readingOptions).metadata();
    checkDimensions(header, label);
    return await decodeAs(pixelKindOf(source, format, header), sharp(source, readingOptions));
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(
      `${label}: this ${format} file is truncated or damaged (${reasonOf(error)}); replace the file`,
      {
        cause: error,
      },
    );
  }
}

/** Errors but not warnings stop the reading: Pillow too decodes JPEGs with stray bytes between their segments. */
const readingOptions: SharpOptions = { failOn: 'error', ignoreIcc: true, limitInputPixels: false };

async function readImageFile(path: string, label: string): Promise<Uint8Array> {
  try {
    const place = systemPath(path);
    const status = await stat(place);
    if (status.isDirectory()) throw new ImageError(`${label}: is a folder; pass the path of one image file`);
    if (!status.isFile()) throw new ImageError(`${label}: is not a regular file; pass the path of an image file`);
    checkByteCount(status.size, label);
    return await readFile(place);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(`${label}: cannot be read (${reasonOf(error)}); check the path and its permissions`, {
      cause: error,
    });
  }
}

function checkByteCount(count: number, label: string): void {
  if (count === 0) throw new ImageError(`${label}: is empty; an image file was expected`);
  if (count > maximumImageBytes) {
    throw new ImageError(
      `${label}: has ${count} bytes, more than the ${maximumImageBytes} allowed; scale the image down`,
    );
  }
}

function checkDimensions(header: Metadata, label: string): void {
  const { width, height } = header;
  if (!(width > 0 && height > 0)) {
    throw new ImageError(`${label}: its header says ${width} x ${height} pixels; both sides must be at least 1`);
  }
  if (width * height > maximumImagePixels) {
    throw new ImageError(
      `${label}: its header says ${width} x ${height} pixels, more than the ${maximumImagePixels} allowed; scale the image down`,
    );
  }
}

/** By signature alone, so that nothing but these formats ever reaches a decoder (SVG, for one, does not). */
function formatOf(bytes: Uint8Array, label: string): Format {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  if (start.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'PNG';
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) return 'WebP';
  if (start.startsWith('GIF87a') || start.startsWith('GIF89a')) return 'GIF';
  if (start.startsWith('II*\0') || start.startsWith('MM\0*')) return 'TIFF';
  if (start.endsWith('ftypavif') || start.endsWith('ftypavis')) return 'AVIF';
  const shown = start.slice(0, 8).replace(/[^\x20-\x7e]/g, '.');
  throw new ImageError(
    `${label}: begins with "${shown}", which no known image does; JPEG, PNG, WebP, GIF, TIFF or AVIF was expected`,
  );
}

/** sharp cannot read memory that is shared between threads. */
function toBuffer(bytes: Uint8Array): Buffer {
  return bytes.buffer instanceof ArrayBuffer
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    : Buffer.from(bytes);
}

type PixelKind = 'colour' | 'cmyk' | 'grey, clipped' | 'grey, high byte';

function pixelKindOf(source: Buffer, format: Format, header: Metadata): PixelKind {
  if (header.space === 'cmyk') return 'cmyk';
  if (format !== 'PNG' || header.space !== 'grey16') return 'colour';
  // Byte 25 of a PNG is its colour type: 0 is grey alone (which may still have a transparent value), 4 is grey with alpha.
  return source[25] === 4 ? 'grey, high byte' : 'grey, clipped';
}

function decodeAs(kind: PixelKind, image: Sharp): Promise<RgbImage> {
  switch (kind) {
    case 'colour':
      return decodeColour(image);
    case 'cmyk':
      return decodeCmyk(image);
    case 'grey, clipped':
      return decodeGrey16(image, (value) => Math.min(value, 255));
    case 'grey, high byte':
      return decodeGrey16(image, (value) => value >> 8);
  }
}

async function decodeColour(image: Sharp): Promise<RgbImage> {
  const { data, info } = await image.removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
  };
}

async function decodeCmyk(image: Sharp): Promise<RgbImage> {
  const inCmyk = image.pipelineColourspace('cmyk').toColourspace('cmyk');
  const { data: cmyk, info } = await inCmyk.raw().toBuffer({ resolveWithObject: true });
  const data = new Uint8Array(info.width * info.height * 3);
  for (let pixel = 0; pixel < info.width * info.height; pixel++) {
    const light = 255 - cmyk[pixel * info.channels + 3]!;
    for (let c = 0; c < 3; c++) data[pixel * 3 + c] = light - timesFraction(cmyk[pixel * info.channels + c]!, light);
  }
  return { width: info.width, height: info.height, data };
}

/** a * b / 255, rounded to the nearest whole number, for bytes a and b. */
function timesFraction(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

async function decodeGrey16(image: Sharp, toByte: (value: number) => number): Promise<RgbImage> {
  const inGrey = image.removeAlpha().pipelineColourspace('grey16').toColourspace('grey16');
  const { data: raw, info } = await inGrey.raw({ depth: 'ushort' }).toBuffer({ resolveWithObject: true });
  const values = new Uint16Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
  const data = new Uint8Array(info.width * info.height * 3);
  for (let pixel = 0; pixel < info.width * info.height; pixel++) {
    data.fill(toByte(values[pixel * info.channels]!), pixel * 3, pixel * 3 + 3);
  }
  return { width: info.width, height: info.height, data };
}

/** The first line of what another library or the system said. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0]!.trim();
}
