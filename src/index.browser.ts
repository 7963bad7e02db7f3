/**
 * The library for browsers: the same engine, graph and checkpoints, images decoded by the browser itself. No Node module is reachable.
 *
 * @packageDocumentation
 */

import type { ImageSource, Model, RecordingSource } from './api/model.js';
import type { PictureRecordingSource, SkeletonSource } from './api/modelTypes.js';
import {
  type CheckpointSource,
  type LoadOptions,
  type ModelSource,
  modelFrom,
  type Platform,
} from './api/openModel.js';
import { ownBytes } from './api/samples.js';
import { ImageError } from './data/errors.js';
import { sourceFromBlob, sourceFromBytes } from './data/events/byteSource.js';
import { readEvents } from './data/events/openEvents.js';
import type { RecordedPictures } from './data/events/recordedPictures.js';
import { fetchImage } from './data/fetchImage.js';
import { type RgbImage, rgbFromRgba } from './data/image.js';
import type { SkeletonSample } from './data/skeletons/preparations.js';
import { parseSkeletons } from './data/skeletons/readSkeleton.js';
import { UsageError } from './errors.js';
import { openCheckpoint } from './interop/openCheckpoint.js';
import { fileFromBlob, fileFromBytes, type RandomAccessFile } from './interop/randomAccessFile.js';
import { openRemoteFile } from './interop/remoteFile.js';
import type { RecordedEvents } from './modalities/events/eventsInput.js';

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

const platform: Platform = {
  decode: { image: decodeImage, events: readRecording, eventPictures: readPictureRecording, skeletons: readSkeletons },
  open: async (source) => openCheckpoint(await checkpointFile(source)),
};

async function checkpointFile(source: CheckpointSource): Promise<RandomAccessFile> {
  if (typeof source === 'string' || source instanceof URL) return openRemoteFile(source);
  return source instanceof Blob ? fileFromBlob(source) : fileFromBytes(ownBytes(source));
}

/** The whole recording in memory, whatever its format. */
async function readRecording(recording: RecordingSource): Promise<RecordedEvents> {
  if (typeof recording === 'string' || recording instanceof URL)
    return readEvents(sourceFromBytes(await fetchImage(recording), String(recording)));
  if (recording instanceof Uint8Array) return readEvents(sourceFromBytes(recording));
  if (recording instanceof ArrayBuffer) return readEvents(sourceFromBytes(new Uint8Array(recording)));
  return recording instanceof Blob ? readEvents(sourceFromBlob(recording)) : recording;
}

async function readSkeletons(sequence: SkeletonSource): Promise<SkeletonSample> {
  if (typeof sequence === 'string' || sequence instanceof URL)
    return parseSkeletons(await fetchImage(sequence), String(sequence));
  if (sequence instanceof Uint8Array) return parseSkeletons(sequence, 'sequence');
  if (sequence instanceof ArrayBuffer) return parseSkeletons(new Uint8Array(sequence), 'sequence');
  if (!(sequence instanceof Blob)) return sequence;
  return parseSkeletons(
    new Uint8Array(await sequence.arrayBuffer()),
    sequence instanceof File ? sequence.name : 'sequence',
  );
}

/** A page has no folders. */
async function readPictureRecording(recording: PictureRecordingSource): Promise<RecordedPictures> {
  if (typeof recording === 'object' && 'pictures' in recording) return recording;
  throw new UsageError('recording: a page cannot read a folder of pictures; pass the decoded pictures');
}

/**
 * An image as pixels, as the browser decodes it: no rotation that the file asks for, no colour profile.
 *
 * @throws ImageError when the browser cannot decode it; UsageError for an address that does not answer.
 */
export async function decodeImage(image: ImageSource): Promise<RgbImage> {
  if (typeof image === 'string' || image instanceof URL) return decodeImage(await fetchImage(image));
  if (image instanceof Uint8Array || image instanceof ArrayBuffer)
    return decodeImage(new Blob([new Uint8Array(image)]));
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
