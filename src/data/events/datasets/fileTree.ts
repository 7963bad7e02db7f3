/**
 * The files of a data set, wherever they lie: in a folder or in a tar archive, plain or gzip. Layouts see names and small texts; the files
 * of the split that is asked for become a store. Names are sorted by code points, so that nothing depends on the file system's order.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openBytes } from '../../datasets/byteReader.js';
import type { EncodedStore, FileStore } from '../../datasets/imageStore.js';
import { plainName } from '../../datasets/placeImages.js';
import { sharedBytes } from '../../datasets/sharedBytes.js';
import { defaultTarLimits, readTar, type TarFile } from '../../datasets/tar.js';
import { DataError } from '../../errors.js';
import { locate, readFolder, systemPath } from '../../fileNames.js';
import { isMacDouble, isStray, sortCodePoints } from '../../names.js';
import { sharedMemory } from '../../sharedMemory.js';

export interface FileTree {
  /** What messages call it. */
  readonly name: string;
  /** Paths from the root with `/`, sorted. Strays of systems and tools are not among them. */
  readonly files: readonly string[];
  /** Bytes of a file. */
  sizeOf(file: string): number;
  /** A small text among the files, or undefined when there is none. Throws DataError for one that is not small. */
  text(file: string): Promise<string | undefined>;
  /** These files, in this order. */
  store(files: readonly string[]): Promise<EncodedStore | FileStore>;
}

/** Lists and tables are pages of text. */
const largestText = 64 * 2 ** 20;
const mostFiles = 4_000_000;
const deepest = 16;
const textName = /\.(txt|csv|tsv|json)$/i;

/** Throws DataError when there is nothing, or it is neither a folder nor a tar archive. */
export async function openFileTree(path: string): Promise<FileTree> {
  const place = await locate(path);
  const found = await stat(systemPath(place)).catch((cause: unknown) => {
    throw new DataError(`${path}: cannot be opened (${(cause as Error).message}); give a folder or a tar archive`, {
      cause,
    });
  });
  return found.isDirectory() ? folderTree(place) : archiveTree(place);
}

async function folderTree(root: string): Promise<FileTree> {
  const files: string[] = [];
  await walk(root, [], files);
  const sizes = new Map<string, number>();
  for (const file of files) sizes.set(file, (await stat(systemPath(join(root, file)))).size);
  return {
    name: root,
    files: sortCodePoints(files),
    sizeOf: (file) => sizes.get(file) ?? 0,
    text: async (file) => {
      const size = sizes.get(file);
      if (size === undefined) return undefined;
      checkText(`${root}/${file}`, size);
      const reader = await openBytes(join(root, file));
      try {
        return decoded(await reader.take(size, file));
      } finally {
        await reader.close();
      }
    },
    store: async (chosen) => ({ kind: 'files', paths: chosen.map((file) => join(root, file)) }),
  };
}

async function walk(root: string, place: readonly string[], files: string[]): Promise<void> {
  if (place.length > deepest) throw new DataError(`${join(root, ...place)}: folders are nested deeper than ${deepest}`);
  const names = await readFolder(join(root, ...place));
  for (const file of names.files) if (!isMacDouble(file) && !isStray(file)) files.push([...place, file].join('/'));
  if (files.length > mostFiles) throw new DataError(`${root}: holds more than the ${mostFiles} files allowed`);
  for (const folder of names.folders) if (!isStray(folder)) await walk(root, [...place, folder], files);
}

/** The archive streams by once for names and texts, and once more for the recordings that are chosen. */
async function archiveTree(path: string): Promise<FileTree> {
  const sizes = new Map<string, number>();
  const texts = new Map<string, string>();
  await eachFile(path, async ({ name, size, fill }) => {
    const file = plainName(name, path);
    sizes.set(file, size);
    if (!textName.test(file) || size > largestText) return;
    const bytes = new Uint8Array(size);
    await fill(bytes);
    texts.set(file, decoded(bytes));
  });
  return {
    name: path,
    files: sortCodePoints([...sizes.keys()]),
    sizeOf: (file) => sizes.get(file) ?? 0,
    text: async (file) => {
      const size = sizes.get(file);
      if (size !== undefined) checkText(`${path}/${file}`, size);
      return texts.get(file);
    },
    store: (chosen) => encodedStore(path, chosen, sizes),
  };
}

async function eachFile(path: string, visit: (file: TarFile) => Promise<void>): Promise<void> {
  const reader = await openBytes(path);
  const wants = (name: string) => name.split('/').every((part) => !isStray(part) && !isMacDouble(part));
  try {
    for await (const file of readTar(reader, wants, defaultTarLimits)) await visit(file);
  } finally {
    await reader.close();
  }
}

async function encodedStore(
  path: string,
  chosen: readonly string[],
  sizes: ReadonlyMap<string, number>,
): Promise<EncodedStore> {
  const ends = new Float64Array(sharedMemory(8 * chosen.length, path));
  const places = new Map<string, number>();
  let length = 0;
  for (const [i, file] of chosen.entries()) {
    places.set(file, i);
    length += sizes.get(file)!;
    ends[i] = length;
  }
  const bytes = sharedBytes(length, `${path}: ${chosen.length} of its files`);
  const missing = new Set(chosen);
  await eachFile(path, async ({ name, size, fill }) => {
    const file = plainName(name, path);
    const place = places.get(file);
    if (place === undefined) return;
    const end = ends[place]!;
    if (size !== end - (place === 0 ? 0 : ends[place - 1]!)) throw changed(path);
    await fill(bytes.subarray(end - size, end));
    missing.delete(file);
  });
  if (missing.size > 0) throw changed(path);
  return { kind: 'encoded', bytes, ends, names: chosen.map((file) => `${path}/${file}`) };
}

function changed(path: string): DataError {
  return new DataError(`${path}: changed while it was read; try again when nobody writes to it`);
}

function checkText(name: string, size: number): void {
  if (size > largestText)
    throw new DataError(`${name}: has ${size} bytes; a list or table of at most ${largestText} was expected`);
}

function decoded(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
