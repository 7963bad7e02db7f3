/**
 * The library for browsers: the same engine, graph and checkpoints, images decoded by the browser itself. No Node module is reachable.
 *
 * @packageDocumentation
 */

import { ownBytes } from './api/images.js';
import type { ImageSource, Model } from './api/model.js';
import {
  type CheckpointSource,
  type LoadOptions,
  type ModelSource,
  modelFrom,
  type Platform,
} from './api/openModel.js';
import { ImageError } from './data/errors.js';
import { fetchImage } from './data/fetchImage.js';
import { type RgbImage, rgbFromRgba } from './data/image.js';
import { UsageError } from './errors.js';
import { openCheckpoint } from './interop/openCheckpoint.js';
import { fileFromBlob, fileFromBytes, type RandomAccessFile } from './interop/randomAccessFile.js';
import { openRemoteFile } from './interop/remoteFile.js';

export * from './api/common.js';

/**
 * Loads a model, ready to classify.
 *
 * @param source A registered model's name, or a checkpoint as a file, as bytes or as the address it can be fetched from. By default the
 *   bundled model.
 * @throws UsageError for an unknown name or option, or an address that does not answer; CheckpointError for a file that is not a
 *   Meta-SpikeFormer's weights.
 */
export function loadModel(source: ModelSource = {}, options: LoadOptions = {}): Promise<Model> {
  return modelFrom(source, options, platform);
}

const platform: Platform = { decode, open: async (source) => openCheckpoint(await checkpointFile(source)) };

async function checkpointFile(source: CheckpointSource): Promise<RandomAccessFile> {
  if (typeof source === 'string' || source instanceof URL) return openRemoteFile(source);
  return source instanceof Blob ? fileFromBlob(source) : fileFromBytes(ownBytes(source));
}

async function decode(image: ImageSource): Promise<RgbImage> {
  if (typeof image === 'string' || image instanceof URL) return decode(await fetchImage(image));
  if (image instanceof Uint8Array || image instanceof ArrayBuffer) return decode(new Blob([new Uint8Array(image)]));
  if (!(image instanceof Blob)) return image;
  // As the training data was read: no EXIF orientation, no colour profile.
  const options = { imageOrientation: 'none', colorSpaceConversion: 'none', premultiplyAlpha: 'none' } as const;
  const bitmap = await createImageBitmap(image, options as unknown as ImageBitmapOptions).catch((cause: unknown) => {
    const name = image instanceof File ? image.name : 'image data';
    throw new ImageError(`${name}: this browser cannot decode it as an image; give a JPEG, PNG or WebP file`, {
      cause,
    });
  });
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
  if (!context)
    throw new UsageError('image: this browser has no two-dimensional canvas outside the page; pass pixels instead');
  context.drawImage(bitmap, 0, 0);
  const { width, height, data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  bitmap.close();
  return rgbFromRgba(width, height, data);
}
