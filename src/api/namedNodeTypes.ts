/** As `namedTypes.ts`, for what there is in Node only: data sets, evaluation, training, files. */
export type { AugmentationSettings } from '../data/augment/settings.js';
export type { EncodedStore, FileStore, ImageStore, PixelStore } from '../data/datasets/dataset.js';
export type { Split } from '../data/datasets/layout.js';
export type { OpenDatasetOptions } from '../data/datasets/openDataset.js';
export type { DecodingOptions } from '../data/datasets/smallImages.js';
export type { BatchOptions, ImageBatch, ImageFolder, ImageSample, Shard } from '../data/imageFolder.js';
export type * from '../engines/trainingKernels.js';
export type { PthOptions } from '../interop/pthWriter.js';
export type { AccuracyCounts, ClassCounts } from '../metrics/accuracy.js';
export type { ParsedRecipe } from '../training/recipe.js';
export type { EvaluateOptions } from './evaluate.js';
export type { EvaluationDataOptions } from './evaluationData.js';
