/** Image files in one folder and the texts beside them: what annotations are read from. For Node. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from './errors.js';
import { locate, readFolder, systemPath } from './fileNames.js';
import { isImageName, isMacDouble, sortCodePoints } from './names.js';

/** See {@link openAnnotatedFiles}. */
export interface AnnotatedFolder {
  readonly name: string;
  /** Names of the image files, sorted. */
  readonly images: readonly string[];
  /** Of these files. */
  readonly paths: readonly string[];
  text(name: string): Promise<string | undefined>;
}

/** More is no table of numbers. */
const mostBytes = 256 * 1024 * 1024;

/**
 * The images of a folder, or of the folder `train` or `test` in it.
 *
 * @param split A set without these folders is all of both.
 * @throws DataError when it is no folder or holds no images.
 */
export async function openAnnotatedFiles(path: string, split: 'train' | 'test'): Promise<AnnotatedFolder> {
  const whole = await locate(path);
  const outer = await contentOf(whole, path);
  const folder = outer.folders.includes(split) ? join(whole, split) : whole;
  const { files } = folder === whole ? outer : await contentOf(folder, folder);
  const images = sortCodePoints(files.filter((name) => isImageName(name) && !isMacDouble(name)));
  if (images.length === 0) throw new DataError(`${folder}: holds no images; give a folder with image files`);
  return {
    name: folder,
    images,
    paths: images.map((name) => join(folder, name)),
    text: async (name) => (files.includes(name) ? textOf(join(folder, name)) : undefined),
  };
}

async function contentOf(place: string, name: string) {
  return readFolder(place).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`${name}: cannot be read as a folder (${cause.code}); give a folder of images`, { cause });
  });
}

async function textOf(path: string): Promise<string> {
  const bytes = await readFile(systemPath(path)).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`${path}: cannot be read (${cause.code}); check its permissions`, { cause });
  });
  if (bytes.length > mostBytes)
    throw new DataError(`${path}: has ${bytes.length} bytes, expected at most ${mostBytes}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DataError(`${path}: is not a text in UTF-8; save it as one`, { cause });
  }
}
