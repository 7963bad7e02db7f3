/**
 * Models that have a name: name → network, preprocessing, provenance. A name that ends in `-random` has weights nobody trained; it is
 * there to show shapes, firing rates and speed of the published sizes.
 */
import { imagenetPreprocessing, type PreprocessSettings } from '../data/preprocess.js';
import { UsageError } from '../errors.js';
import { metaSpikeformerSizes } from '../models/configurations.js';
import type { MetaSpikeformerOptions } from '../models/metaSpikeformer.js';

export interface RegisteredModel {
  readonly name: string;
  readonly configuration: MetaSpikeformerOptions;
  readonly preprocessing: PreprocessSettings;
  /** Seed of the weights; models with trained weights will name a file here. */
  readonly seed: number;
  readonly description: string;
}

function randomModel(size: keyof typeof metaSpikeformerSizes): RegisteredModel {
  return {
    name: `${size}-random`,
    configuration: metaSpikeformerSizes[size],
    preprocessing: imagenetPreprocessing,
    seed: 1,
    description: `the paper's ${size} network with random weights: what it answers means nothing`,
  };
}

const models = new Map(
  [randomModel('15M'), randomModel('31M'), randomModel('55M')].map((model) => [model.name, model]),
);

/** What `predict` uses when neither a model nor a checkpoint is named. */
export const defaultModelName = '15M-random';

export function modelNames(): readonly string[] {
  return [...models.keys()];
}

/** @throws UsageError naming the models there are. */
export function registeredModel(name: string): RegisteredModel {
  const model = models.get(name);
  if (!model)
    throw new UsageError(`model ${name}: there is no model of this name; there are ${modelNames().join(', ')}`);
  return model;
}
