/**
 * What lies in a folder that was given as data: CIFAR's or MNIST's files, there or in a folder or two below; or folders of images,
 * divided into splits or not. It lists folders and reads no file.
 */
import { basename, join } from 'node:path';
import { DataError } from '../errors.js';
import { type FolderNames, readFolder } from '../fileNames.js';
import { isImageName, isMacDouble, isStray, someNames } from '../names.js';
import { holdsCifar, holdsPickledCifar, pickledCifar } from './cifar.js';
import { idxFiles } from './idx.js';
import { findLayout, type Layout } from './layout.js';

/** Files of pixels, all in one folder. */
export interface PixelFolder {
  readonly kind: 'cifar' | 'idx';
  readonly path: string;
  readonly files: readonly string[];
}

/** Folders of images. */
export interface ImageFolders {
  readonly kind: 'folders';
  readonly layout: Layout;
}

/** Throws DataError when there are several data sets, one in a form that is not read, or folders that may be classes as well as splits. */
export async function recogniseFolder(path: string): Promise<PixelFolder | ImageFolders> {
  return (await findPixels(path)) ?? { kind: 'folders', layout: await imageLayout(path) };
}

function imageLayout(path: string): Promise<Layout> {
  const list = async (place: readonly string[]) => {
    const { folders, files } = await readFolder(join(path, ...place));
    return { folders, hasImages: files.some((name) => isImageName(name) && !isMacDouble(name)) };
  };
  return findLayout(list, { source: path, unwrap: false });
}

/** `ROOT/MNIST/raw` is two folders below what libraries call the root. */
const deepestPixels = 2;
/** Folders on the way are few; class folders may be many. */
const mostFolders = 64;

async function findPixels(path: string): Promise<PixelFolder | undefined> {
  const found: (PixelFolder | { readonly kind: 'pickled'; readonly path: string })[] = [];
  let sawImages = false;
  let level = [path];
  for (let depth = 0; depth <= deepestPixels && found.length === 0 && level.length <= mostFolders; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      // Who keeps images in folders has none of these files below them, or beside them under names like these.
      if (sawImages && !/cifar|mnist|raw/i.test(basename(folder))) continue;
      const names = await readFolder(folder);
      const kind = pixelKind(names);
      if (kind !== undefined) found.push({ kind, path: folder, files: names.files });
      sawImages ||= depth > 0 && names.files.some(isImageName);
      if (sawImages) continue;
      next.push(...names.folders.filter((name) => !isStray(name)).map((name) => join(folder, name)));
    }
    level = next;
  }
  return theOnlyOne(path, found);
}

function pixelKind({ files }: FolderNames): 'cifar' | 'idx' | 'pickled' | undefined {
  if (holdsCifar(files)) return 'cifar';
  if (idxFiles(files, 'train') !== undefined || idxFiles(files, 'test') !== undefined) return 'idx';
  return holdsPickledCifar(files) ? 'pickled' : undefined;
}

function theOnlyOne(
  path: string,
  found: readonly (PixelFolder | { readonly kind: 'pickled'; readonly path: string })[],
): PixelFolder | undefined {
  const readable = found.filter((one) => one.kind !== 'pickled');
  if (readable.length > 1) {
    const places = readable.map((one) => one.path);
    throw new DataError(`${path}: holds ${places.length} data sets, ${someNames(places)}; give the folder of one`);
  }
  if (readable[0] === undefined && found[0] !== undefined) throw pickledCifar(found[0].path);
  return readable[0];
}
