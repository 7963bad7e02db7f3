/**
 * What a checkpoint of ours says of itself beside its weights: the network, what it is asked and about what, how its input is made, its classes. It
 * stands as JSON under one key of the metadata: of safetensors' header, of ONNX's `metadata_props`, beside the weights in a `.pth`. Files of
 * others have none, and files of ours from before a field was written lack it.
 */
import { z } from 'zod';
import { architectureNames } from '../models/registry.js';
import type { Checkpoint } from './checkpoint.js';
import { CheckpointError, printable } from './errors.js';

/** Key of the description in a file's metadata. */
const descriptionKey = 'meta-spikeformer';

const name = z.string().min(1).max(100);

const descriptionSchema = z.object({
  architecture: name.optional(),
  configuration: z.record(z.string(), z.unknown()).optional(),
  task: name.optional(),
  modality: name.optional(),
  preprocessing: z.record(z.string(), z.unknown()).optional(),
  reading: z.record(z.string(), z.unknown()).optional(),
  labels: z.array(z.string().max(200)).max(100_000).optional(),
  description: z.string().max(2000).optional(),
  trainedTimeSteps: z.number().int().min(1).max(10_000).nullable().optional(),
});

/** What a checkpoint says of itself beside its weights. */
export interface ModelDescription {
  /** Without it the shapes of the parameters decide. */
  readonly architecture?: string;
  /** As it is written; the architecture's schema checks it before anything is built from it. */
  readonly configuration?: object;
  /** The name of what the network is asked; whoever asks knows the tasks. */
  readonly task?: string;
  /** The name of what it is asked about; whoever shows it samples knows the modalities. */
  readonly modality?: string;
  /** As it is written; the modality's schema checks it. */
  readonly preprocessing?: object;
  /** How its data was read, such as in clips of some length; nothing by default. */
  readonly reading?: object;
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

/** @throws CheckpointError for a description that is none, and one of an architecture that this version does not know. */
export function descriptionOf(checkpoint: Pick<Checkpoint, 'name' | 'metadata'>): ModelDescription {
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
  const { configuration, preprocessing, reading, labels, description, trainedTimeSteps } = parsed.data;
  const { architecture, task, modality } = parsed.data;
  if (architecture !== undefined && !architectureNames().includes(architecture))
    throw fail(
      `names the architecture ${printable(architecture)}; this version knows ${architectureNames().join(', ')}`,
    );
  return {
    ...(architecture === undefined ? {} : { architecture }),
    ...(configuration ? { configuration } : {}),
    ...(task === undefined ? {} : { task }),
    ...(modality === undefined ? {} : { modality }),
    ...(preprocessing === undefined ? {} : { preprocessing }),
    ...(reading === undefined ? {} : { reading }),
    ...(labels ? { labels } : {}),
    ...(description ? { description } : {}),
    ...(trainedTimeSteps === undefined ? {} : { trainedTimeSteps }),
  };
}
