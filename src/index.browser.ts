/**
 * The library for browsers: the same engine, graph and checkpoints, images decoded by the browser itself. No Node module is reachable.
 *
 * @packageDocumentation
 */
import { ImageError } from './data/errors.js';
import { type RgbImage, rgbFromRgba } from './data/image.js';
import { UsageError } from './errors.js';
import { openCheckpoint } from './interop/openCheckpoint.js';
import { fileFromBlob, fileFromBytes } from './interop/randomAccessFile.js';
import { type LoadOptions, modelFromCheckpoint, modelFromName, type Platform } from './library/buildModel.js';
import type { ImageSource, Model } from './library/model.js';
import { defaultModelName } from './library/registry.js';

export * from './library/common.js';

/**
 * Loads a model, ready to classify.
 *
 * @param source A registered model's name, or a checkpoint as a file, as bytes or as the address it can be fetched from.
 * @throws UsageError for an unknown name or an address that does not answer; CheckpointError for a file that is not a
 *   Meta-SpikeFormer's weights.
 */
export async function loadModel(
  source: { readonly model?: string; readonly checkpoint?: Blob | Uint8Array | string | URL } = {},
  options: LoadOptions = {},
): Promise<Model> {
  if (source.checkpoint === undefined) return modelFromName(source.model ?? defaultModelName, options, platform);
  const checkpoint = await openCheckpoint(await checkpointFile(source.checkpoint));
  try {
    return await modelFromCheckpoint(checkpoint, options, platform);
  } finally {
    await checkpoint.close();
  }
}

const platform: Platform = { decode, openPackaged: async (address) => openCheckpoint(await checkpointFile(address)) };

async function checkpointFile(source: Blob | Uint8Array | string | URL) {
  if (source instanceof Blob) return fileFromBlob(source);
  if (source instanceof Uint8Array) return fileFromBytes(source);
  const response = await fetch(source);
  if (!response.ok) throw new UsageError(`${source}: the server answered ${response.status} ${response.statusText}`);
  return fileFromBytes(new Uint8Array(await response.arrayBuffer()), String(source));
}

async function decode(image: ImageSource): Promise<RgbImage> {
  if (typeof image === 'string') return decode(await (await fetch(image)).blob());
  if (image instanceof Uint8Array) return decode(new Blob([new Uint8Array(image)]));
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
