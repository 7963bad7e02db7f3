/**
 * The library for Node. `loadModel` is the front door; the rest is for those who build their own.
 *
 * @packageDocumentation
 */
import { fileURLToPath } from 'node:url';
import { decodeImage } from './data/decode.js';
import type { RgbImage } from './data/image.js';
import { UsageError } from './errors.js';
import { openCheckpointFile } from './interop/checkpointFiles.js';
import { type LoadOptions, modelFromCheckpoint, modelFromName, type Platform } from './library/buildModel.js';
import type { ImageSource, Model } from './library/model.js';
import { defaultModelName } from './library/registry.js';

export { type Dataset, holdOut } from './data/datasets/dataset.js';
export { openDataset } from './data/datasets/openDataset.js';
export { decodeImage } from './data/decode.js';
export { openImageFolder } from './data/imageFolder.js';
export * from './library/common.js';
export { type Evaluation, evaluate, type LabelledBatch, matchClasses } from './library/evaluate.js';
export { type EvaluationData, openEvaluationData } from './library/evaluationData.js';
export { openCheckpointFile, writeOnnx, writePth, writeSafetensors } from './library/files.js';
export { createTrainingEngine } from './runtime/engines.js';
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
 * @param source A registered model's name, or the path of a checkpoint (`.pth`, `.pth.tar`, `.safetensors`). By default the bundled model.
 * @throws UsageError for an unknown name; CheckpointError for a file that is not a Meta-SpikeFormer's weights.
 */
export async function loadModel(
  source: { readonly model?: string; readonly checkpoint?: string } = {},
  options: LoadOptions = {},
): Promise<Model> {
  if (source.model !== undefined && source.checkpoint !== undefined) {
    throw new UsageError('give either a model or a checkpoint, not both');
  }
  if (source.checkpoint === undefined) return modelFromName(source.model ?? defaultModelName, options, platform);
  const checkpoint = await openCheckpointFile(source.checkpoint);
  try {
    return await modelFromCheckpoint(checkpoint, options, platform);
  } finally {
    await checkpoint.close();
  }
}

const platform: Platform = { decode, openPackaged: (address) => openCheckpointFile(fileURLToPath(address)) };

async function decode(image: ImageSource): Promise<RgbImage> {
  if (typeof image === 'string' || image instanceof Uint8Array) return decodeImage(image);
  if (image instanceof Blob) return decodeImage(new Uint8Array(await image.arrayBuffer()));
  return image;
}
