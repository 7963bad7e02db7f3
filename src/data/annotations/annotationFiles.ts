/** Files that annotations are read from, and images beside them. For Node. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../../interop/fileReasons.js';
import { DataError } from '../errors.js';
import { locate, readFolder, systemPath } from '../fileNames.js';
import { hasExtension, imageExtensions, isMacDouble, isStray, sortCodePoints } from '../names.js';

/** A string of Node can hold no more. */
const mostBytes = 2 ** 29 - 32;
/** Folders in folders that are looked into; links may lead in a circle. */
const mostDepth = 8;

/**
 * A whole text.
 *
 * @throws DataError naming it when it cannot be read, is too large or is no UTF-8.
 */
export async function readText(path: string): Promise<string> {
  const bytes = await read(path);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new DataError(`${path}: is not a text in UTF-8; save it as one`, { cause });
  }
}

async function read(path: string): Promise<Uint8Array> {
  try {
    const found = await stat(systemPath(path));
    if (!found.isFile()) throw new DataError(`${path}: is not a regular file; name a file of annotations`);
    if (found.size > mostBytes)
      throw new DataError(`${path}: has ${found.size} bytes, expected at most ${mostBytes}; divide it`);
    return await readFile(systemPath(path));
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${path}: cannot be read: ${reasonOf(cause as Error)}`, { cause });
  }
}

/** Names of the files of a folder and the folders in it that end so, with `/` between, without what systems leave behind. @throws DataError when it is no folder. */
export async function filesIn(folder: string, extensions: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  await collect(await locate(folder), '', extensions, names, 0);
  return sortCodePoints(names);
}

async function collect(
  folder: string,
  prefix: string,
  extensions: readonly string[],
  names: string[],
  depth: number,
): Promise<void> {
  const { files, folders } = await contentOf(join(folder, prefix));
  for (const name of files) if (hasExtension(name, extensions) && !isMacDouble(name)) names.push(prefix + name);
  if (depth >= mostDepth) return;
  for (const name of folders)
    if (!isStray(name)) await collect(folder, `${prefix}${name}/`, extensions, names, depth + 1);
}

/** Images of a folder and the folders in it. */
export interface ImageNames {
  /** Names below the folder. */
  readonly names: ReadonlySet<string>;
  /** The name of the image that is called so but for its ending; undefined when there is none. */
  named(stem: string): string | undefined;
}

/** @throws DataError when it is no folder. */
export async function findImages(folder: string): Promise<ImageNames> {
  const names = new Set(await filesIn(folder, imageExtensions));
  const stems = new Map([...names].map((name) => [stemOf(name), name]));
  return { names, named: (stem) => stems.get(stem) };
}

async function contentOf(folder: string) {
  return readFolder(folder).catch((cause: Error) => {
    throw new DataError(`${folder}: cannot be read as a folder: ${reasonOf(cause)}`, { cause });
  });
}

/** A name without its ending. */
export function stemOf(name: string): string {
  return name.replace(/\.[^./]*$/, '');
}
