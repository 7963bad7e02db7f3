/** Galleries by path, for Node. */
import { openNodeFile, writeNodeFile } from '../interop/nodeFile.js';
import { type Gallery, galleryParts, openGallery } from './gallery.js';

/** @throws SearchError or CheckpointError, as `openGallery`; CheckpointError when there is no such file. */
export async function readGalleryFile(path: string): Promise<Gallery> {
  const file = await openNodeFile(path);
  try {
    return await openGallery(file);
  } finally {
    await file.close();
  }
}

/** What was at `path` is replaced only when the new file is complete. @throws SearchError when the gallery contradicts itself. */
export async function writeGalleryFile(path: string, gallery: Gallery): Promise<void> {
  await writeNodeFile(path, galleryParts(gallery));
}
