/**
 * A folder of labelled images, `<folder>/<class>/**\/<image>`, with the class numbers and the order of torchvision's
 * ImageFolder. Files are found when it is opened and decoded while batches are drawn. It does not shuffle or augment.
 */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../errors.js';
import { checkOptionNames } from '../optionNames.js';
import { decodeImage } from './decode.js';
import { ImageError } from './errors.js';
import { type PreprocessSettings, preprocessedLength, preprocess as preprocessImage } from './preprocess.js';
import { readAhead } from './readAhead.js';

/** One image of a folder: its path (which begins with the folder's) and the number of its class. */
export interface ImageSample {
  readonly path: string;
  readonly label: number;
}

/** One of `count` equal parts: sample i of the folder's order belongs to shard i mod `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** How batches are made. */
export interface BatchOptions {
  /** Images per batch; the last batch may be smaller. */
  readonly batch: number;
  readonly preprocess: PreprocessSettings;
  /** Which part of the samples to draw; all of them when absent. */
  readonly shard?: Shard;
  /** Images decoded at once (default 4, the size of libuv's thread pool). */
  readonly concurrency?: number;
}

/** A batch ready for a network. */
export interface ImageBatch {
  /** float32 [B, 3, H, W]. */
  readonly input: Float32Array;
  /** Class numbers [B]. */
  readonly labels: Int32Array;
  /** Paths [B], in the same order. */
  readonly paths: readonly string[];
}

/** See {@link openImageFolder}. */
export interface ImageFolder {
  readonly directory: string;
  /** Class names; a sample's label is an index into them. */
  readonly classes: readonly string[];
  /** Ordered by class, then by the folder inside it, then by file name. */
  readonly samples: readonly ImageSample[];
  /**
   * The samples of a shard in order, decoded and preprocessed, decoding ahead of the consumer by about one batch. Throws
   * UsageError for wrong options and, when its turn comes, ImageError for a file that cannot be decoded.
   */
  batches(options: BatchOptions): AsyncGenerator<ImageBatch, void, undefined>;
}

/** File names with these endings, in any case, are samples. */
export const imageExtensions: readonly string[] = ['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff'];

// torchvision would read these; passing over them in silence would give another data set than the one on disk.
const refusedExtensions: readonly string[] = ['.bmp', '.ppm', '.pgm'];

const defaultConcurrency = 4;

/**
 * Finds the classes and images of a folder. Class names are sorted by code point, as Python sorts strings, and every
 * sub-folder is a class, also one whose name begins with a dot. Throws ImageError when the folder cannot be read, holds no
 * class folders, a class has no images, or an image has a format that is not supported here.
 */
export async function openImageFolder(directory: string): Promise<ImageFolder> {
  const classes = await findClasses(directory);
  const samples: ImageSample[] = [];
  for (const [label, name] of classes.entries()) {
    const paths = await findImages(join(directory, name));
    for (const path of paths) samples.push({ path, label });
  }
  return { directory, classes, samples, batches: (options) => drawBatches(samples, checked(options)) };
}

function checked(options: BatchOptions): BatchOptions {
  checkOptionNames<BatchOptions>('batches', options, { batch: true, preprocess: true, shard: true, concurrency: true });
  return options;
}

/** The samples that belong to a shard, in order. Throws UsageError unless 0 <= index < count. */
export function samplesOfShard<Sample>(samples: readonly Sample[], shard: Shard): Sample[] {
  const { index, count } = shard;
  if (!Number.isSafeInteger(count) || !Number.isSafeInteger(index) || count < 1 || index < 0 || index >= count) {
    throw new UsageError(
      `shard ${index} of ${count} does not exist; the index must be a whole number from 0 to count - 1`,
    );
  }
  return samples.filter((_, i) => i % count === index);
}

/** Orders strings by Unicode code points, which differs from JavaScript's own order beyond U+FFFF. */
export function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a.charCodeAt(i) !== b.charCodeAt(i)) return orderOfCodeUnit(a.charCodeAt(i)) - orderOfCodeUnit(b.charCodeAt(i));
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above U+FFFF, so they sort after the code units U+E000 to U+FFFF. */
function orderOfCodeUnit(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

async function findClasses(directory: string): Promise<string[]> {
  const { directories } = await list(directory);
  if (directories.length === 0) {
    throw new ImageError(
      `${directory}: holds no class folders; expected one sub-folder per class, such as ${join(directory, 'cat')}`,
    );
  }
  return directories.sort(compareCodePoints);
}

async function findImages(classDirectory: string): Promise<string[]> {
  const folders = await walk(classDirectory, new Set());
  folders.sort((a, b) => compareCodePoints(a.path, b.path));
  const paths = folders.flatMap(({ path, files }) =>
    files
      .filter(isImage)
      .sort(compareCodePoints)
      .map((file) => join(path, file)),
  );
  const refused = paths.find((path) => hasExtension(path, refusedExtensions));
  if (refused !== undefined) {
    throw new ImageError(`${refused}: this format is not supported; convert the file to PNG or move it away`);
  }
  if (paths.length === 0) {
    throw new ImageError(
      `${classDirectory}: holds no images (${imageExtensions.join(' ')}); add some or remove this class folder`,
    );
  }
  return paths;
}

interface ListedFolder {
  readonly path: string;
  readonly files: string[];
}

/** All folders below and including `path`. Links are followed, but not back into a folder that encloses them. */
async function walk(path: string, enclosing: ReadonlySet<string>): Promise<ListedFolder[]> {
  const place = await reading(path, () => realpath(path));
  if (enclosing.has(place)) return [];
  const { directories, files } = await list(path);
  const inner = new Set(enclosing).add(place);
  const found: ListedFolder[] = [{ path, files }];
  for (const directory of directories) found.push(...(await walk(join(path, directory), inner)));
  return found;
}

async function list(path: string): Promise<{ directories: string[]; files: string[] }> {
  const entries = await reading(path, () => readdir(path, { withFileTypes: true }));
  const directories: string[] = [];
  const files: string[] = [];
  for (const entry of entries) ((await isDirectory(path, entry)) ? directories : files).push(entry.name);
  return { directories, files };
}

/** A link that leads nowhere counts as a file: if its name is an image's, decoding will name it. */
async function isDirectory(parent: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const target = await stat(join(parent, entry.name)).catch(() => undefined);
  return target?.isDirectory() ?? false;
}

async function reading<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ImageError(
      `${path}: cannot be read as a folder (${reason}); pass a folder with one sub-folder per class`,
      {
        cause: error,
      },
    );
  }
}

function isImage(name: string): boolean {
  return hasExtension(name, imageExtensions) || hasExtension(name, refusedExtensions);
}

function hasExtension(name: string, extensions: readonly string[]): boolean {
  const lower = name.toLowerCase();
  return extensions.some((extension) => lower.endsWith(extension));
}

async function* drawBatches(
  allSamples: readonly ImageSample[],
  options: BatchOptions,
): AsyncGenerator<ImageBatch, void, undefined> {
  const { batch, preprocess, shard = { index: 0, count: 1 }, concurrency = defaultConcurrency } = options;
  requirePositive('batch', batch);
  requirePositive('concurrency', concurrency);
  const samples = samplesOfShard(allSamples, shard);
  // Only preprocessed images wait for their turn: a decoded photograph can be a hundred times as large.
  const prepare = async ({ path }: ImageSample) => preprocessImage(await decodeImage(path), preprocess);
  const images = readAhead(samples, prepare, { concurrency, lookAhead: batch + concurrency });
  try {
    for (let first = 0; first < samples.length; first += batch) {
      yield await collect(samples.slice(first, first + batch), images, preprocess);
    }
  } finally {
    await images.return();
  }
}

async function collect(
  samples: readonly ImageSample[],
  images: AsyncGenerator<Float32Array, void, undefined>,
  preprocess: PreprocessSettings,
): Promise<ImageBatch> {
  const length = preprocessedLength(preprocess);
  const input = new Float32Array(samples.length * length);
  for (let i = 0; i < samples.length; i++) {
    const image = await images.next();
    if (image.done) throw new Error(`reading ahead ended before ${samples[i]!.path}`);
    input.set(image.value, i * length);
  }
  return {
    input,
    labels: Int32Array.from(samples, (sample) => sample.label),
    paths: samples.map((sample) => sample.path),
  };
}

function requirePositive(option: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`${option} is ${value}; it must be a whole number of at least 1`);
  }
}
