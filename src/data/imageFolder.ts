/**
 * A folder of labelled images, `<folder>/<class>/**\/<image>`, with the class numbers and the order of torchvision's
 * ImageFolder. Files are found when it is opened and decoded while batches are drawn. It does not shuffle or augment.
 */
import { realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { UsageError } from '../errors.js';
import { checkOptionNames } from '../optionNames.js';
import { decodeImage } from './decode.js';
import { ImageError } from './errors.js';
import { decodeName, type FolderNames, readFolder, systemPath } from './fileNames.js';
import {
  className,
  compareCodePoints,
  hasExtension,
  imageExtensions,
  isCompanion,
  isMacDouble,
  isStray,
  sortCodePoints,
} from './names.js';
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
  /** What was passed over: folders and files that systems and tools leave behind, and folders beside the classes without images. */
  readonly ignored: readonly string[];
  /**
   * The samples of a shard in order, decoded and preprocessed, decoding ahead of the consumer by about one batch. Throws
   * UsageError for wrong options and, when its turn comes, ImageError for a file that cannot be decoded.
   */
  batches(options: BatchOptions): AsyncGenerator<ImageBatch, void, undefined>;
}

// torchvision would read these; passing over them in silence would give another data set than the one on disk.
const refusedExtensions: readonly string[] = ['.bmp', '.ppm', '.pgm'];

const defaultConcurrency = 4;

/**
 * Finds the classes and images of a folder. Class names are sorted by code point, as Python sorts strings, and every
 * sub-folder is a class, also one whose name begins with a dot; only what systems and tools leave behind (`.git`, `__MACOSX`,
 * `.ipynb_checkpoints`, files `._*`) is passed over. Folders whose names differ in NFC and NFD alone are one class. Throws
 * ImageError when the folder cannot be read, holds no class folders, a class has no images, or an image has a format that is not
 * supported here.
 *
 * @param besides Folders that are known to be no classes.
 */
export async function openImageFolder(directory: string, besides: readonly string[] = []): Promise<ImageFolder> {
  const found: Findings = { ignored: [], macDoubles: 0 };
  const classes = await findClasses(directory, besides, found);
  const samples: ImageSample[] = [];
  const names: string[] = [];
  for (const { name, folders } of classes) {
    const paths = await findImages(folders, found);
    if (paths.length === 0 && isCompanion(name)) {
      found.ignored.push(...folders);
      continue;
    }
    if (paths.length === 0) throw noImages(folders[0]!);
    for (const path of paths) samples.push({ path, label: names.length });
    names.push(name);
  }
  if (names.length === 0) throw noClasses(directory);
  const batches = (options: BatchOptions) => drawBatches(samples, checked(options));
  return { directory, classes: names, samples, ignored: ignoredIn(directory, found), batches };
}

function checked(options: BatchOptions): BatchOptions {
  checkOptionNames<BatchOptions>('batches', options, { batch: true, preprocess: true, shard: true, concurrency: true });
  return options;
}

/** What a search passes over. */
interface Findings {
  /** Paths of folders. */
  readonly ignored: string[];
  macDoubles: number;
}

function ignoredIn(directory: string, { ignored, macDoubles }: Findings): string[] {
  const places = ignored.map((path) => relative(directory, path));
  return macDoubles === 0 ? places : [...places, `${macDoubles} files named ._*`];
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

/** A class and the folders that hold its images: one, or several whose names read alike. */
interface ClassFolders {
  readonly name: string;
  readonly folders: string[];
}

async function findClasses(directory: string, besides: readonly string[], found: Findings): Promise<ClassFolders[]> {
  const { folders, files } = await list(directory);
  found.macDoubles += files.filter(isMacDouble).length;
  const classes = new Map<string, ClassFolders>();
  for (const folder of sortCodePoints(folders)) {
    const path = join(directory, folder);
    const name = className(folder);
    const known = classes.get(name);
    if (besides.includes(folder)) continue;
    if (isStray(folder)) found.ignored.push(path);
    else if (known !== undefined) known.folders.push(path);
    else classes.set(name, { name, folders: [path] });
  }
  return sortCodePoints([...classes.keys()]).map((name) => classes.get(name)!);
}

function noClasses(directory: string): ImageError {
  return new ImageError(
    `${directory}: holds no class folders; expected one sub-folder per class, such as ${join(directory, 'cat')}`,
  );
}

function noImages(classDirectory: string): ImageError {
  return new ImageError(
    `${classDirectory}: holds no images (${imageExtensions.join(' ')}); add some or remove this class folder`,
  );
}

async function findImages(classFolders: readonly string[], found: Findings): Promise<string[]> {
  const paths: string[] = [];
  for (const classFolder of classFolders) {
    const folders: ListedFolder[] = [];
    await walk(classFolder, new Set(), folders, found);
    folders.sort((a, b) => compareCodePoints(a.path, b.path));
    for (const { path, files } of folders)
      for (const file of sortCodePoints(files.filter(isImage))) paths.push(join(path, file));
  }
  const refused = paths.find((path) => hasExtension(path, refusedExtensions));
  if (refused !== undefined) {
    throw new ImageError(`${refused}: this format is not supported; convert the file to PNG or move it away`);
  }
  return paths;
}

interface ListedFolder {
  readonly path: string;
  readonly files: string[];
}

/** Adds all folders below and including `path`. Links are followed, but not back into a folder that encloses them. */
async function walk(
  path: string,
  enclosing: ReadonlySet<string>,
  listed: ListedFolder[],
  found: Findings,
): Promise<void> {
  const place = await reading(path, async () => decodeName(await realpath(systemPath(path), 'buffer')));
  if (enclosing.has(place)) return;
  const { folders, files } = await list(path);
  const images = files.filter((file) => !isMacDouble(file));
  found.macDoubles += files.length - images.length;
  const inner = new Set(enclosing).add(place);
  listed.push({ path, files: images });
  for (const folder of folders) {
    const below = join(path, folder);
    if (isStray(folder)) found.ignored.push(below);
    else await walk(below, inner, listed, found);
  }
}

function list(path: string): Promise<FolderNames> {
  return reading(path, () => readFolder(path));
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
