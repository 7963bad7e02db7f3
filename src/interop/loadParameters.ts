/**
 * From an open checkpoint to a configuration and its parameters: recognises the architecture, compares every name and shape, and
 * reads the weights. Platform-neutral.
 */
import { z } from 'zod';
import { type PreprocessSettings, parsePreprocessSettings } from '../data/preprocess.js';
import { MetaSpikeformerError } from '../errors.js';
import type { Parameters } from '../graph/graph.js';
import {
  type ExpectedArchitecture,
  expectedSettings,
  recogniseConfiguration,
  resolveConfiguration,
  type UnseenOptions,
  unseenOptionNames,
} from '../models/configurations.js';
import type { MetaSpikeformerConfiguration, MetaSpikeformerOptions } from '../models/metaSpikeformer.js';
import { graphOf } from '../models/registry.js';
import { parametersOf } from '../operators/registry.js';
import type { OptionNames } from '../optionNames.js';
import { firstNonFinite } from '../runtime/layout.js';
import { architectureNote, weightsNote } from './architectureNote.js';
import { type Checkpoint, type CheckpointTensor, matchParameters } from './checkpoint.js';
import { CheckpointError, printable } from './errors.js';
import { shardNote } from './shardedCheckpoint.js';
import { type WeightSet, weightSetsOf } from './weightSets.js';

/** Key of our own description in a checkpoint's metadata; foreign checkpoints have none. */
const descriptionKey = 'meta-spikeformer';

const descriptionSchema = z.object({
  configuration: z.record(z.string(), z.unknown()).optional(),
  preprocessing: z.unknown().optional(),
  labels: z.array(z.string().max(200)).max(100_000).optional(),
  description: z.string().max(2000).optional(),
  trainedTimeSteps: z.number().int().min(1).max(10_000).nullable().optional(),
});

/** What a checkpoint of ours says of itself beside its weights. */
export interface ModelDescription {
  readonly configuration?: MetaSpikeformerOptions;
  readonly preprocessing?: PreprocessSettings;
  readonly labels?: readonly string[];
  readonly description?: string;
  /**
   * The time steps of the training, null where nobody knows; files of before this was written down have none.
   * `configuration.timeSteps` is what the network runs with when nothing else is said.
   */
  readonly trainedTimeSteps?: number | null;
}

/** A description as the metadata of a checkpoint that is being written. */
export function describedBy(description: ModelDescription): Record<string, string> {
  return { [descriptionKey]: JSON.stringify(description) };
}

/** What a person says of a checkpoint: settings that leave no trace in shapes, what it should hold, and which of its weights are meant. */
export interface CheckpointOptions extends UnseenOptions, ExpectedArchitecture {
  /** Which weights, of a file that has several: the keys that lead to them, such as `model_ema`. */
  readonly weights?: string;
}

export const checkpointOptionNames: OptionNames<CheckpointOptions> = {
  ...unseenOptionNames,
  weights: true,
  size: true,
  depths: true,
};

/** Which of a file's weights these are. */
export interface ChosenWeights {
  /** `.` for the file's own dictionary, else the keys and modules that lead to it. */
  readonly name: string;
  readonly others: readonly string[];
}

export interface LoadedParameters {
  readonly configuration: MetaSpikeformerConfiguration;
  readonly parameters: Parameters;
  readonly description: ModelDescription;
  readonly weights: ChosenWeights;
  /** What a person should know of the choice of weights and of the network, a line each. */
  readonly notes: readonly string[];
}

/** What can be told of a checkpoint from its names and shapes, without reading weights. */
export interface RecognisedCheckpoint {
  readonly configuration: MetaSpikeformerConfiguration;
  readonly description: ModelDescription;
  /** Every parameter of the network, in its order; counters of batch normalisation may be missing. */
  readonly matched: ReadonlyMap<string, CheckpointTensor>;
  readonly weights: ChosenWeights;
  /** As of `LoadedParameters`. */
  readonly notes: readonly string[];
}

/**
 * @param options Settings that leave no trace in shapes win over what the checkpoint says of itself.
 * @throws CheckpointError when this is no Meta-SpikeFormer, or parameters are missing, extra, of the wrong shape or not finite.
 */
export async function loadParameters(
  checkpoint: Checkpoint,
  options: CheckpointOptions = {},
): Promise<LoadedParameters> {
  const { configuration, description, matched, weights, notes } = recogniseCheckpoint(checkpoint, options);
  const parameters = new Map<string, Float32Array>();
  for (const spec of parametersOf(graphOf({ configuration }))) {
    if (spec.role === 'batchCount') continue;
    const values = await matched.get(spec.name)!.readFloat32();
    refuseNonFinite(checkpoint.name, spec.name, values);
    parameters.set(spec.name, values);
  }
  return { configuration, parameters, description, weights, notes };
}

/**
 * Which network a checkpoint is of: compares every name and shape, reads no weights.
 *
 * @param options As for `loadParameters`.
 * @throws CheckpointError when this is no Meta-SpikeFormer, or parameters are missing, extra or of the wrong shape.
 */
export function recogniseCheckpoint(checkpoint: Checkpoint, options: CheckpointOptions = {}): RecognisedCheckpoint {
  const { weights: wanted, size, depths, ...unseen } = options;
  const expected: ExpectedArchitecture = { ...(size ? { size } : {}), ...(depths ? { depths } : {}) };
  const description = descriptionOf(checkpoint);
  const all = weightSetsOf(checkpoint);
  if (all.length === 0) throw noWeights(checkpoint, new Map());
  const candidates = wanted === undefined ? all : [askedFor(checkpoint, all, wanted)];
  const fitting = (candidate: WeightSet) => fitOf(checkpoint, candidate, description, unseen, expected);
  const { taken, configuration, matched } = firstThatFits(candidates, fitting);
  const others = all.filter((set) => set !== taken).map(({ name }) => name);
  const described = description.configuration !== undefined;
  const notes = [
    ...shardNote(checkpoint.name),
    ...(wanted === undefined ? weightsNote(taken.name, others, candidates[0]!.name) : []),
    ...(described || size || depths ? [] : architectureNote(configuration)),
  ].map((note) => `${checkpoint.name}: ${note}`);
  const tensors = [...matched].map(([name, place]) => [name, taken.set.tensor(place, name)] as const);
  return { configuration, description, matched: new Map(tensors), weights: { name: taken.name, others }, notes };
}

interface Fit {
  readonly configuration: MetaSpikeformerConfiguration;
  /** From the parameter's name to its name in the set. */
  readonly matched: ReadonlyMap<string, string>;
}

/** The first set that fits; of sets that all do not, the complaint about the first. */
function firstThatFits(
  candidates: readonly WeightSet[],
  fitting: (set: WeightSet) => Fit,
): Fit & { readonly taken: WeightSet } {
  const complaints: CheckpointError[] = [];
  for (const taken of candidates) {
    try {
      return { taken, ...fitting(taken) };
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      complaints.push(error);
    }
  }
  throw complaints[0]!;
}

/** @throws CheckpointError naming what is missing, extra, of the wrong shape or not readable. */
function fitOf(
  checkpoint: Checkpoint,
  { shapes, unreadable, places }: WeightSet,
  description: ModelDescription,
  unseen: UnseenOptions,
  expected: ExpectedArchitecture,
): Fit {
  const configuration = named(checkpoint, () =>
    description.configuration
      ? resolveConfiguration({ ...description.configuration, ...expectedSettings(expected), ...unseen })
      : recogniseConfiguration(shapes, unseen, expected),
  );
  const unread = (name: string | undefined) => {
    if (name === undefined || !unreadable.has(name)) return;
    throw new CheckpointError(`${checkpoint.name}: ${printable(places.get(name)!)} ${unreadable.get(name)}`);
  };
  if (!configuration) {
    unread([...unreadable.keys()][0]);
    throw noWeights(checkpoint, shapes);
  }
  const classes = description.labels?.length ?? configuration.classes;
  if (classes !== configuration.classes) {
    throw new CheckpointError(
      `${checkpoint.name}: it names ${classes} classes, but its network has ${configuration.classes}; save the model again with one label per class`,
    );
  }
  const parameters = parametersOf(graphOf({ configuration }));
  for (const { name } of parameters) unread(name);
  const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape, place: places.get(name)! }]));
  const matched = matchParameters({ name: checkpoint.name, tensors }, parameters);
  return { configuration, matched: new Map([...matched].map(([name, { place }]) => [name, place])) };
}

const FRAME = ['1_1', '1_2', '2', '3', '4'].map((number) => `downsample${number}.encode_conv.weight`);

/** @param shapes Of the tensors that were recognised. */
function noWeights({ name, sets, hint }: Checkpoint, shapes: ReadonlyMap<string, unknown>): CheckpointError {
  const count = sets.reduce((sum, set) => sum + set.shapes.size, 0);
  const missing = FRAME.filter((parameter) => !shapes.has(parameter));
  const [advice = hint] = shardNote(name);
  const what =
    missing.length === FRAME.length
      ? 'the stem (downsample1_1.encode_conv.weight) and the four downsampling layers'
      : missing.join(', ');
  return new CheckpointError(
    `${name}: these are not the weights of a Meta-SpikeFormer: its ${count} tensors do not include ${what}${advice ? `; ${advice}` : ''}`,
  );
}

/** By the whole name, or by its last part where that is enough. */
function askedFor(checkpoint: Checkpoint, sets: readonly WeightSet[], wanted: string): WeightSet {
  const exact = sets.find(({ name }) => name === wanted);
  const endings = sets.filter(({ name }) => name.endsWith(`.${wanted}`));
  const found = exact ?? (endings.length === 1 ? endings[0] : undefined);
  if (found) return found;
  const names = sets.map(({ name }) => printable(name)).join(', ');
  throw new CheckpointError(`${checkpoint.name}: has no weights called ${printable(wanted)}; it has ${names}`);
}

function descriptionOf(checkpoint: Checkpoint): ModelDescription {
  const text = checkpoint.metadata[descriptionKey];
  if (text === undefined) return {};
  const fail = (reason: string) =>
    new CheckpointError(`${checkpoint.name}: its metadata entry ${descriptionKey} ${reason}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw fail('is not JSON; save the model again');
  }
  const parsed = descriptionSchema.safeParse(json);
  if (!parsed.success) throw fail(`is not a model description: ${parsed.error.issues[0]?.message}`);
  const { configuration, preprocessing, labels, description, trainedTimeSteps } = parsed.data;
  return {
    // Checked by `resolveConfiguration` before anything is built from it.
    ...(configuration ? { configuration: configuration as unknown as MetaSpikeformerOptions } : {}),
    ...(preprocessing === undefined ? {} : { preprocessing: parsePreprocessSettings(preprocessing, checkpoint.name) }),
    ...(labels ? { labels } : {}),
    ...(description ? { description } : {}),
    ...(trainedTimeSteps === undefined ? {} : { trainedTimeSteps }),
  };
}

/** A configuration that cannot be is the file's fault here: say which file. */
function named<T>(checkpoint: Checkpoint, resolve: () => T): T {
  try {
    return resolve();
  } catch (cause) {
    if (cause instanceof MetaSpikeformerError)
      throw new CheckpointError(`${checkpoint.name}: ${cause.message}`, { cause });
    throw cause;
  }
}

function refuseNonFinite(file: string, name: string, values: Float32Array): void {
  const index = firstNonFinite(values);
  if (index < 0) return;
  throw new CheckpointError(
    `${file}: ${name} holds ${values[index]} at element ${index}; the training it comes from diverged`,
  );
}
