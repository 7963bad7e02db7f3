/** What a model is for and what it looks at, known before its weights are read: from the checkpoint's header, and the names of its parameters. */
import { fileURLToPath } from 'node:url';
import { registeredModel, weightsAddress } from '../api/shippedModels.js';
import type { TaskDataOptions } from '../api/taskData.js';
import { MetaSpikeformerError } from '../errors.js';
import type { Checkpoint } from '../interop/checkpoint.js';
import { openCheckpointFile } from '../interop/checkpointFiles.js';
import { recogniseCheckpoint } from '../interop/loadParameters.js';
import { descriptionOf } from '../interop/modelDescription.js';
import { modalityOfCheckpoint } from '../modalities/names.js';
import { type AnyTask, defaultTask, knownTasks, taskNamed } from '../tasks/registry.js';

/** What data for a model is opened as. */
export interface AskedData extends TaskDataOptions {
  readonly task: AnyTask;
}

/** What is wrong with the checkpoint is said when it is loaded; until then it counts as a classifier of images. */
export async function dataOfSource({
  model,
  checkpoint,
}: {
  readonly model?: string | undefined;
  readonly checkpoint?: string | undefined;
}): Promise<AskedData> {
  try {
    const path = checkpoint ?? packaged(model);
    return path === undefined ? { task: taskNamed(defaultTask) } : await describedBy(path);
  } catch (error) {
    if (error instanceof MetaSpikeformerError) return { task: taskNamed(defaultTask) };
    throw error;
  }
}

/** Undefined for models without a file. */
function packaged(model: string | undefined): string | undefined {
  if (model === undefined || registeredModel(model).kind !== 'trained') return undefined;
  return fileURLToPath(weightsAddress(model));
}

async function describedBy(path: string): Promise<AskedData> {
  const opened = await openCheckpointFile(path);
  try {
    const { task = taskByParameters(opened), modality, reading } = descriptionOf(opened);
    return { task: taskNamed(task), modality: modalityOfCheckpoint(path, modality), reading };
  } finally {
    await opened.close();
  }
}

/** Of a file that does not name it. */
function taskByParameters(checkpoint: Checkpoint): string {
  return recogniseCheckpoint(checkpoint, {}, knownTasks).task ?? defaultTask;
}
