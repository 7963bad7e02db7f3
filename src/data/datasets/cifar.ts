/**
 * CIFAR-10 and CIFAR-100 in the "binary version" of Krizhevsky (2009): records of label bytes and three planes of 32 x 32 bytes,
 * red, green, blue, in files of fixed names. Not the pickled Python version.
 */
import { DataError } from '../errors.js';
import { type LabelledImages, labelledImages } from './images.js';
import type { Split } from './layout.js';
import { sharedBytes } from './sharedBytes.js';

const side = 32;
const area = side * side;
const imageBytes = 3 * area;

interface Variant {
  readonly classCount: number;
  /** Bytes before the planes; the last of them is the label. */
  readonly labelBytes: number;
  readonly namesFile: string;
  readonly files: Record<Split, RegExp>;
}

const cifar10: Variant = {
  classCount: 10,
  labelBytes: 1,
  namesFile: 'batches.meta.txt',
  files: { train: /^data_batch_\d+\.bin$/, test: /^test_batch\.bin$/ },
};

/** A coarse label (of 20) comes first and is not used. */
const cifar100: Variant = {
  classCount: 100,
  labelBytes: 2,
  namesFile: 'fine_label_names.txt',
  files: { train: /^train\.bin$/, test: /^test\.bin$/ },
};

const cifar10Classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

/** Whether a file of this name belongs to one of the two data sets. */
export function isCifarFile(name: string): boolean {
  return [cifar10, cifar100].some(
    ({ files, namesFile }) => files.train.test(name) || files.test.test(name) || name === namesFile,
  );
}

/** Whether there are images among files of these names. */
export function holdsCifar(names: readonly string[]): boolean {
  return variantOf(names) !== undefined;
}

/** Whether a file of this name belongs to the "Python version", which consists of pickles. */
export function isPickledCifar(name: string): boolean {
  return /^(data_batch_\d+|test_batch|batches\.meta)$/.test(name);
}

/** Whether these files, side by side, are one of the data sets in its Python version. */
export function holdsPickledCifar(names: readonly string[]): boolean {
  return (
    names.some((name) => /^data_batch_\d+$/.test(name)) ||
    ['train', 'test', 'meta'].every((name) => names.includes(name))
  );
}

/** The error for a folder or an archive of the Python version. */
export function pickledCifar(source: string): DataError {
  return new DataError(
    `${source}: holds CIFAR's Python version, whose pickles are not read here; fetch the "binary version" (cifar-10-binary.tar.gz or cifar-100-binary.tar.gz) from https://www.cs.toronto.edu/~kriz/cifar.html`,
  );
}

/** Reads the next bytes of a file into `target`. */
export type Fill = (target: Uint8Array) => Promise<void>;

/** Calls back for each of these files once, in any order, with what reads it from its start. */
export type ReadFiles = (names: readonly string[], visit: (name: string, fill: Fill) => Promise<void>) => Promise<void>;

/** Longer lists of class names are none of ours. */
const longestNamesFile = 2 ** 16;

/**
 * The data set in files with these names (without folders) and sizes. Class names come from the names file beside the data;
 * without it CIFAR-10 has its published names and CIFAR-100 numbers. Throws DataError naming the file when it does not
 * consist of whole records or a label is too large, and when the split is absent.
 */
export async function cifarDataset(
  sizes: ReadonlyMap<string, number>,
  split: Split,
  source: string,
  readFiles: ReadFiles,
): Promise<LabelledImages> {
  const variant = variantOf([...sizes.keys()]);
  const names = [...sizes.keys()].filter((name) => variant?.files[split].test(name)).sort(byNumber);
  if (variant === undefined || names.length === 0) {
    throw new DataError(
      `${source}: holds no ${split} images of CIFAR; expected ${split === 'train' ? 'data_batch_1.bin … or train.bin' : 'test_batch.bin or test.bin'}`,
    );
  }
  const firsts = new Map<string, number>();
  let total = 0;
  for (const name of names) {
    firsts.set(name, total);
    total += recordCount(sizes.get(name)!, variant, `${source}/${name}`);
  }
  const namesLength = Math.min(sizes.get(variant.namesFile) ?? -1, longestNamesFile);
  const namesBytes = new Uint8Array(Math.max(0, namesLength));
  const pixels = sharedBytes(total * imageBytes, `${source}: its ${total} images`);
  const labels = new Int32Array(total);
  await readFiles(namesLength < 0 ? names : [...names, variant.namesFile], async (name, fill) => {
    if (name === variant.namesFile) return fill(namesBytes);
    const count = recordCount(sizes.get(name)!, variant, `${source}/${name}`);
    const into = { pixels, labels, first: firsts.get(name)! };
    return readRecords(fill, count, variant, into, `${source}/${name}`);
  });
  return labelledImages({
    name: `${source} (${split})`,
    classes: classNames(namesLength < 0 ? undefined : namesBytes, variant, source),
    labels,
    store: { kind: 'pixels', height: side, width: side, channels: 3, pixels },
  });
}

function variantOf(names: readonly string[]): Variant | undefined {
  return [cifar10, cifar100].find(({ files }) => names.some((name) => files.train.test(name) || files.test.test(name)));
}

/** data_batch_10 comes after data_batch_9. */
function byNumber(a: string, b: string): number {
  return Number(/\d+/.exec(a)?.[0] ?? 0) - Number(/\d+/.exec(b)?.[0] ?? 0);
}

function recordCount(size: number, { labelBytes }: Variant, path: string): number {
  const record = labelBytes + imageBytes;
  if (size === 0 || size % record !== 0) {
    throw new DataError(
      `${path}: has ${size} bytes, not a whole number of records of ${record} bytes; fetch the file again`,
    );
  }
  return size / record;
}

const recordsAtATime = 256;

/** Some records at a time, so that the file is never in memory beside its images. */
async function readRecords(
  fill: Fill,
  count: number,
  { classCount, labelBytes }: Variant,
  { pixels, labels, first }: { readonly pixels: Uint8Array; readonly labels: Int32Array; readonly first: number },
  path: string,
): Promise<void> {
  const record = labelBytes + imageBytes;
  const buffer = new Uint8Array(record * Math.min(count, recordsAtATime));
  for (let i = 0; i < count; i++) {
    const at = (i % recordsAtATime) * record;
    if (at === 0) await fill(buffer.subarray(0, record * Math.min(count - i, recordsAtATime)));
    const label = buffer[at + labelBytes - 1]!;
    if (label >= classCount) {
      throw new DataError(`${path}: record ${i} has the label ${label}; expected 0 to ${classCount - 1}`);
    }
    labels[first + i] = label;
    interleave(buffer, at + labelBytes, pixels, (first + i) * imageBytes);
  }
}

function interleave(planes: Uint8Array, from: number, pixels: Uint8Array, to: number): void {
  for (let pixel = 0; pixel < area; pixel++) {
    pixels[to + pixel * 3] = planes[from + pixel]!;
    pixels[to + pixel * 3 + 1] = planes[from + area + pixel]!;
    pixels[to + pixel * 3 + 2] = planes[from + 2 * area + pixel]!;
  }
}

function classNames(bytes: Uint8Array | undefined, { classCount, namesFile }: Variant, source: string) {
  if (bytes === undefined)
    return classCount === 10 ? cifar10Classes : Array.from({ length: classCount }, (_, i) => `${i}`);
  const lines = new TextDecoder().decode(bytes).split(/\r?\n/);
  const names = lines.map((line) => line.trim()).filter((line) => line !== '');
  if (names.length !== classCount) {
    throw new DataError(`${source}/${namesFile}: names ${names.length} classes; expected ${classCount}`);
  }
  return names;
}
