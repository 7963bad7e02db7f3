/** What `loadModel` does in Node and in the browser alike: a registered name or an open checkpoint becomes a Model. */
import type { RgbImage } from '../data/image.js';
import { imagenetPreprocessing, type PreprocessSettings, plainPreprocessing } from '../data/preprocess.js';
import type { Engine } from '../engines/kernels.js';
import type { Checkpoint } from '../interop/checkpoint.js';
import { loadParameters } from '../interop/loadParameters.js';
import { resolveConfiguration, type UnseenOptions } from '../models/configurations.js';
import { demonstrationParameters } from '../models/initialise.js';
import { metaSpikeformer } from '../models/metaSpikeformer.js';
import { createEngine, type EngineOptions } from '../runtime/engines.js';
import type { PrepareOptions } from '../runtime/prepare.js';
import { type ImageSource, Model, type ModelParts } from './model.js';
import { registeredModel } from './registry.js';

export interface LoadOptions extends EngineOptions, UnseenOptions {
  /** Instead of what the model or checkpoint says (ImageNet's by default). */
  readonly preprocessing?: PreprocessSettings;
  /** Side of the square that images become, instead of the preprocessing's sizes; its mean and deviation stay. */
  readonly imageSize?: number;
  /** How the network is rewritten before it runs. */
  readonly prepare?: Omit<PrepareOptions, 'input'>;
}

/** What a platform adds: pixels of images, and files of the package. */
export interface Platform {
  readonly decode: (image: ImageSource) => Promise<RgbImage>;
  readonly openPackaged: (address: URL) => Promise<Checkpoint>;
}

export async function modelFromName(name: string, options: LoadOptions, platform: Platform): Promise<Model> {
  const registered = registeredModel(name);
  if (registered.kind === 'trained') {
    const checkpoint = await platform.openPackaged(registered.address);
    return modelFromCheckpoint(checkpoint, options, platform, name).finally(() => checkpoint.close());
  }
  const configuration = resolveConfiguration({ ...registered.configuration, ...unseenOf(options) });
  return assemble(options, platform, {
    configuration,
    parameters: demonstrationParameters(metaSpikeformer(configuration), registered.seed),
    provenance: { name, randomWeights: true, description: registered.description },
    preprocessing: preprocessingOf(options, registered.preprocessing),
  });
}

/** @param name What the model is called; by default as its file. */
export async function modelFromCheckpoint(
  checkpoint: Checkpoint,
  options: LoadOptions,
  platform: Platform,
  name = checkpoint.name,
): Promise<Model> {
  const { configuration, parameters, description } = await loadParameters(checkpoint, unseenOf(options));
  return assemble(options, platform, {
    configuration,
    parameters,
    provenance: {
      name,
      randomWeights: false,
      description: description.description ?? `weights from ${checkpoint.name}`,
    },
    preprocessing: preprocessingOf(options, description.preprocessing),
    ...(description.labels ? { labels: description.labels } : {}),
  });
}

async function assemble(
  options: LoadOptions,
  { decode }: Platform,
  parts: Omit<ModelParts, 'engine' | 'decode' | 'prepare'>,
): Promise<Model> {
  const engine: Engine = await createEngine(options);
  return new Model({ ...parts, engine, decode, ...(options.prepare ? { prepare: options.prepare } : {}) });
}

function preprocessingOf(options: LoadOptions, own: PreprocessSettings = imagenetPreprocessing): PreprocessSettings {
  const settings = options.preprocessing ?? own;
  const { imageSize } = options;
  return imageSize === undefined ? settings : plainPreprocessing(imageSize, { mean: settings.mean, std: settings.std });
}

/** Only what was given: an explicit `undefined` must not hide a default. */
function unseenOf(options: LoadOptions): UnseenOptions {
  const { heads, strides, timeSteps, tau, threshold, attentionThreshold } = options;
  const given = { heads, strides, timeSteps, tau, threshold, attentionThreshold };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as UnseenOptions;
}
