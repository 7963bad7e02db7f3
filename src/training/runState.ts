/**
 * What a run leaves on disk. `state.safetensors` is everything needed to continue bit for bit: weights, running statistics, optimizer,
 * moving averages, place in the data, and the recipe. `last.safetensors` and `best.safetensors` are models to be loaded. Every
 * file is written to a temporary one and renamed, so a kill at any moment leaves the one before.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { openCheckpointFile, writeSafetensors } from '../interop/checkpointFiles.js';
import { CheckpointError } from '../interop/errors.js';
import { isSystemError } from '../interop/fileReasons.js';
import { describedBy, type ModelDescription } from '../interop/loadParameters.js';
import type { TensorData } from '../interop/tensorData.js';
import { type DataFingerprint, type PackedFingerprint, unpack } from './dataFingerprint.js';
import { TrainingError } from './errors.js';
import { allFinite, requireFiniteTensors } from './finiteness.js';
import type { MovingAverage } from './movingAverage.js';
import type { TrainedNetwork } from './trainingStep.js';

/** Numbers of a run that are not tensors. */
const progressSchema = z.strictObject({
  /** Updates made. */
  step: z.number().int().min(0),
  epoch: z.number().int().min(0),
  /** Batches of the epoch that are done. */
  batch: z.number().int().min(0),
  optimizerSteps: z.number().int().min(0),
  averageUpdates: z.number().int().min(0),
  best: z.strictObject({ epoch: z.number().int().min(0), accuracy: z.number().min(0).max(1) }).nullable(),
  /** Sums over the epoch so far, for its line of metrics. */
  epochLoss: z.number(),
  epochCorrect: z.number().int().min(0),
  epochImages: z.number().int().min(0),
});

export type Progress = z.output<typeof progressSchema>;

export const freshProgress: Progress = {
  step: 0,
  epoch: 0,
  batch: 0,
  optimizerSteps: 0,
  averageUpdates: 0,
  best: null,
  epochLoss: 0,
  epochCorrect: 0,
  epochImages: 0,
};

/** The mutable parts of a run. */
export interface RunParts {
  readonly network: TrainedNetwork;
  /** Moving averages of the weights and of the running statistics. */
  readonly averages: { readonly weights: MovingAverage; readonly statistics: MovingAverage } | undefined;
}

export function statePath(output: string): string {
  return join(output, 'state.safetensors');
}

/** What a state says beside numbers: under which recipe and on which data it was made. */
export interface RunRecord {
  readonly recipe: unknown;
  readonly progress: Progress;
  /** Where the data was; undefined when nobody said. */
  readonly dataPath: string | undefined;
  /** Undefined in states of versions before. */
  readonly data: DataFingerprint | undefined;
}

export interface StateOrigin {
  readonly recipe: unknown;
  readonly dataPath: string | undefined;
  readonly data: PackedFingerprint;
}

export async function saveState(
  output: string,
  parts: RunParts,
  progress: Progress,
  { recipe, dataPath, data }: StateOrigin,
): Promise<void> {
  const { network, averages } = parts;
  const values = new Map<string, Float32Array>();
  for (const [name, found] of network.parameters()) values.set(`network.${name}`, found);
  for (const [name, found] of network.optimizer.state()) values.set(`optimizer.${name}`, found);
  if (averages) {
    values.set('average.weights', averages.weights.average);
    values.set('average.statistics', averages.statistics.average);
  }
  requireFiniteTensors(statePath(output), values);
  const tensors = new Map<string, TensorData>();
  for (const [name, found] of values) tensors.set(name, { dtype: 'float32', shape: [found.length], data: found });
  tensors.set('data.images', { dtype: 'uint8', shape: [data.text.length], data: data.text });
  tensors.set('data.sums', { dtype: 'uint8', shape: [data.sums.length], data: data.sums });
  await writeSafetensors(statePath(output), tensors, {
    progress: JSON.stringify(progress),
    recipe: JSON.stringify(recipe),
    ...(dataPath === undefined ? {} : { dataPath }),
  });
}

/** What a checkpoint's own message advises (copy it again, name another) is no help for a state: there is no other. */
async function openState(path: string): ReturnType<typeof openCheckpointFile> {
  try {
    return await openCheckpointFile(path);
  } catch (cause) {
    if (!(cause instanceof CheckpointError) || isSystemError(cause.cause)) throw cause;
    const found = cause.message.replace(`${path}: `, '').replace(/; [^;]*$/, '');
    throw new TrainingError(
      `${path}: cannot be resumed from: ${found}; put back a copy of it, or begin anew with another --output`,
      { cause },
    );
  }
}

/** @throws TrainingError for a file that is damaged or not the state of a run. */
export async function readRecord(output: string): Promise<RunRecord> {
  const path = statePath(output);
  const checkpoint = await openState(path);
  try {
    const { progress, recipe, dataPath } = checkpoint.metadata;
    const bytes = async (name: string) => (await checkpoint.tensors.get(name)?.readBytes()) ?? new Uint8Array();
    const data = unpack({ text: await bytes('data.images'), sums: await bytes('data.sums') });
    return { recipe: parseRecipeText(recipe, path), progress: parseProgress(progress, path), dataPath, data };
  } finally {
    await checkpoint.close();
  }
}

/**
 * Restores a run's parts from what `saveState` wrote.
 *
 * @throws TrainingError when the state is damaged.
 */
export async function restoreState(output: string, parts: RunParts, progress: Progress): Promise<void> {
  const path = statePath(output);
  const checkpoint = await openState(path);
  try {
    const tensors = new Map<string, Float32Array>();
    for (const [name, tensor] of checkpoint.tensors)
      if (!name.startsWith('data.')) tensors.set(name, await tensor.readFloat32());
    requireFiniteState(path, tensors);
    const { network, averages } = parts;
    const weights = withPrefix(tensors, 'network.');
    for (const [name, values] of network.parameters()) {
      if (weights.get(name)?.length !== values.length)
        throw new TrainingError(`${path}: has no weights for ${name}; the file is damaged`);
    }
    network.load(weights);
    network.optimizer.restore(withPrefix(tensors, 'optimizer.'), { steps: progress.optimizerSteps });
    averages?.weights.restore(averageOf(tensors, 'weights'), { updates: progress.averageUpdates });
    averages?.statistics.restore(averageOf(tensors, 'statistics'), { updates: progress.averageUpdates });
  } finally {
    await checkpoint.close();
  }
}

function requireFiniteState(path: string, tensors: ReadonlyMap<string, Float32Array>): void {
  for (const [name, values] of tensors) {
    if (!allFinite(values))
      throw new TrainingError(
        `${path}: ${name} is not finite; the run cannot continue from here; begin again with a lower learning rate`,
      );
  }
}

/** Writes a model that `loadModel` takes: weights (averaged if the recipe says so) and what it says of itself. */
export async function saveModel(
  output: string,
  file: 'last' | 'best',
  parameters: ReadonlyMap<string, Float32Array>,
  shapes: ReadonlyMap<string, readonly number[]>,
  description: ModelDescription,
): Promise<void> {
  requireFiniteTensors(join(output, `${file}.safetensors`), parameters);
  const tensors = new Map<string, TensorData>();
  for (const [name, data] of parameters) tensors.set(name, { dtype: 'float32', shape: shapes.get(name)!, data });
  await writeSafetensors(join(output, `${file}.safetensors`), tensors, describedBy(description));
}

function parseProgress(text: string | undefined, path: string): Progress {
  try {
    return progressSchema.parse(JSON.parse(text ?? ''));
  } catch (cause) {
    throw new TrainingError(`${path}: does not say how far the run got; it is not the state of a run`, { cause });
  }
}

function parseRecipeText(text: string | undefined, path: string): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch (cause) {
    throw new TrainingError(`${path}: does not say which recipe made it; it is not the state of a run`, {
      cause,
    });
  }
}

function withPrefix(tensors: ReadonlyMap<string, Float32Array>, prefix: string): Map<string, Float32Array> {
  const found = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(found.map(([name, values]) => [name.slice(prefix.length), values]));
}

function averageOf(tensors: ReadonlyMap<string, Float32Array>, what: string): Map<string, Float32Array> {
  const values = tensors.get(`average.${what}`);
  return new Map(values ? [['average', values]] : []);
}
