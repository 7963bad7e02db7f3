/** Classes and order of the images of an archive, out of their names alone: what an image folder with these files would give. */
import { DataError } from '../errors.js';
import { className, compareCodePoints } from '../names.js';
import { findLayout, knownLabel, type Layout, type Listing, noSuchSplit, type Place, type Split } from './layout.js';

/** An image of an archive, by its place in the list of names. */
export interface PlacedImage {
  readonly entry: number;
  readonly label: number;
}

/** Class names, and the images of one split in the order that an image folder would give. */
export interface PlacedImages {
  /** The first that is there of those asked for. */
  readonly split: Split;
  readonly classes: readonly string[];
  readonly images: readonly PlacedImage[];
  /** Folders that are neither split nor class, and images that lie beside class folders. */
  readonly ignored: readonly string[];
}

interface Folder {
  readonly folders: Map<string, Folder>;
  /** Numbers of the images in it, and their names. */
  readonly images: { readonly entry: number; readonly file: string }[];
}

/** A name without `.`, the root and doubled slashes. Throws DataError when it is none. */
export function plainName(name: string, source: string): string {
  return /^\/|^\.|\/[./]|\/$/.test(name) ? partsOf(name, source).join('/') : name;
}

/** The parts of a name, without `.` and the root. Throws DataError when it is none. */
function partsOf(name: string, source: string): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || parts.length === 0) {
    throw new DataError(`${source}: "${name}" is not a name for an image; expected train/<class>/<image>`);
  }
  return parts;
}

/**
 * Folders around everything are passed over. Throws DataError when there are no classes, the split is absent, or it has a class
 * that the training split does not know.
 */
export async function placeImages(
  names: readonly string[],
  splits: readonly Split[],
  source: string,
): Promise<PlacedImages> {
  const root = treeOf(names, source);
  const layout = await findLayout(async (place) => listingOf(root, place), { source, unwrap: true });
  const split = splits.find((one) => layout[one] !== undefined) ?? splits[0]!;
  const place = layout[split];
  if (place === undefined) throw noSuchSplit(source, split);
  const folder = folderAt(root, place)!;
  const classes = classesOf(folder, layout.ignored, place);
  if (classes.size === 0) {
    const homeless = folder.images[0] ?? root.images[0];
    throw new DataError(
      `${source}: ${homeless === undefined ? place.join('/') : names[homeless.entry]} is not in a class folder; expected train/<class>/<image>`,
    );
  }
  const training =
    layout.train === undefined ? classes : classesOf(folderAt(root, layout.train)!, layout.ignored, layout.train);
  const known = [...(training.size > 0 ? training : classes).keys()].sort(compareCodePoints);
  const labels = new Map(known.map((name, label) => [name, label]));
  const images: PlacedImage[] = [];
  const labelled = [...classes].map(([name, folders]) => ({ label: knownLabel(labels, name, source), folders }));
  for (const { label, folders } of labelled.sort((a, b) => a.label - b.label))
    for (const entry of inOrder(folders)) images.push({ entry, label });
  return { split, classes: known, images, ignored: [...layout.ignored, ...looseImages(folder, place, layout)] };
}

function treeOf(names: readonly string[], source: string): Folder {
  const root: Folder = { folders: new Map(), images: [] };
  for (const [entry, name] of names.entries()) {
    const parts = partsOf(name, source);
    const file = parts.pop()!;
    let folder = root;
    for (const part of parts) {
      const inner = folder.folders.get(part) ?? { folders: new Map(), images: [] };
      folder.folders.set(part, inner);
      folder = inner;
    }
    folder.images.push({ entry, file });
  }
  return root;
}

function folderAt(root: Folder, place: Place): Folder | undefined {
  return place.reduce<Folder | undefined>((folder, name) => folder?.folders.get(name), root);
}

function listingOf(root: Folder, place: Place): Listing {
  const folder = folderAt(root, place);
  return { folders: [...(folder?.folders.keys() ?? [])], hasImages: (folder?.images.length ?? 0) > 0 };
}

/** Class folders by the name of their class; those whose names read alike are one class. */
function classesOf(
  folder: Folder,
  ignored: readonly string[],
  place: Place,
): Map<string, (readonly [string, Folder])[]> {
  const passedOver = new Set(ignored);
  const classes = new Map<string, (readonly [string, Folder])[]>();
  for (const [name, inner] of folder.folders) {
    if (passedOver.has([...place, name].join('/'))) continue;
    const known = classes.get(className(name));
    if (known === undefined) classes.set(className(name), [[name, inner]]);
    else known.push([name, inner]);
  }
  return classes;
}

/** Ordered by folder, then by file. */
function inOrder(folders: readonly (readonly [string, Folder])[]): number[] {
  const all: { readonly path: string; readonly folder: Folder }[] = [];
  const gather = (path: string, folder: Folder) => {
    all.push({ path, folder });
    for (const [name, inner] of folder.folders) gather(`${path}/${name}`, inner);
  };
  for (const [name, folder] of [...folders].sort(([a], [b]) => compareCodePoints(a, b))) gather(name, folder);
  all.sort((a, b) => compareCodePoints(a.path, b.path));
  return all.flatMap(({ folder }) =>
    folder.images.sort((a, b) => compareCodePoints(a.file, b.file)).map(({ entry }) => entry),
  );
}

function looseImages({ images }: Folder, place: Place, { divided }: Layout): string[] {
  if (images.length === 0) return [];
  return [`${images.length} images beside the classes${divided ? ` in ${place.join('/')}` : ''}`];
}
