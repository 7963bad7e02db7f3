/** What `predict` takes for a recording that is stored as pictures: a folder of them, or a folder of such folders. */
import { join } from 'node:path';
import { openPictureFolder, pictureNames, readPictures } from '../data/events/pictureStore.js';
import type { RecordedPictures } from '../data/events/recordedPictures.js';
import { locate, readFolder } from '../data/fileNames.js';
import { compareNatural, isStray } from '../data/names.js';
import { UsageError } from '../errors.js';
import type { Io } from './io.js';

/**
 * The recordings that an argument names: the folder itself where pictures lie in it, else the folders in it that hold some, in order.
 *
 * @throws UsageError when there are none.
 */
export async function pictureFoldersOf(argument: string): Promise<readonly string[]> {
  const place = await locate(argument);
  const { files, folders } = await readFolder(place).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(
      `${argument}: cannot be read as a folder (${cause.code}); this model looks at recordings that are folders of pictures`,
      { cause },
    );
  });
  if (pictureNames(files).length > 0) return [place];
  const found: string[] = [];
  for (const folder of folders.filter((name) => !isStray(name)).sort(compareNatural)) {
    const below = join(place, folder);
    if (pictureNames((await readFolder(below)).files).length > 0) found.push(below);
  }
  if (found.length > 0) return found;
  throw new UsageError(`${argument}: holds no pictures, nor does a folder in it; name the folder of a recording`);
}

/** @throws DataError or ImageError naming the folder or the picture that cannot be read. */
export async function readPictureRecording(_io: Io, source: string): Promise<RecordedPictures> {
  return readPictures(await openPictureFolder(source));
}
