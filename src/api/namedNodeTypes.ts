/** As `namedTypes.ts`, for what there is in Node only: data sets, evaluation, training, files. */

export type { AnyDataset, Dataset as SampleDataset } from '../data/datasets/dataset.js';
export type { EncodedStore, FileStore, ImageStore, PixelStore } from '../data/datasets/imageStore.js';
export type { ImageDataset } from '../data/datasets/images.js';
export type { Split } from '../data/datasets/layout.js';
export type { OpenDatasetOptions } from '../data/datasets/openDataset.js';
export type { DecodingOptions } from '../data/datasets/smallImages.js';
export type { PictureStore } from '../data/events/pictureStore.js';
export type { Clips, RecordingStore } from '../data/events/recordingStore.js';
export type { RecordingDataset } from '../data/events/recordings.js';
export type { Box } from '../data/geometry/boxes.js';
export type { FoundFolder, ImageSample } from '../data/imageFolder.js';
export type { BoxTargets, LabelledBox } from '../data/targets/boxes.js';
export type { ClassTargets } from '../data/targets/classes.js';
export type { TargetOf, TargetStore } from '../data/targets/registry.js';
export type { ValueTargets } from '../data/targets/values.js';
export type * from '../engines/trainingKernels.js';
export type { PthOptions } from '../interop/pthWriter.js';
export type { BatchOptions, ImageBatch, ImageFolder } from '../loader/imageFolder.js';
export type { Shard } from '../loader/shard.js';
export type { AccuracyCounts, ClassCounts } from '../metrics/accuracy.js';
export type { PictureAugmentation } from '../modalities/eventPictures/settings.js';
export type { EventAugmentation } from '../modalities/events/augmentationSettings.js';
export type { AugmentationSettings } from '../modalities/image/settings.js';
export type { AnyAugmentation } from '../modalities/inputs.js';
export type { DataReading, ParsedRecipe, RecipeModel } from '../training/recipe.js';
export type { EvaluateOptions } from './evaluate.js';
export type { EvaluationDataOptions } from './evaluationData.js';
