/**
 * How published data sets of segmentation say what is what: each layout is a file beside this one, which looks at names and lists and says which
 * mask belongs to which image, and what the values that masks store mean.
 */
import type { Split } from '../datasets/layout.js';
import { DataError } from '../errors.js';
import type { FileTree } from '../events/datasets/fileTree.js';
import { hasExtension, someNames } from '../names.js';
import { ignoredClass } from '../targets/masks.js';

/** An image and its mask, of which one may be missing: that is told with everything else that is wrong. */
export interface PlacedMask {
  /** What messages call the pair. */
  readonly stem: string;
  /** Paths in the tree. */
  readonly image: string | undefined;
  readonly mask: string | undefined;
}

/** What the values of masks mean. */
export interface MaskClasses {
  /** Class names. */
  readonly classes: readonly string[];
  /** Of each value that may be stored, the class number or `ignoredClass`; others are errors. */
  readonly numbers: ReadonlyMap<number, number>;
}

export interface PlacedMasks extends MaskClasses {
  readonly pairs: readonly PlacedMask[];
  /** Lines about what was passed over or decided. */
  readonly notes: readonly string[];
}

export interface SegmentationLayout {
  /** In words, for who looks for it. */
  readonly name: string;
  /** Undefined for another layout; else what places the files of a split. Throws DataError for two data sets in one folder. */
  recognise(tree: FileTree): ((split: Split) => Promise<PlacedMasks>) | undefined;
}

const imageEndings: readonly string[] = ['.jpg', '.jpeg', '.png'];
const maskEndings: readonly string[] = ['.png'];

/** What stands before a match of the pattern in the files' paths: the folder that a data set lies in. */
export function rootOf({ name, files }: FileTree, pattern: RegExp): string | undefined {
  const roots = new Set<string>();
  for (const file of files) {
    const found = pattern.exec(file);
    if (found !== null && (found.index === 0 || file[found.index - 1] === '/')) roots.add(file.slice(0, found.index));
  }
  if (roots.size > 1)
    throw new DataError(
      `${name}: holds several data sets, in ${someNames([...roots].map((root) => root || '.'))}; give one`,
    );
  return [...roots][0];
}

/** The files of a folder itself, by their names without endings. Throws DataError for two of one name. */
function stemsIn({ name, files }: FileTree, folder: string, endings: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const file of files) {
    if (!file.startsWith(folder) || file.includes('/', folder.length) || !hasExtension(file, endings)) continue;
    const stem = stemOf(file);
    const other = found.get(stem);
    if (other !== undefined) throw new DataError(`${name}: ${other} and ${file} have one name; remove one of them`);
    found.set(stem, file);
  }
  return found;
}

export function imagesIn(tree: FileTree, folder: string): ReadonlyMap<string, string> {
  return stemsIn(tree, folder, imageEndings);
}

export function masksIn(tree: FileTree, folder: string): ReadonlyMap<string, string> {
  return stemsIn(tree, folder, maskEndings);
}

/** A file's name without folders and ending. */
function stemOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
}

/** Every image and every mask with what belongs to it, in the order of their names. */
export function pairsOf(
  images: ReadonlyMap<string, string>,
  masks: ReadonlyMap<string, string>,
): readonly PlacedMask[] {
  const alone = [...masks.keys()].filter((stem) => !images.has(stem));
  return [...images.keys(), ...alone].map((stem) => ({ stem, image: images.get(stem), mask: masks.get(stem) }));
}

/** Values 0, 1, … are the classes of a list, and these are left out. */
export function numbersOf(classes: readonly string[], ignored: readonly number[]): ReadonlyMap<number, number> {
  return new Map(
    [...classes.keys(), ...ignored].map((value) => [value, value < classes.length ? value : ignoredClass]),
  );
}
