/**
 * The front door to data sets: a path, and what lies there is recognised. Image folders, tar archives (plain or gzip) of images or
 * of CIFAR's binary files, folders of CIFAR's binary files, folders of idx files (MNIST, Fashion-MNIST).
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkOptionNames, type OptionNames } from '../../optionNames.js';
import { decodeImage } from '../decode.js';
import { DataError } from '../errors.js';
import { openImageFolder } from '../imageFolder.js';
import { openArchive } from './archive.js';
import { cifarDataset, holdsCifar, isCifarFile } from './cifar.js';
import { type Dataset, datasetOf } from './dataset.js';
import { idxFiles, openIdx } from './idx.js';
import { areSplits, knownLabel, noSuchSplit, type Split, splitFolder } from './layout.js';
import { type DecodingOptions, decodeSmallImages } from './smallImages.js';

export interface OpenDatasetOptions extends DecodingOptions {
  /** Which part; default `train`. A set without splits is all training images. */
  readonly split?: Split;
  /** Class names for idx files, which hold only numbers. */
  readonly classes?: readonly string[];
}

const optionNames: OptionNames<OpenDatasetOptions> = {
  split: true,
  classes: true,
  memoryLimit: true,
  onProgress: true,
};

const largestCifarFile = 2 ** 30;

/**
 * Opens a data set. Images of at most 64 x 64, all of one size, are decoded at once and kept in memory. Throws DataError or
 * ImageError naming the file when nothing is recognised, the split is absent, or a file is damaged.
 */
export async function openDataset(path: string, options: OpenDatasetOptions = {}): Promise<Dataset> {
  checkOptionNames<OpenDatasetOptions>('openDataset', options, optionNames);
  const split = options.split ?? 'train';
  if (!(await isDirectory(path))) return openArchive(path, split, options);
  const entries = await readdir(path, { withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  if (holdsCifar(files)) return openCifar(path, files, split);
  const idx = idxFiles(files, split);
  if (idx !== undefined) return openIdx(path, idx, split, options.classes);
  if (idxFiles(files, 'train') !== undefined) throw noSuchSplit(path, split);
  const folders = await subfolders(path);
  return openFolder(path, folders, split, options);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(`${path}: cannot be opened (${reason}); pass a folder or a tar archive of images`, {
      cause: error,
    });
  }
}

/** Links to folders count. */
async function subfolders(path: string): Promise<string[]> {
  const names: string[] = [];
  for (const name of await readdir(path)) {
    const status = await stat(join(path, name)).catch(() => undefined);
    if (status?.isDirectory()) names.push(name);
  }
  return names;
}

async function openCifar(path: string, names: readonly string[], split: Split): Promise<Dataset> {
  const files = new Map<string, Uint8Array>();
  for (const name of names.filter(isCifarFile)) {
    const { size } = await stat(join(path, name));
    if (size > largestCifarFile) {
      throw new DataError(`${join(path, name)}: has ${size} bytes; a file of CIFAR has at most 184,500,000`);
    }
    files.set(name, await readFile(join(path, name)));
  }
  return cifarDataset(files, split, path);
}

async function openFolder(
  path: string,
  folders: readonly string[],
  split: Split,
  options: DecodingOptions,
): Promise<Dataset> {
  const divided = areSplits(folders);
  const name = divided ? splitFolder(folders, split) : '';
  if (name === undefined || (!divided && split !== 'train')) throw noSuchSplit(path, split);
  const folder = await openImageFolder(join(path, name));
  const training = divided ? splitFolder(folders, 'train') : undefined;
  const classes =
    training === undefined || training === name ? folder.classes : await trainingClasses(join(path, training), folder);
  const numbers = new Map(classes.map((className, label) => [className, label]));
  const paths = folder.samples.map((sample) => sample.path);
  const small = await decodeSmallImages(paths.length, (i) => decodeImage(paths[i]!), options);
  return datasetOf({
    name: `${path} (${split})`,
    classes,
    labels: Int32Array.from(folder.samples, ({ label }) => knownLabel(numbers, folder.classes[label]!, path)),
    store: small ?? { kind: 'files', paths },
    names: paths,
  });
}

/** A test split may lack a class, and then its own numbering would be another. */
async function trainingClasses(training: string, folder: { readonly classes: readonly string[] }) {
  const names = await subfolders(training);
  const same = names.length === folder.classes.length && folder.classes.every((name) => names.includes(name));
  return same ? folder.classes : (await openImageFolder(training)).classes;
}
