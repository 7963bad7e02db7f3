/**
 * The library for Node. `loadModel` is the front door; the rest is for those who build their own.
 *
 * @packageDocumentation
 */
import { fileURLToPath } from 'node:url';
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
import { decodeImage } from './data/decode.js';
import { sourceFromBlob, sourceFromBytes } from './data/events/byteSource.js';
import { readEvents } from './data/events/openEvents.js';
import { openPictureFolder, readPictures } from './data/events/pictureStore.js';
import { readEventFile } from './data/events/readEventFile.js';
import type { RecordedPictures } from './data/events/recordedPictures.js';
import { fetchImage } from './data/fetchImage.js';
import type { RgbImage } from './data/image.js';
import type { SkeletonSample } from './data/skeletons/preparations.js';
import { parseSkeletons } from './data/skeletons/readSkeleton.js';
import { readSkeletonFile } from './data/skeletons/sequenceStore.js';
import { UsageError } from './errors.js';
import type { Checkpoint } from './interop/checkpoint.js';
import { openCheckpointFile } from './interop/checkpointFiles.js';
import { openCheckpoint } from './interop/openCheckpoint.js';
import { fileFromBlob, fileFromBytes } from './interop/randomAccessFile.js';
import { openRemoteFile } from './interop/remoteFile.js';
import type { RecordedEvents } from './modalities/events/eventsInput.js';

export * from './api/common.js';
export {
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type LabelledBatch,
  matchClasses,
} from './api/evaluate.js';
export { type EvaluationData, openEvaluationData } from './api/evaluationData.js';
export { openCheckpointFile, writeOnnx, writePth, writeSafetensors } from './api/files.js';
export type * from './api/namedNodeTypes.js';
export { holdOut } from './data/datasets/dataset.js';
export type { LabelledImages as Dataset } from './data/datasets/images.js';
export { openDataset } from './data/datasets/openDataset.js';
export { decodeImage } from './data/decode.js';
export { type OpenRecordingsOptions, openRecordings } from './data/events/datasets/openRecordings.js';
export {
  type LabelledPictures,
  type OpenPicturesOptions,
  openPictureFolders,
} from './data/events/datasets/pictureFolders.js';
export type { LabelledRecordings } from './data/events/recordings.js';
export { type OpenSegmentationOptions, openSegmentation } from './data/segmentation/openSegmentation.js';
export { type OpenSkeletonsOptions, openSkeletons } from './data/skeletons/openSkeletons.js';
export type { LabelledSequences } from './data/skeletons/sequences.js';
export { openImageFolder } from './loader/imageFolder.js';
export { createTrainingEngine } from './runtime/engines.js';
export { readGalleryFile, writeGalleryFile } from './search/galleryFile.js';
export {
  type Described,
  type IndexOptions,
  type IndexReport,
  indexImages,
  type Undescribed,
} from './search/indexImages.js';
export { parseRecipe, type Recipe } from './training/recipe.js';
export { openRecipe, recipeNames } from './training/recipeFiles.js';
export {
  type ProgressReport,
  type RunResult as TrainingResult,
  type RunSettings,
  train,
} from './training/trainingRun.js';

/**
 * Loads a model, ready to classify.
 *
 * @param source A registered model's name, or a checkpoint (`.pth`, `.pth.tar`, `.safetensors`) as a path, an address, a file or bytes. By
 *   default the bundled model.
 * @throws UsageError for an unknown name or option; CheckpointError for a file that is not a Meta-SpikeFormer's weights.
 */
export function loadModel(source: ModelSource = {}, options: LoadOptions = {}): Promise<Model> {
  return modelFrom(source, options, platform);
}

const platform: Platform = {
  decode: { image: decode, events: readRecording, eventPictures: readPictureRecording, skeletons: readSkeletons },
  open,
};

async function open(source: CheckpointSource): Promise<Checkpoint> {
  if (typeof source === 'string') return openCheckpointFile(source);
  if (source instanceof URL)
    return source.protocol === 'file:'
      ? openCheckpointFile(fileURLToPath(source))
      : openCheckpoint(await openRemoteFile(source));
  return openCheckpoint(source instanceof Blob ? fileFromBlob(source) : fileFromBytes(ownBytes(source)));
}

async function decode(image: ImageSource): Promise<RgbImage> {
  if (typeof image === 'string' || image instanceof Uint8Array) return decodeImage(image);
  if (image instanceof URL) return decodeAddress(image);
  if (image instanceof ArrayBuffer) return decodeImage(new Uint8Array(image));
  if (image instanceof Blob) return decodeImage(new Uint8Array(await image.arrayBuffer()), nameOf(image));
  return image;
}

async function decodeAddress(address: URL): Promise<RgbImage> {
  if (address.protocol === 'file:') return decodeImage(fileURLToPath(address));
  return decodeImage(await fetchImage(address), address.href);
}

/** The whole recording in memory, whatever its format. */
async function readRecording(recording: RecordingSource): Promise<RecordedEvents> {
  if (typeof recording === 'string') return readEventFile(recording);
  if (recording instanceof URL)
    return recording.protocol === 'file:'
      ? readEventFile(fileURLToPath(recording))
      : readEvents(sourceFromBytes(await fetchImage(recording), recording.pathname));
  if (recording instanceof Uint8Array) return readEvents(sourceFromBytes(recording));
  if (recording instanceof ArrayBuffer) return readEvents(sourceFromBytes(new Uint8Array(recording)));
  return recording instanceof Blob ? readEvents(sourceFromBlob(recording)) : recording;
}

async function readSkeletons(sequence: SkeletonSource): Promise<SkeletonSample> {
  if (typeof sequence === 'string') return readSkeletonFile(sequence);
  if (sequence instanceof URL)
    return sequence.protocol === 'file:'
      ? readSkeletonFile(fileURLToPath(sequence))
      : parseSkeletons(await fetchImage(sequence), sequence.pathname);
  if (sequence instanceof Uint8Array) return parseSkeletons(sequence, 'sequence');
  if (sequence instanceof ArrayBuffer) return parseSkeletons(new Uint8Array(sequence), 'sequence');
  if (!(sequence instanceof Blob)) return sequence;
  return parseSkeletons(new Uint8Array(await sequence.arrayBuffer()), nameOf(sequence) ?? 'sequence');
}

/** All pictures of a folder, in memory. */
async function readPictureRecording(recording: PictureRecordingSource): Promise<RecordedPictures> {
  const path = recording instanceof URL && recording.protocol === 'file:' ? fileURLToPath(recording) : recording;
  if (typeof path === 'string') return readPictures(await openPictureFolder(path));
  if ('pictures' in path) return path;
  throw new UsageError('recording: a folder of pictures is read from a path; pass that, or its decoded pictures');
}

/** A `File` is told by its name, which plain data have not. */
function nameOf(blob: Blob & { readonly name?: unknown }): string | undefined {
  return typeof blob.name === 'string' ? blob.name : undefined;
}
