/**
 * Recordings that are stored as folders of pictures, one picture for each window, as plain data that threads can share. A data set of these has
 * millions of files: on disk only folders are kept, and a folder is listed when it is opened. Pictures are decoded when they are asked for. For Node.
 */
import { join } from 'node:path';
import { reasonOf } from '../../interop/fileReasons.js';
import type { EncodedStore, FileStore } from '../datasets/imageStore.js';
import { readImage, storedName } from '../datasets/imageStore.js';
import { DataError } from '../errors.js';
import { readFolder } from '../fileNames.js';
import type { RgbImage } from '../image.js';
import { compareNatural, isImageName, isMacDouble, isStray } from '../names.js';
import type { RecordedPictures } from './recordedPictures.js';

/** Where the pictures of a data set are. It can be sent to another thread. */
export interface PictureStore {
  readonly kind: 'pictures';
  /** The folders on disk, or what messages call those of an archive. */
  readonly folders: readonly string[];
  /** Of an archive: the pictures of recording i are `counts[i]` files from `firsts[i]` on. */
  readonly archive?: { readonly files: EncodedStore; readonly firsts: Int32Array; readonly counts: Int32Array };
}

/** A recording whose pictures are known by number and not read yet. */
export interface OpenedPictures {
  /** What messages call it. */
  readonly name: string;
  readonly count: number;
  /** Where the pictures are: number i is `first + i`. */
  readonly files: EncodedStore | FileStore;
  readonly first: number;
}

/** Of one recording that is read as a whole, decoded: 1 GiB. */
const mostBytes = 2 ** 30;
/** Pictures of one recording that are decoded at once. */
const together = 8;

/** The names of pictures among the files of a folder, in the order of the numbers in them. */
export function pictureNames(files: readonly string[]): string[] {
  return files.filter((file) => isImageName(file) && !isMacDouble(file) && !isStray(file)).sort(compareNatural);
}

/** Throws DataError when the folder cannot be read or holds no pictures. */
export async function openPictureFolder(folder: string): Promise<OpenedPictures> {
  const { files } = await readFolder(folder).catch((cause: Error) => {
    throw new DataError(`${folder}: cannot be read as a folder of pictures: ${reasonOf(cause)}`, { cause });
  });
  const paths = pictureNames(files).map((file) => join(folder, file));
  if (paths.length === 0)
    throw new DataError(
      `${folder}: holds no pictures; a recording is a folder of them, by number (0000.png, 0001.png)`,
    );
  return { name: folder, count: paths.length, files: { kind: 'files', paths }, first: 0 };
}

/** Throws DataError naming the folder when there are no pictures in it any more. */
export async function openPictures({ folders, archive }: PictureStore, position: number): Promise<OpenedPictures> {
  const folder = folders[position]!;
  if (archive === undefined) return openPictureFolder(folder);
  return { name: folder, count: archive.counts[position]!, files: archive.files, first: archive.firsts[position]! };
}

/** Pictures `from` to `from + count` of those that there are. Throws ImageError or DataError naming the file that cannot be decoded. */
export async function readPictures(
  { name, files, first, count: all }: OpenedPictures,
  from = 0,
  count = all,
): Promise<RecordedPictures> {
  const pictures: RgbImage[] = [];
  const end = Math.min(from + count, all);
  let bytes = 0;
  for (let next = from; next < end; next += together) {
    const numbers = Array.from({ length: Math.min(together, end - next) }, (_, i) => first + next + i);
    const decoded = await Promise.all(numbers.map((number) => readImage(files, number)));
    for (const [i, { data }] of decoded.entries()) {
      bytes += data.length;
      if (bytes > mostBytes)
        throw new DataError(
          `${storedName(files, numbers[i]!) ?? name}: the recording is larger than ${mostBytes} bytes up to here; use fewer or smaller pictures`,
        );
    }
    pictures.push(...decoded);
  }
  return { name, pictures };
}
