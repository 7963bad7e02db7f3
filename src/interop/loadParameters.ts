/**
 * From an open checkpoint to a configuration and its parameters: recognises the architecture, compares every name and shape, and
 * reads the weights. Platform-neutral.
 */
import { z } from 'zod';
import { type PreprocessSettings, parsePreprocessSettings } from '../data/preprocess.js';
import { MetaSpikeformerError } from '../errors.js';
import type { Parameters } from '../graph/graph.js';
import { recogniseConfiguration, resolveConfiguration, type UnseenOptions } from '../models/configurations.js';
import {
  type MetaSpikeformerConfiguration,
  type MetaSpikeformerOptions,
  metaSpikeformer,
} from '../models/metaSpikeformer.js';
import { parametersOf } from '../operators/registry.js';
import { firstNonFinite } from '../runtime/layout.js';
import { type Checkpoint, type CheckpointTensor, matchParameters } from './checkpoint.js';
import { CheckpointError } from './errors.js';

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

export interface LoadedParameters {
  readonly configuration: MetaSpikeformerConfiguration;
  readonly parameters: Parameters;
  readonly description: ModelDescription;
}

/** What can be told of a checkpoint from its names and shapes, without reading weights. */
export interface RecognisedCheckpoint {
  readonly configuration: MetaSpikeformerConfiguration;
  readonly description: ModelDescription;
  /** Every parameter of the network, in its order; counters of batch normalisation may be missing. */
  readonly matched: ReadonlyMap<string, CheckpointTensor>;
}

/**
 * @param unseen Settings that leave no trace in shapes; they win over what the checkpoint says of itself.
 * @throws CheckpointError when this is no Meta-SpikeFormer, or parameters are missing, extra, of the wrong shape or not finite.
 */
export async function loadParameters(checkpoint: Checkpoint, unseen: UnseenOptions = {}): Promise<LoadedParameters> {
  const { configuration, description, matched } = recogniseCheckpoint(checkpoint, unseen);
  const parameters = new Map<string, Float32Array>();
  for (const spec of parametersOf(metaSpikeformer(configuration))) {
    if (spec.role === 'batchCount') continue;
    const values = await matched.get(spec.name)!.readFloat32();
    refuseNonFinite(checkpoint.name, spec.name, values);
    parameters.set(spec.name, values);
  }
  return { configuration, parameters, description };
}

/**
 * Which network a checkpoint is of: compares every name and shape, reads no weights.
 *
 * @param unseen As for `loadParameters`.
 * @throws CheckpointError when this is no Meta-SpikeFormer, or parameters are missing, extra or of the wrong shape.
 */
export function recogniseCheckpoint(checkpoint: Checkpoint, unseen: UnseenOptions = {}): RecognisedCheckpoint {
  const description = descriptionOf(checkpoint);
  const shapes = new Map([...checkpoint.tensors].map(([name, tensor]) => [name, tensor.shape]));
  const configuration = named(checkpoint, () =>
    description.configuration
      ? resolveConfiguration({ ...description.configuration, ...unseen })
      : recogniseConfiguration(shapes, unseen),
  );
  if (!configuration) {
    throw new CheckpointError(
      `${checkpoint.name}: these are not the weights of a Meta-SpikeFormer: its ${shapes.size} tensors do not include the stem (downsample1_1.encode_conv.weight) and the four downsampling layers`,
    );
  }
  const classes = description.labels?.length ?? configuration.classes;
  if (classes !== configuration.classes) {
    throw new CheckpointError(
      `${checkpoint.name}: it names ${classes} classes, but its network has ${configuration.classes}; save the model again with one label per class`,
    );
  }
  const matched = matchParameters(checkpoint, parametersOf(metaSpikeformer(configuration)));
  return { configuration, description, matched };
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
