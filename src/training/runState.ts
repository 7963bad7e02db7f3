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
import { describedBy, type ModelDescription } from '../interop/modelDescription.js';
import type { TensorData } from '../interop/tensorData.js';
import type { AnyMetric } from '../tasks/registry.js';
import type { Sums } from '../tasks/task.js';
import { type DataFingerprint, type PackedFingerprint, unpack } from './dataFingerprint.js';
import { TrainingError } from './errors.js';
import { allFinite, requireFiniteTensors } from './finiteness.js';
import { MovingAverage } from './movingAverage.js';
import { upperHalves } from './optimizers/roundedMoments.js';
import type { Recipe } from './recipe.js';
import type { TrainedNetwork } from './trainingStep.js';

const count = z.number().int().min(0);

/** Numbers of a run that are not tensors. Beside these there are the metric's sums over the epoch, such as `epochCorrect`. */
const progressFields = {
  /** Updates made. */
  step: count,
  epoch: count,
  /** Batches of the epoch that are done. */
  batch: count,
  optimizerSteps: count,
  averageUpdates: count,
  /** `{epoch, accuracy}`: the best epoch and the metric's figure under its name. */
  best: z.object({ epoch: count }).catchall(z.number()).nullable(),
  /** Sums over the epoch so far, for its line of metrics. */
  epochLoss: z.number(),
  epochImages: count,
} as const;
const progressSchema = z.object(progressFields).catchall(z.number());

type ProgressFile = z.output<typeof progressSchema>;

export interface Progress extends Omit<z.output<z.ZodObject<typeof progressFields>>, 'best'> {
  readonly best: { readonly epoch: number; readonly figure: number } | null;
  /** By the names of `Metric.progress`. */
  readonly epochSums: Sums;
}

/** The part of a metric that a state names. */
type NamingMetric = Pick<AnyMetric, 'name' | 'progress'>;

export function freshProgress({ progress: { sums } }: NamingMetric): Progress {
  return {
    step: 0,
    epoch: 0,
    batch: 0,
    optimizerSteps: 0,
    averageUpdates: 0,
    best: null,
    epochLoss: 0,
    epochSums: Object.fromEntries(sums.map((name) => [name, 0])),
    epochImages: 0,
  };
}

function toFile(progress: Progress, { name }: NamingMetric): object {
  const { step, epoch, batch, optimizerSteps, averageUpdates, best, epochLoss, epochSums, epochImages } = progress;
  const sums = Object.entries(epochSums).map(([sum, value]) => [epochName(sum), value] as const);
  return {
    ...{ step, epoch, batch, optimizerSteps, averageUpdates },
    best: best === null ? null : { epoch: best.epoch, [name]: best.figure },
    epochLoss,
    ...Object.fromEntries(sums),
    epochImages,
  };
}

function fromFile(file: ProgressFile, { name, progress }: NamingMetric): Progress {
  const { step, epoch, batch, optimizerSteps, averageUpdates, best, epochLoss, epochImages } = file;
  return {
    ...{ step, epoch, batch, optimizerSteps, averageUpdates, epochLoss, epochImages },
    best: best === null ? null : { epoch: best.epoch, figure: z.number().parse(best[name]) },
    epochSums: Object.fromEntries(progress.sums.map((sum) => [sum, z.number().parse(file[epochName(sum)])])),
  };
}

function epochName(sum: string): string {
  return `epoch${sum.charAt(0).toUpperCase()}${sum.slice(1)}`;
}

/** The mutable parts of a run. */
export interface RunParts {
  readonly network: TrainedNetwork;
  /** Moving averages of the weights and of the running statistics. */
  readonly averages: { readonly weights: MovingAverage; readonly statistics: MovingAverage } | undefined;
}

/** As the recipe asks for them, of the network as it begins. */
export function averagesOf(network: TrainedNetwork, recipe: Recipe): RunParts['averages'] {
  if (recipe.movingAverage === null) return undefined;
  const settings = { decay: recipe.movingAverage, warmUp: true };
  return {
    weights: new MovingAverage(network.weights, settings),
    statistics: new MovingAverage(network.statistics, settings),
  };
}

const optimizerPrefix = 'optimizer.';

export function statePath(output: string): string {
  return join(output, 'state.safetensors');
}

/** What a state says beside numbers: under which recipe and on which data it was made. */
export interface RunRecord {
  readonly recipe: unknown;
  /** As it stands in the state, see `progressOf`. */
  readonly progress: ProgressFile;
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
  metric: NamingMetric,
  { recipe, dataPath, data }: StateOrigin,
): Promise<void> {
  const { network, averages } = parts;
  const values = new Map<string, Float32Array>();
  for (const [name, found] of network.parameters()) values.set(`network.${name}`, found);
  // Copies: what the engine has may lie in memory that its threads share, which not everything takes.
  for (const [name, found] of network.optimizer.state()) values.set(optimizerPrefix + name, found.slice());
  for (const [name, kept] of network.memory) values.set(`objective.${name}`, kept);
  if (averages) {
    values.set('average.weights', averages.weights.average);
    values.set('average.statistics', averages.statistics.average);
  }
  requireFiniteTensors(statePath(output), values);
  const tensors = new Map<string, TensorData>();
  for (const [name, found] of values) {
    const shape = [found.length];
    const isRounded = network.hasRoundedMoments && name.startsWith(optimizerPrefix);
    tensors.set(
      name,
      isRounded ? { dtype: 'bfloat16', shape, data: upperHalves(found) } : { dtype: 'float32', shape, data: found },
    );
  }
  tensors.set('data.images', { dtype: 'uint8', shape: [data.text.length], data: data.text });
  tensors.set('data.sums', { dtype: 'uint8', shape: [data.sums.length], data: data.sums });
  await writeSafetensors(statePath(output), tensors, {
    progress: JSON.stringify(toFile(progress, metric)),
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
 * How far the run got, in the words of its metric.
 *
 * @throws TrainingError when the state is of another metric.
 */
export function progressOf({ progress }: RunRecord, metric: NamingMetric, output: string): Progress {
  try {
    return fromFile(progress, metric);
  } catch (cause) {
    throw new TrainingError(`${statePath(output)}: does not say how far the run got; it is not the state of a run`, {
      cause,
    });
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
    network.optimizer.restore(withPrefix(tensors, optimizerPrefix), { steps: progress.optimizerSteps });
    restoreMemory(path, network.memory, withPrefix(tensors, 'objective.'));
    averages?.weights.restore(averageOf(tensors, 'weights'), { updates: progress.averageUpdates });
    averages?.statistics.restore(averageOf(tensors, 'statistics'), { updates: progress.averageUpdates });
  } finally {
    await checkpoint.close();
  }
}

function restoreMemory(
  path: string,
  memory: ReadonlyMap<string, Float32Array>,
  stored: ReadonlyMap<string, Float32Array>,
): void {
  for (const [name, kept] of memory) {
    const found = stored.get(name);
    if (found?.length !== kept.length)
      throw new TrainingError(`${path}: has no ${name} of the objective; the file is damaged`);
    kept.set(found);
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

function parseProgress(text: string | undefined, path: string): ProgressFile {
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
