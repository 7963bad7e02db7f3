/**
 * Where the lists and the folders of pictures of a data set are: in a folder, or in a tar archive that is kept in memory. Other than a
 * `FileTree` it lists only folders that are asked for: HARDVS has millions of pictures. For Node.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openBytes } from '../../datasets/byteReader.js';
import { DataError } from '../../errors.js';
import { locate, readFolder, systemPath } from '../../fileNames.js';
import { compareNatural, isImageName, isStray, sortCodePoints } from '../../names.js';
import { type PictureStore, pictureNames } from '../pictureStore.js';
import { type FileTree, openFileTree } from './fileTree.js';
import { fileNamed, folderOf } from './layout.js';

export interface FoundList {
  /** What messages call it. */
  readonly name: string;
  /** Its place from the root, `` or ending with `/`. */
  readonly folder: string;
  readonly text: string;
}

export interface PictureTree {
  /** What messages call it. */
  readonly name: string;
  /** The list of this name in the root or up to two folders below, or undefined. */
  list(name: string): Promise<FoundList | undefined>;
  /** How many pictures lie in a folder itself; undefined when it is not there. */
  count(folder: string): Promise<number | undefined>;
  /** The pictures of these folders. */
  store(folders: readonly string[]): Promise<PictureStore>;
}

/** A list of HARDVS has some 100,000 lines. */
const largestList = 64 * 2 ** 20;
const deepestList = 2;

/** Throws DataError when there is nothing, or it is neither a folder nor a tar archive. */
export async function openPictureTree(path: string): Promise<PictureTree> {
  const root = await locate(path);
  const found = await stat(systemPath(root)).catch(() => undefined);
  return found?.isDirectory() ? folderTree(root) : archiveTree(await openFileTree(path));
}

function folderTree(root: string): PictureTree {
  return {
    name: root,
    list: (name) => findList(root, name, ['']),
    count: async (folder) => {
      try {
        return pictureNames((await readFolder(join(root, folder))).files).length;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined;
        throw new DataError(`${join(root, folder)}: cannot be read (${code}); check its permissions`, { cause: error });
      }
    },
    store: async (folders) => ({ kind: 'pictures', folders: folders.map((folder) => join(root, folder)) }),
  };
}

/** Level by level, so that the folders of pictures are not looked into where the lists lie beside them. */
async function findList(
  root: string,
  name: string,
  level: readonly string[],
  depth = 0,
): Promise<FoundList | undefined> {
  const below: string[] = [];
  for (const folder of level) {
    const { files, folders } = await readFolder(join(root, folder));
    if (files.includes(name))
      return { name: join(root, folder, name), folder, text: await textOf(join(root, folder, name)) };
    below.push(...folders.filter((child) => !isStray(child)).map((child) => `${folder}${child}/`));
  }
  return depth === deepestList || below.length === 0
    ? undefined
    : findList(root, name, sortCodePoints(below), depth + 1);
}

async function textOf(path: string): Promise<string> {
  const { size } = await stat(systemPath(path));
  if (size > largestList)
    throw new DataError(`${path}: has ${size} bytes; a list of at most ${largestList} was expected`);
  const reader = await openBytes(path);
  try {
    return new TextDecoder().decode(await reader.take(size, path));
  } finally {
    await reader.close();
  }
}

function archiveTree(tree: FileTree): PictureTree {
  const pictures = new Map<string, string[]>();
  for (const file of tree.files) {
    if (!isImageName(file)) continue;
    const folder = folderOf(file);
    const known = pictures.get(folder);
    if (known === undefined) pictures.set(folder, [file]);
    else known.push(file);
  }
  const inFolder = (folder: string) => pictures.get(`${folder}/`) ?? [];
  return {
    name: tree.name,
    list: async (name) => {
      const file = fileNamed(tree, name);
      if (file === undefined) return undefined;
      return { name: `${tree.name}/${file}`, folder: folderOf(file), text: (await tree.text(file)) ?? '' };
    },
    count: async (folder) => pictures.get(`${folder}/`)?.length,
    store: async (folders) => {
      // A folder that two lines name is kept once.
      const firsts = new Map<string, number>();
      const chosen: string[] = [];
      for (const folder of folders) {
        if (firsts.has(folder)) continue;
        firsts.set(folder, chosen.length);
        chosen.push(...[...inFolder(folder)].sort(compareNatural));
      }
      const files = await tree.store(chosen);
      if (files.kind !== 'encoded') throw new DataError(`${tree.name}: changed while it was read; try again`);
      return {
        kind: 'pictures',
        folders: folders.map((folder) => `${tree.name}/${folder}`),
        archive: {
          files,
          firsts: Int32Array.from(folders, (folder) => firsts.get(folder)!),
          counts: Int32Array.from(folders, (folder) => inFolder(folder).length),
        },
      };
    },
  };
}
