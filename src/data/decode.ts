/**
 * Image files to RGB bytes in Node, by sharp, with the pixels that `PIL.Image.open(file).convert('RGB')` gives: alpha is
 * dropped, EXIF orientation and colour profiles are ignored (TIFF's orientation is not), CMYK becomes RGB by Pillow's integer
 * formula. JPEG, PNG, WebP, the first picture of a GIF and the usual kinds of TIFF are promised; AVIF is passed on as sharp has it.
 */
import { readFile, stat } from 'node:fs/promises';
import sharp, { type Metadata, type SharpOptions } from 'sharp';
import { decodingBytes, type ImageFormat } from './decodingMemory.js';
import { decodingRules, noteDamaged } from './decodingRules.js';
import { stoppingInTime, wasStopped, withinTime } from './decodingTime.js';
import { ImageError } from './errors.js';
import { systemPath } from './fileNames.js';
import { decodeGif, type GifHeader, readGifHeader } from './gif.js';
import type { RgbImage } from './image.js';
import { isHarmless, type JpegStructure, walkJpeg, withoutStrays } from './jpegMarkers.js';
import { memoryBudget } from './memoryBudget.js';
import { decodeAs, type PixelKind } from './pixels.js';
import { completePng, filledPng } from './pngTail.js';
import type { Size } from './resize.js';
import { checkTiffPixels, isGrey16, orient, readTiffHeader, type TiffHeader } from './tiff.js';

/** Larger files are refused unread. */
export const maximumImageBytes = 256 * 1024 * 1024;

/** Larger images are refused by their header, undecoded. Pillow refuses the same: twice its MAX_IMAGE_PIXELS. */
export const maximumImagePixels = 178_956_970;

/**
 * One image from a path or from the bytes of a file; `name` stands for bytes in messages. Throws ImageError naming the
 * file when it is missing, a folder, empty, larger than 256 MiB or 178,956,970 pixels, of another format, truncated or
 * damaged, or takes too long; DataError when it would take more memory than is allowed for data. 16-bit RGB and grey-alpha
 * keep their high bytes; 16-bit grey is clipped at 255, which is Pillow's way.
 */
export async function decodeImage(pathOrBytes: string | Uint8Array, name?: string): Promise<RgbImage> {
  const fromPath = typeof pathOrBytes === 'string';
  const label = name ?? (fromPath ? pathOrBytes : 'image data');
  const bytes = fromPath ? await readImageFile(pathOrBytes, label) : pathOrBytes;
  checkByteCount(bytes.length, label);
  const format = formatOf(bytes, label);
  const image = await inspect(toBuffer(bytes), format, label);
  checkDimensions(image, label);
  const free = await memoryBudget().reserve(bytesNeeded(image), label);
  return withinTime(label, () => decodeInspected(image), free);
}

/**
 * Width and height of an image as its header says, undecoded; `name` stands for the bytes in messages. What stands in them is the file's, as
 * {@link decodeImage} gives it, but for TIFF's orientation. Throws ImageError as {@link decodeImage} does before it decodes.
 */
export async function imageSize(bytes: Uint8Array, name: string): Promise<Size> {
  checkByteCount(bytes.length, name);
  const image = await inspect(toBuffer(bytes), formatOf(bytes, name), name);
  checkDimensions(image, name);
  return { width: image.width, height: image.height };
}

/**
 * Width and height that {@link decodeImage} would give, from the file's header. Throws ImageError as there; damage behind the header is not seen.
 */
export async function readImageSize(path: string): Promise<Size> {
  const bytes = await readImageFile(path, path);
  const { width, height } = await imageSize(bytes, path);
  const orientation = formatOf(bytes, path) === 'TIFF' ? readTiffHeader(toBuffer(bytes), path).orientation : 1;
  return orientation >= 5 && orientation <= 8 ? { width: height, height: width } : { width, height };
}

/** What is known of an image before its pixels are decoded. */
interface InspectedImage {
  readonly label: string;
  readonly source: Buffer;
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly bitsPerSample: number;
  readonly progressive: boolean;
  readonly kind: PixelKind;
  readonly jpeg?: JpegStructure;
  readonly tiff?: TiffHeader;
  readonly gif?: GifHeader;
}

async function inspect(source: Buffer, format: ImageFormat, label: string): Promise<InspectedImage> {
  if (format === 'JPEG') return inspectJpeg(source, label);
  if (format === 'GIF') return inspectGif(source, label);
  const tiff = format === 'TIFF' ? readTiffHeader(source, label) : undefined;
  // Before the decoder sees it: some kinds of pixels keep it busy for ever.
  if (tiff) checkTiffPixels(tiff, label);
  const header = await sharp(source, { ...readingOptions, failOn: 'error' })
    .metadata()
    .catch(async (error: unknown) => {
      if (!decodingRules().tolerateDamaged) throw damaged(label, format, error);
      return sharp(source, { ...readingOptions, failOn: 'none' }).metadata();
    })
    .catch((error: unknown) => {
      throw error instanceof ImageError ? error : damaged(label, format, error);
    });
  const { width, height, channels, bitsPerSample, isProgressive } = header;
  const sizes = { width, height, channels, bitsPerSample: bitsPerSample ?? bitsOf(header), progressive: isProgressive };
  const kind = pixelKindOf(source, format, header, tiff);
  return { label, source, format, kind, ...sizes, ...(tiff ? { tiff } : {}) };
}

function bitsOf({ depth }: Metadata): number {
  if (depth === 'uchar' || depth === 'char') return 8;
  return depth === 'ushort' || depth === 'short' ? 16 : 32;
}

/** The markers say all that is needed, and are walked in any case: asking the decoder would cost small images more. */
function inspectJpeg(source: Buffer, label: string): InspectedImage {
  const jpeg = walkJpeg(source);
  if (jpeg.components === 0) throw damaged(label, 'JPEG', new Error(jpeg.damage ?? 'it has no frame'));
  const { width, height, components, severalScans } = jpeg;
  const kind = components === 4 ? 'cmyk' : 'colour';
  const sizes = { width, height, channels: components, bitsPerSample: 8, progressive: severalScans };
  return { label, source, format: 'JPEG', kind, ...sizes, jpeg };
}

function inspectGif(source: Buffer, label: string): InspectedImage {
  try {
    const gif = readGifHeader(source);
    const sizes = { width: gif.width, height: gif.height, channels: 1, bitsPerSample: 8, progressive: false };
    return { label, source, format: 'GIF', kind: 'colour', ...sizes, gif };
  } catch (error) {
    throw damaged(label, 'GIF', error, false);
  }
}

const readingOptions = { ignoreIcc: true, limitInputPixels: false } satisfies SharpOptions;

function bytesNeeded({ source, channels, jpeg, ...shape }: InspectedImage): number {
  return decodingBytes({ ...shape, channels: jpeg?.samplesPerPixel ?? channels, fileBytes: source.length });
}

type Strictness = NonNullable<SharpOptions['failOn']>;

async function decodeInspected(image: InspectedImage): Promise<RgbImage> {
  const { label, format, jpeg } = image;
  try {
    if (jpeg) return await decodeJpeg(image, jpeg);
    return await decodeWhole(image);
  } catch (error) {
    if (wasStopped(error)) throw error;
    if (!decodingRules().tolerateDamaged) throw damaged(label, format, error);
    noteDamaged([label]);
    return await decodeRemains(image).catch((reason: unknown) => {
      throw wasStopped(reason) ? reason : damaged(label, format, reason, false);
    });
  }
}

/** What is left of a damaged image. Of a PNG cut off in its first chunk of pixels libspng gives nothing, though rows are there. */
async function decodeRemains(image: InspectedImage): Promise<RgbImage> {
  try {
    return await decode(image, image.source, 'none');
  } catch (error) {
    const filled = image.format === 'PNG' && !wasStopped(error) ? await filledPng(image.source) : undefined;
    if (filled === undefined) throw error;
    return decode(image, filled, 'none');
  }
}

/** Warnings count, since libjpeg only warns of garbage in a scan; but not those that leave the pixels as they are. */
async function decodeJpeg(image: InspectedImage, jpeg: JpegStructure): Promise<RgbImage> {
  if (jpeg.damage !== undefined) throw new Error(jpeg.damage);
  const source = jpeg.strays.length > 0 ? withoutStrays(image.source, jpeg.strays) : image.source;
  try {
    return await decode(image, source, 'warning');
  } catch (error) {
    if (wasStopped(error) || !isHarmless(reasonOf(error))) throw error;
    return decode(image, source, 'error');
  }
}

async function decodeWhole(image: InspectedImage): Promise<RgbImage> {
  try {
    return await decode(image, image.source, 'error');
  } catch (error) {
    const completed = image.format === 'PNG' && !wasStopped(error) ? await completePng(image.source) : undefined;
    if (completed === undefined) throw error;
    return decode(image, completed, 'error');
  }
}

async function decode({ kind, tiff, gif }: InspectedImage, source: Buffer, failOn: Strictness): Promise<RgbImage> {
  if (gif) {
    const { image, damage } = decodeGif(source, gif);
    if (damage !== undefined && failOn !== 'none') throw new Error(damage);
    return image;
  }
  const stored = await decodeAs(kind, stoppingInTime(sharp(source, { ...readingOptions, failOn })));
  return tiff ? orient(stored, tiff.orientation) : stored;
}

function damaged(label: string, format: ImageFormat, cause: unknown, canTolerate = true): ImageError {
  const remedy = canTolerate
    ? 'replace the file, or take what is left of it with --tolerate-damaged'
    : 'replace the file';
  // libvips keeps its messages in one place for all threads, where another decode may have taken this one's.
  const reason = reasonOf(cause).replace(/^Unknown error$/, 'it cannot be decoded');
  return new ImageError(`${label}: this ${format} file is truncated or damaged (${reason}); ${remedy}`, { cause });
}

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

function checkDimensions({ width, height }: InspectedImage, label: string): void {
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
function formatOf(bytes: Uint8Array, label: string): ImageFormat {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  if (start.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'PNG';
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) return 'WebP';
  if (start.startsWith('GIF87a') || start.startsWith('GIF89a')) return 'GIF';
  if (start.startsWith('II*\0') || start.startsWith('MM\0*')) return 'TIFF';
  if (start.endsWith('ftypavif') || start.endsWith('ftypavis')) return 'AVIF';
  const shown = start.slice(0, 8).replace(/[^\x20-\x7e]/g, '.');
  throw new ImageError(
    `${label}: begins with "${shown}", unlike any known image format; JPEG, PNG, WebP, GIF, TIFF or AVIF was expected`,
  );
}

/** sharp cannot read memory that is shared between threads. */
function toBuffer(bytes: Uint8Array): Buffer {
  return bytes.buffer instanceof ArrayBuffer
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    : Buffer.from(bytes);
}

function pixelKindOf(source: Buffer, format: ImageFormat, header: Metadata, tiff: TiffHeader | undefined): PixelKind {
  if (header.space === 'cmyk') return 'cmyk';
  if (tiff) return isGrey16(tiff) ? 'grey, clipped' : 'colour';
  if (format !== 'PNG' || header.space !== 'grey16') return 'colour';
  // Byte 25 of a PNG is its colour type: 0 is grey alone (which may still have a transparent value), 4 is grey with alpha.
  return source[25] === 4 ? 'grey, high byte' : 'grey, clipped';
}

/** The first line of what another library or the system said. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // Node ends with the call and the path, which the message begins with.
  return text
    .replace(/^(E[A-Z]+: .*?), [a-z]+( '.*')?$/s, '$1')
    .split('\n')[0]!
    .trim();
}
