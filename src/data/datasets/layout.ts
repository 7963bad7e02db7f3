/**
 * How folders say what is what: `train/<class>/…/<image>` and `test/<class>/…/<image>`, or `<class>/…/<image>` alone, on disk and in
 * archives alike. It only looks at names.
 */
import { DataError, MissingSplitError } from '../errors.js';
import { compareCodePoints, imageExtensions } from '../imageFolder.js';

/** Which part of a data set; `test` is what is never trained on. */
export type Split = 'train' | 'test';

const folderNames: Record<Split, readonly string[]> = { train: ['train'], test: ['test', 'val', 'validation'] };

/** The name of the folder that holds a split, among the names of folders that lie side by side. */
export function splitFolder(folders: readonly string[], split: Split): string | undefined {
  return folderNames[split].find((name) => folders.includes(name));
}

/** Whether these folders are splits, and not classes one of which happens to be called "train". */
export function areSplits(folders: readonly string[]): boolean {
  const known = [...folderNames.train, ...folderNames.test];
  return folders.length > 0 && folders.every((name) => known.includes(name));
}

/** Whether a name is that of an image that can be read here. */
export function isImageName(name: string): boolean {
  const lower = name.toLowerCase();
  return imageExtensions.some((extension) => lower.endsWith(extension));
}

/** An image of an archive, by its place in the archive's order. */
export interface PlacedImage {
  readonly entry: number;
  readonly label: number;
}

/** Class names, and the images of one split in the order that an image folder would give. */
export interface PlacedImages {
  readonly classes: readonly string[];
  readonly images: readonly PlacedImage[];
}

interface Parts {
  readonly entry: number;
  readonly folders: readonly string[];
  readonly file: string;
}

/**
 * Classes and order of the images of an archive with these names. A single folder around everything is passed over. Throws
 * DataError when there are no classes, the split is absent, or it has a class that the training split does not know.
 */
export function placeImages(names: readonly string[], split: Split, source: string): PlacedImages {
  const all = withoutCommonFolder(names.map((name, entry) => partsOf(name, entry, source)));
  const outer = [...new Set(all.map(({ folders }) => folders[0] ?? ''))];
  const chosen = areSplits(outer) ? imagesOfSplit(all, outer, split, source) : wholeSet(all, split, source);
  const homeless = chosen.images.find(({ folders }) => folders.length === 0);
  if (homeless !== undefined) {
    throw new DataError(`${source}: ${names[homeless.entry]} lies in no class folder; expected train/<class>/<image>`);
  }
  const classes = [...new Set(chosen.classes)].sort(compareCodePoints);
  const labels = new Map(classes.map((name, label) => [name, label]));
  const images = chosen.images
    .map(({ entry, folders, file }) => ({
      entry,
      label: knownLabel(labels, folders[0]!, source),
      folder: folders.join('/'),
      file,
    }))
    .sort((a, b) => a.label - b.label || compareCodePoints(a.folder, b.folder) || compareCodePoints(a.file, b.file));
  return { classes, images: images.map(({ entry, label }) => ({ entry, label })) };
}

/** Throws DataError for a class of the test split that the training split lacks. */
export function knownLabel(labels: ReadonlyMap<string, number>, name: string, source: string): number {
  const label = labels.get(name);
  if (label === undefined) {
    throw new DataError(`${source}: the class "${name}" is in the test split but not in the training split`);
  }
  return label;
}

/** The error for a data set that has no test split. */
export function noSuchSplit(source: string, split: Split): MissingSplitError {
  return new MissingSplitError(
    `${source}: has no ${split} split; expected a folder called ${folderNames[split].join(' or ')} (to validate on part of the training images, hold some out)`,
  );
}

function partsOf(name: string, entry: number, source: string): Parts {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || parts.length === 0) {
    throw new DataError(`${source}: "${name}" is no name for an image; expected train/<class>/<image>`);
  }
  return { entry, folders: parts.slice(0, -1), file: parts.at(-1)! };
}

/** Archives are often made of one folder; it is neither split nor class when classes are still left below it. */
function withoutCommonFolder(all: readonly Parts[]): readonly Parts[] {
  const common = all[0]?.folders[0];
  const removable =
    common !== undefined &&
    !areSplits([common]) &&
    all.every(({ folders }) => folders[0] === common && folders.length >= 2);
  return removable ? all.map((parts) => ({ ...parts, folders: parts.folders.slice(1) })) : all;
}

function imagesOfSplit(all: readonly Parts[], outer: readonly string[], split: Split, source: string) {
  const folder = splitFolder(outer, split);
  if (folder === undefined) throw noSuchSplit(source, split);
  const training = splitFolder(outer, 'train') ?? folder;
  const inner = (name: string) =>
    all.filter(({ folders }) => folders[0] === name).map((parts) => ({ ...parts, folders: parts.folders.slice(1) }));
  return { images: inner(folder), classes: inner(training).flatMap(({ folders }) => folders.slice(0, 1)) };
}

function wholeSet(all: readonly Parts[], split: Split, source: string) {
  if (split !== 'train') throw noSuchSplit(source, split);
  return { images: all, classes: all.flatMap(({ folders }) => folders.slice(0, 1)) };
}
