/**
 * The front door to data sets: a path, and what lies there is recognised. Image folders, tar archives (plain or gzip) of images or
 * of CIFAR's binary files, folders of CIFAR's binary files, folders of idx files (MNIST, Fashion-MNIST).
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkOptionNames, type OptionNames } from '../../optionNames.js';
import { decodeImage } from '../decode.js';
import { DataError } from '../errors.js';
import { locate, readFolder, systemPath } from '../fileNames.js';
import { findImageFolder } from '../imageFolder.js';
import { className, isStray } from '../names.js';
import { openArchive } from './archive.js';
import { openBytes } from './byteReader.js';
import { cifarDataset, isCifarFile } from './cifar.js';
import { idxFiles, openIdx } from './idx.js';
import { type LabelledImages, labelledImages } from './images.js';
import { ignoredNote, knownLabel, type Layout, noSuchSplit, type Split } from './layout.js';
import { type PixelFolder, recogniseFolder } from './recognise.js';
import { type DecodingOptions, decodeSmallImages } from './smallImages.js';
import { longestWords, parseWords, wordedClasses, wordsFile } from './words.js';

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

/**
 * Opens a data set. Images of at most 64 x 64, all of one size, are decoded at once and kept in memory. Throws DataError or
 * ImageError naming the file when nothing is recognised, the split is absent, or a file is damaged.
 */
export async function openDataset(path: string, options: OpenDatasetOptions = {}): Promise<LabelledImages> {
  checkOptionNames<OpenDatasetOptions>('openDataset', options, optionNames);
  const split = options.split ?? 'train';
  const place = await locate(path);
  if (!(await isDirectory(place))) return openArchive(place, split, options);
  const found = await recogniseFolder(place);
  if (found.kind === 'cifar') return openCifar(found, split);
  if (found.kind === 'folders') return openFolder(place, found.layout, split, options);
  const idx = idxFiles(found.files, split);
  if (idx === undefined) throw noSuchSplit(found.path, split);
  return openIdx(found.path, idx, split, options.classes);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(systemPath(path))).isDirectory();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(`${path}: cannot be opened (${reason}); pass a folder or a tar archive of images`, {
      cause: error,
    });
  }
}

async function openCifar({ path, files }: PixelFolder, split: Split): Promise<LabelledImages> {
  const sizes = new Map<string, number>();
  for (const name of files.filter(isCifarFile)) sizes.set(name, (await stat(systemPath(join(path, name)))).size);
  return cifarDataset(sizes, split, path, async (names, visit) => {
    for (const name of names) {
      const reader = await openBytes(join(path, name));
      try {
        await visit(name, (target) => reader.fill(target, 'its records'));
      } finally {
        await reader.close();
      }
    }
  });
}

async function openFolder(
  path: string,
  { train, test, ignored }: Layout,
  split: Split,
  options: DecodingOptions,
): Promise<LabelledImages> {
  const place = split === 'train' ? train : test;
  if (place === undefined) throw noSuchSplit(path, split);
  const folder = await findImageFolder(join(path, ...place), besidesIn(place, ignored));
  const classes =
    train === undefined || train === place ? folder.classes : await trainingClasses(join(path, ...train), folder);
  const numbers = new Map(classes.map((name, label) => [name, label]));
  const paths = folder.samples.map((sample) => sample.path);
  const small = await decodeSmallImages(paths.length, (i) => decodeImage(paths[i]!), options);
  const inside = folder.ignored.map((name) => [...place, name].join('/'));
  return {
    ...labelledImages({
      name: `${path} (${split})`,
      classes: wordedClasses(classes, await wordsBeside(path, place)),
      labels: Int32Array.from(folder.samples, ({ label }) => knownLabel(numbers, folder.classes[label]!, path)),
      store: small ?? { kind: 'files', paths },
      names: paths,
    }),
    notes: ignoredNote(path, [...new Set([...ignored, ...inside])]),
  };
}

/** Beside the folder of a split. No file of words, none that can be read, and one too long for one: no words. */
async function wordsBeside(path: string, place: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const file = systemPath(join(path, ...place.slice(0, -1), wordsFile));
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile() || found.size > longestWords) return new Map();
  return parseWords(await readFile(file, 'utf8').catch(() => ''));
}

/** Names in this folder that a layout passes over. */
export function besidesIn(place: readonly string[], ignored: readonly string[]): string[] {
  const prefix = place.map((name) => `${name}/`).join('');
  return ignored.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
}

/** A test split may lack a class, and then its own numbering would be another. */
async function trainingClasses(training: string, folder: { readonly classes: readonly string[] }) {
  const { folders } = await readFolder(training);
  const names = new Set(folders.filter((name) => !isStray(name)).map(className));
  const same = names.size === folder.classes.length && folder.classes.every((name) => names.has(name));
  return same ? folder.classes : (await findImageFolder(training)).classes;
}
