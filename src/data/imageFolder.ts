/**
 * A folder of labelled images, `<folder>/<class>/**\/<image>`, with the class numbers and the order of torchvision's
 * ImageFolder. Files are found here and read elsewhere.
 */
import { realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
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

/** One image of a folder: its path (which begins with the folder's) and the number of its class. */
export interface ImageSample {
  readonly path: string;
  readonly label: number;
}

/** See {@link findImageFolder}. */
export interface FoundFolder {
  readonly directory: string;
  /** Class names; a sample's label is an index into them. */
  readonly classes: readonly string[];
  /** Ordered by class, then by the folder inside it, then by file name. */
  readonly samples: readonly ImageSample[];
  /** What was passed over: folders and files that systems and tools leave behind, and folders beside the classes without images. */
  readonly ignored: readonly string[];
}

// torchvision would read these; passing over them in silence would give another data set than the one on disk.
const refusedExtensions: readonly string[] = ['.bmp', '.ppm', '.pgm'];

/**
 * Finds the classes and images of a folder. Class names are sorted by code point, as Python sorts strings, and every
 * sub-folder is a class, also one whose name begins with a dot; only what systems and tools leave behind (`.git`, `__MACOSX`,
 * `.ipynb_checkpoints`, files `._*`) is passed over. Folders whose names differ in NFC and NFD alone are one class. Throws
 * ImageError when the folder cannot be read, holds no class folders, a class has no images, or an image has a format that is not
 * supported here.
 *
 * @param besides Folders that are known to be no classes.
 */
export async function findImageFolder(directory: string, besides: readonly string[] = []): Promise<FoundFolder> {
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
  return { directory, classes: names, samples, ignored: ignoredIn(directory, found) };
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
