/**
 * A labelled set of images behind one interface, whatever it was read from, and its deterministic parts. Where the images
 * are is described by plain data that threads can share; reading one is the same function in every thread.
 */
import { UsageError } from '../../errors.js';
import { randomFor, shuffle } from '../augment/seed.js';
import { decodeImage } from '../decode.js';
import { DataError } from '../errors.js';
import type { RgbImage } from '../image.js';

/** Decoded images of one size: uint8 [N, H, W, channels], in memory shared between threads. */
export interface PixelStore {
  readonly kind: 'pixels';
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

/** Image files one after the other in memory shared between threads; file i ends where `ends[i]` says. */
export interface EncodedStore {
  readonly kind: 'encoded';
  readonly bytes: Uint8Array;
  readonly ends: Float64Array;
  /** What messages call the files. */
  readonly names: readonly string[];
}

/** Image files on disk. */
export interface FileStore {
  readonly kind: 'files';
  readonly paths: readonly string[];
}

/** Where the images of a data set are. It can be sent to another thread. */
export type ImageStore = PixelStore | EncodedStore | FileStore;

/** A labelled set of images. */
export interface Dataset {
  readonly name: string;
  /** Class names; a label is an index into them. */
  readonly classes: readonly string[];
  readonly size: number;
  /** Height and width when every image has the same and they are known without decoding. */
  readonly imageSize: readonly [height: number, width: number] | null;
  readonly store: ImageStore;
  /** The class number of image i. Throws UsageError when there is no such image. */
  label(i: number): number;
  /** Image i. Throws ImageError naming the file when it cannot be decoded, UsageError when there is no such image. */
  image(i: number): Promise<RgbImage>;
  /** What messages call image i: a path where there is one. */
  imageName(i: number): string;
  /** Where image i is in the store. */
  position(i: number): number;
  /** What a person should know about how the data was read, such as what was passed over; a line each. */
  readonly notes?: readonly string[];
}

/** What a data set is made of; `labels[p]` belongs to position p of the store. */
export interface DatasetParts {
  readonly name: string;
  readonly classes: readonly string[];
  readonly labels: Int32Array;
  readonly store: ImageStore;
  /** What messages call the images; the store's own names when absent. */
  readonly names?: readonly string[];
}

/** A data set of all images of a store. Throws DataError when it is empty or a label has no class. */
export function datasetOf(parts: DatasetParts): Dataset {
  const { name, classes, labels, store } = parts;
  const count = storedImages(store);
  if (count === 0) throw new DataError(`${name}: holds no images; at least one was expected`);
  if (labels.length !== count) {
    throw new DataError(
      `${name}: holds ${count} images and ${labels.length} labels; expected as many labels as images`,
    );
  }
  const wrong = labels.findIndex((label) => label < 0 || label >= classes.length);
  if (wrong >= 0) {
    throw new DataError(
      `${name}: image ${wrong} has the label ${labels[wrong]}; expected 0 to ${classes.length - 1}, one of ${classes.length} classes`,
    );
  }
  return viewOf(
    parts,
    Int32Array.from({ length: count }, (_, i) => i),
    name,
  );
}

/** The images with these numbers, in this order. Throws UsageError for a number that does not exist. */
export function subset(dataset: Dataset, indices: ArrayLike<number>, name: string): Dataset {
  const chosen = Int32Array.from(indices);
  for (const i of chosen) checkIndex(dataset, i);
  return {
    name,
    classes: dataset.classes,
    size: chosen.length,
    imageSize: dataset.imageSize,
    store: dataset.store,
    label: (i) => dataset.label(elementOf(chosen, i, name)),
    image: (i) => dataset.image(elementOf(chosen, i, name)),
    imageName: (i) => dataset.imageName(elementOf(chosen, i, name)),
    position: (i) => dataset.position(elementOf(chosen, i, name)),
  };
}

/**
 * Splits a data set into a part to train on and a part to validate on, without overlap, every class in proportion (largest
 * remainders). `amount` below 1 is a share, from 1 on a number of images. The same seed gives the same split everywhere.
 * Throws UsageError when either part would be empty.
 */
export function holdOut(dataset: Dataset, amount: number, seed = 0): { training: Dataset; validation: Dataset } {
  const count = amount < 1 ? Math.round(amount * dataset.size) : amount;
  if (!Number.isSafeInteger(count) || count < 1 || count >= dataset.size) {
    throw new UsageError(
      `cannot hold out ${amount} of the ${dataset.size} images of ${dataset.name}; use a share between 0 and 1, or a whole number that leaves some`,
    );
  }
  const members = membersOfClasses(dataset);
  const quotas = proportional(
    members.map((indices) => indices.length),
    count,
  );
  const held = new Set<number>();
  for (const [label, indices] of members.entries()) {
    shuffle(indices, randomFor('holdOut', seed, label));
    for (const i of indices.subarray(0, quotas[label])) held.add(i);
  }
  const all = Array.from({ length: dataset.size }, (_, i) => i);
  return {
    training: subset(
      dataset,
      all.filter((i) => !held.has(i)),
      `${dataset.name} (without ${count} held out)`,
    ),
    validation: subset(
      dataset,
      all.filter((i) => held.has(i)),
      `${dataset.name} (${count} held out)`,
    ),
  };
}

/** One image of a store; what is already decoded is copied out. `Promise` only when it must be decoded. */
export function readImage(store: ImageStore, position: number): RgbImage | Promise<RgbImage> {
  switch (store.kind) {
    case 'pixels':
      return readPixels(store, position);
    case 'encoded': {
      const start = position === 0 ? 0 : store.ends[position - 1]!;
      return decodeImage(store.bytes.subarray(start, store.ends[position]!), store.names[position]!);
    }
    case 'files':
      return decodeImage(store.paths[position]!);
  }
}

function readPixels({ height, width, channels, pixels }: PixelStore, position: number): RgbImage {
  const length = height * width * channels;
  const stored = pixels.subarray(position * length, (position + 1) * length);
  // Augmentations never write into their input, so colour images need no copy.
  if (channels === 3) return { width, height, data: stored };
  const data = new Uint8Array(length * 3);
  for (let i = 0; i < length; i++) data[i * 3] = data[i * 3 + 1] = data[i * 3 + 2] = stored[i]!;
  return { width, height, data };
}

/** How many images a store holds. */
export function storedImages(store: ImageStore): number {
  switch (store.kind) {
    case 'pixels':
      return store.pixels.length / (store.height * store.width * store.channels);
    case 'encoded':
      return store.ends.length;
    case 'files':
      return store.paths.length;
  }
}

function viewOf({ classes, labels, store, names }: DatasetParts, positions: Int32Array, name: string): Dataset {
  const at = (i: number) => elementOf(positions, i, name);
  return {
    name,
    classes,
    size: positions.length,
    imageSize: store.kind === 'pixels' ? [store.height, store.width] : null,
    store,
    label: (i) => labels[at(i)]!,
    image: async (i) => {
      const image = await readImage(store, at(i));
      return store.kind === 'pixels' ? { ...image, data: Uint8Array.from(image.data) } : image;
    },
    imageName: (i) => names?.[at(i)] ?? storedName(store, at(i)) ?? `${name} image ${i}`,
    position: at,
  };
}

function storedName(store: ImageStore, position: number): string | undefined {
  if (store.kind === 'encoded') return store.names[position];
  return store.kind === 'files' ? store.paths[position] : undefined;
}

function elementOf(positions: Int32Array, i: number, name: string): number {
  const position = positions[i];
  if (position === undefined) {
    throw new UsageError(`${name} has no image ${i}; the number must be from 0 to ${positions.length - 1}`);
  }
  return position;
}

function checkIndex(dataset: Dataset, i: number): void {
  if (!(i >= 0 && i < dataset.size)) {
    throw new UsageError(`${dataset.name} has no image ${i}; the number must be from 0 to ${dataset.size - 1}`);
  }
}

function membersOfClasses(dataset: Dataset): Int32Array[] {
  const members: number[][] = dataset.classes.map(() => []);
  for (let i = 0; i < dataset.size; i++) members[dataset.label(i)]!.push(i);
  return members.map((indices) => Int32Array.from(indices));
}

/** Whole numbers in proportion to `sizes` that add up to `total` (Hamilton's method; ties go to the earlier). */
function proportional(sizes: readonly number[], total: number): number[] {
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const exact = sizes.map((size) => (size * total) / all);
  const quotas = exact.map(Math.floor);
  const missing = total - quotas.reduce((sum, quota) => sum + quota, 0);
  const byRemainder = exact
    .map((value, label) => ({ label, remainder: value - quotas[label]! }))
    .sort((a, b) => b.remainder - a.remainder || a.label - b.label);
  for (const { label } of byRemainder.slice(0, missing)) quotas[label]! += 1;
  return quotas;
}
