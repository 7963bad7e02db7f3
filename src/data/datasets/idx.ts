/**
 * MNIST and the data sets in its format (Fashion-MNIST and others): idx files as LeCun describes them, a big-endian header and
 * unsigned bytes, plain or gzip. Images are grey and stay so in memory; they are read out with three equal channels.
 */
import { join } from 'node:path';
import { DataError } from '../errors.js';
import { type ByteReader, openBytes } from './byteReader.js';
import { type LabelledImages, labelledImages } from './images.js';
import type { Split } from './layout.js';
import { sharedBytes } from './sharedBytes.js';

const imagesMagic = 0x00000803;
const labelsMagic = 0x00000801;
const largestSide = 1024;
const largestContent = 2 * 2 ** 30;

const digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
/** In the order of their labels (Xiao, Rasul and Vollgraf 2017). */
const fashion = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

/** The names of a split's two files in a folder, or undefined when they are not both there. */
export function idxFiles(names: readonly string[], split: Split): { images: string; labels: string } | undefined {
  const prefix = split === 'train' ? 'train' : 't10k';
  // Sorted: of a file and its compressed form the file.
  const sorted = [...names].sort();
  const find = (kind: string) => sorted.find((name) => new RegExp(`^${prefix}-${kind}-ubyte(\\.gz)?$`).test(name));
  const images = find('images[-.]idx3');
  const labels = find('labels[-.]idx1');
  return images !== undefined && labels !== undefined ? { images, labels } : undefined;
}

/**
 * A split of a folder of idx files. `classes` gives the names in the order of the labels; without it they are digits, or
 * Fashion-MNIST's when the folder is named after it. Throws DataError naming the file when a header is not that of an idx
 * file of bytes, states other sizes than the file has, or the counts of images and labels differ.
 */
export async function openIdx(
  directory: string,
  files: { readonly images: string; readonly labels: string },
  split: Split,
  classes?: readonly string[],
): Promise<LabelledImages> {
  const images = await readIdx(join(directory, files.images), imagesMagic);
  const labels = await readIdx(join(directory, files.labels), labelsMagic);
  const [count, height, width] = images.sizes;
  if (labels.sizes[0] !== count) {
    throw new DataError(
      `${join(directory, files.labels)}: has ${labels.sizes[0]} labels for the ${count} images of ${files.images}`,
    );
  }
  return labelledImages({
    name: `${directory} (${split})`,
    classes: classes ?? (/fashion/i.test(directory) ? fashion : digits),
    labels: Int32Array.from(labels.content),
    store: { kind: 'pixels', height: height!, width: width!, channels: 1, pixels: images.content },
  });
}

interface IdxArray {
  readonly sizes: readonly number[];
  /** In memory shared between threads. */
  readonly content: Uint8Array;
}

async function readIdx(path: string, magic: number): Promise<IdxArray> {
  const reader = await openBytes(path);
  try {
    return await parseIdx(reader, magic);
  } finally {
    await reader.close();
  }
}

async function parseIdx(reader: ByteReader, magic: number): Promise<IdxArray> {
  const found = (await reader.take(4, 'the idx header')).readUInt32BE();
  if (found !== magic) {
    throw new DataError(
      `${reader.name}: begins with ${hexadecimal(found)}; an idx file with ${hexadecimal(magic)} was expected`,
    );
  }
  const rank = magic & 255;
  const header = await reader.take(4 * rank, 'the idx header');
  const sizes = Array.from({ length: rank }, (_, axis) => header.readUInt32BE(4 * axis));
  const length = sizes.reduce((product, size) => product * size, 1);
  if (length < 1 || length > largestContent || sizes.slice(1).some((size) => size > largestSide)) {
    throw new DataError(
      `${reader.name}: its header says ${sizes.join(' x ')} bytes; at least 1, at most ${largestContent}, and sides of at most ${largestSide} are supported`,
    );
  }
  const missing = reader.offset + length - reader.mostBytes;
  if (missing > 0) {
    throw new DataError(
      `${reader.name}: ends after ${reader.mostBytes} bytes, ${missing} bytes before the end of the values that its header announces; the file is truncated, fetch it again`,
    );
  }
  const content = sharedBytes(length, reader.name);
  await reader.fill(content, 'the values that its header announces');
  if (!(await reader.atEnd())) {
    throw new DataError(
      `${reader.name}: goes on after the ${length} bytes that its header announces; the file is damaged`,
    );
  }
  return { sizes, content };
}

function hexadecimal(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
