/**
 * CIFAR-10 and CIFAR-100 in the "binary version" of Krizhevsky (2009): records of label bytes and three planes of 32 x 32 bytes,
 * red, green, blue, in files of fixed names. Not the pickled Python version.
 */
import { DataError } from '../errors.js';
import { type Dataset, datasetOf } from './dataset.js';
import type { Split } from './layout.js';

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

/**
 * The data set in files with these names (without folders) and contents. Class names come from the names file beside the data;
 * without it CIFAR-10 has its published names and CIFAR-100 numbers. Throws DataError naming the file when it does not
 * consist of whole records or a label is too large, and when the split is absent.
 */
export function cifarDataset(files: ReadonlyMap<string, Uint8Array>, split: Split, source: string): Dataset {
  const variant = variantOf([...files.keys()]);
  const names = [...files.keys()].filter((name) => variant?.files[split].test(name)).sort(byNumber);
  if (variant === undefined || names.length === 0) {
    throw new DataError(
      `${source}: holds no ${split} images of CIFAR; expected ${split === 'train' ? 'data_batch_1.bin … or train.bin' : 'test_batch.bin or test.bin'}`,
    );
  }
  const counts = names.map((name) => recordCount(files.get(name)!, variant, `${source}/${name}`));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const pixels = new Uint8Array(new SharedArrayBuffer(total * imageBytes));
  const labels = new Int32Array(total);
  let first = 0;
  for (const [i, name] of names.entries()) {
    readRecords(files.get(name)!, variant, first, pixels, labels, `${source}/${name}`);
    first += counts[i]!;
  }
  return datasetOf({
    name: `${source} (${split})`,
    classes: classNames(files.get(variant.namesFile), variant, source),
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

function recordCount(bytes: Uint8Array, { labelBytes }: Variant, path: string): number {
  const record = labelBytes + imageBytes;
  if (bytes.length === 0 || bytes.length % record !== 0) {
    throw new DataError(
      `${path}: has ${bytes.length} bytes, which is no whole number of records of ${record} bytes; fetch the file again`,
    );
  }
  return bytes.length / record;
}

function readRecords(
  bytes: Uint8Array,
  { classCount, labelBytes }: Variant,
  first: number,
  pixels: Uint8Array,
  labels: Int32Array,
  path: string,
): void {
  const record = labelBytes + imageBytes;
  for (let i = 0; i < bytes.length / record; i++) {
    const label = bytes[i * record + labelBytes - 1]!;
    if (label >= classCount) {
      throw new DataError(`${path}: record ${i} has the label ${label}; expected 0 to ${classCount - 1}`);
    }
    labels[first + i] = label;
    interleave(bytes, i * record + labelBytes, pixels, (first + i) * imageBytes);
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
