/** What `loadModel` does in Node and in the browser alike: a registered name or an open checkpoint becomes a Model. */
import type { Engine } from '../engines/kernels.js';
import { MetaSpikeformerError, UsageError } from '../errors.js';
import type { Checkpoint } from '../interop/checkpoint.js';
import { type CheckpointOptions, checkpointOptionNames, loadParameters } from '../interop/loadParameters.js';
import { trainedAt } from '../interop/warnings.js';
import { type AnyPreprocessing, inputOf } from '../modalities/inputs.js';
import { defaultModality, type ModalityName, modalityOfCheckpoint } from '../modalities/names.js';
import type { UnseenOptions } from '../models/configurations.js';
import { demonstrationParameters } from '../models/initialise.js';
import { describeNetwork, graphOf } from '../models/registry.js';
import { checkNames, checkOptionNames, described } from '../optionNames.js';
import { createEngine, type EngineOptions, engineOptionNames } from '../runtime/engines.js';
import { repConvForms } from '../runtime/passes/mergeRepConv.js';
import type { PrepareOptions } from '../runtime/prepare.js';
import { knownTasks, taskOfCheckpoint } from '../tasks/registry.js';
import { Model, type ModelParts, type SampleReaders } from './model.js';
import { defaultModelName, movedWeightsHint, registeredModel, weightsAddress } from './shippedModels.js';

/**
 * Where a checkpoint is: a path (in a browser an address), an address (`file:` too, in Node), a file that a person chose, or its bytes.
 */
export type CheckpointSource = string | URL | Blob | Uint8Array | ArrayBuffer;

/** Either a registered model's name or a checkpoint (`.pth`, `.pth.tar`, `.safetensors`); by default the bundled model. */
export interface ModelSource {
  readonly model?: string | undefined;
  readonly checkpoint?: CheckpointSource | undefined;
}

/** `weights`, `size` and `depths` say what a checkpoint of one's own holds. */
export interface LoadOptions extends EngineOptions, CheckpointOptions {
  /** Instead of what the model or checkpoint says (of images ImageNet's by default): of the model's modality. */
  readonly preprocessing?: AnyPreprocessing;
  /** Side of the square that samples become, instead of the preprocessing's sizes; its mean and deviation stay. */
  readonly imageSize?: number;
  /** How the network is rewritten before it runs. */
  readonly prepare?: Omit<PrepareOptions, 'input'>;
  /** Where the weights of a model that ships with the package are, when a bundler has moved the program away from them. */
  readonly weightsAddress?: string | URL;
}

/** What a platform adds: pixels of images, events of recordings, and checkpoints by path or address. */
export interface Platform {
  readonly decode: SampleReaders;
  readonly open: (source: CheckpointSource) => Promise<Checkpoint>;
}

/** `loadModel` of every platform. */
export async function modelFrom(source: ModelSource, options: LoadOptions, platform: Platform): Promise<Model> {
  checkSource(source);
  checkOptions(options);
  if (source.checkpoint === undefined) return modelFromName(source.model ?? defaultModelName, options, platform);
  if (options.weightsAddress !== undefined)
    throw new UsageError(
      'weightsAddress: only goes with a model; the checkpoint option itself says where the weights are',
    );
  const checkpoint = await platform.open(source.checkpoint);
  return modelFromCheckpoint(checkpoint, options, platform).finally(() => checkpoint.close());
}

function checkSource(source: ModelSource): void {
  const given: unknown = source;
  if (typeof given === 'string' || isCheckpointObject(given)) {
    const name = typeof given === 'string' ? JSON.stringify(given) : '…';
    throw new UsageError(
      `loadModel: found ${described(given)}, expected {checkpoint: ${name}} or {model: '${defaultModelName}'}`,
    );
  }
  checkNames('loadModel', source, ['model', 'checkpoint']);
  const { model, checkpoint } = source;
  if (model !== undefined && checkpoint !== undefined)
    throw new UsageError('give either a model or a checkpoint, not both');
  if (model !== undefined && typeof model !== 'string')
    throw new UsageError(`loadModel: model: found ${described(model)}, expected a name such as '${defaultModelName}'`);
  if (checkpoint === undefined || (typeof checkpoint === 'string' && checkpoint !== '')) return;
  if (!isCheckpointObject(checkpoint))
    throw new UsageError(
      `loadModel: checkpoint: found ${described(checkpoint)}, expected a path or an address, a File or Blob, or the bytes of a .pth or .safetensors file`,
    );
}

function isCheckpointObject(value: unknown): boolean {
  return value instanceof URL || value instanceof Blob || value instanceof Uint8Array || value instanceof ArrayBuffer;
}

const prepareOptionNames = { fold: true, fuse: true, repConv: true, merged: true } as const;

function checkOptions(options: LoadOptions): void {
  checkOptionNames<LoadOptions>('loadModel', options, {
    ...engineOptionNames,
    ...checkpointOptionNames,
    preprocessing: true,
    imageSize: true,
    prepare: true,
    weightsAddress: true,
  });
  checkOptionNames<NonNullable<LoadOptions['prepare']>>('prepare', options.prepare, prepareOptionNames);
  const form: unknown = options.prepare?.repConv;
  const forms: readonly unknown[] = ['auto', ...repConvForms];
  if (form !== undefined && !(form instanceof Map) && !forms.includes(form))
    throw new UsageError(
      `prepare: repConv: found ${described(form)}, expected ${forms.join(', ')} or a Map of them by layer`,
    );
}

async function modelFromName(name: string, options: LoadOptions, platform: Platform): Promise<Model> {
  const registered = registeredModel(name);
  const misplaced = (['weights', 'architecture', 'size', 'depths'] as const).find(
    (option) => options[option] !== undefined,
  );
  if (misplaced)
    throw new UsageError(`${misplaced}: says what a checkpoint holds; name the checkpoint, not the model ${name}`);
  if (registered.kind === 'trained') {
    const checkpoint = await openPackaged(name, options.weightsAddress ?? weightsAddress(name), platform);
    return modelFromCheckpoint(checkpoint, options, platform, name).finally(() => checkpoint.close());
  }
  if (options.weightsAddress !== undefined)
    throw new UsageError(`weightsAddress: model ${name} has random weights, so there is no file of them`);
  const network = describeNetwork(registered.architecture, { ...registered.configuration, ...unseenOf(options) });
  return assemble(options, platform, {
    ...network,
    parameters: demonstrationParameters(graphOf(network), registered.seed),
    provenance: { name, randomWeights: true, description: registered.description },
    preprocessing: preprocessingOf(options, { own: registered.preprocessing, source: name }),
  });
}

/** Bundlers that do not copy the weights leave an address where nothing is, or where a server answers with its page. */
async function openPackaged(name: string, address: string | URL, platform: Platform): Promise<Checkpoint> {
  try {
    return await platform.open(address);
  } catch (cause) {
    if (!(cause instanceof MetaSpikeformerError)) throw cause;
    throw new UsageError(
      `model ${name}: its weights are not at ${address} (${cause.message}); ${movedWeightsHint(name)}`,
      { cause },
    );
  }
}

/** @param name What the model is called; by default as its file. */
async function modelFromCheckpoint(
  checkpoint: Checkpoint,
  options: LoadOptions,
  platform: Platform,
  name = checkpoint.name,
): Promise<Model> {
  const loaded = await loadParameters(checkpoint, { ...unseenOf(options), ...expectationOf(options) }, knownTasks);
  const { architecture, configuration, task, modality, parameters, description, weights, notes } = loaded;
  return assemble(options, platform, {
    architecture,
    configuration,
    task: taskOfCheckpoint(checkpoint.name, task),
    modality: modalityOfCheckpoint(checkpoint.name, modality),
    parameters,
    provenance: {
      name,
      randomWeights: false,
      description: description.description ?? `weights from ${checkpoint.name}`,
      ...trainedAt(description),
      weights,
      ...(notes.length > 0 ? { notes } : {}),
    },
    preprocessing: preprocessingOf(options, {
      own: description.preprocessing,
      modality: modalityOfCheckpoint(checkpoint.name, modality),
      source: checkpoint.name,
      timeSteps: configuration.timeSteps,
    }),
    ...(description.reading ? { reading: description.reading } : {}),
    ...(description.labels ? { labels: description.labels } : {}),
  });
}

async function assemble(
  options: LoadOptions,
  { decode }: Platform,
  parts: Omit<ModelParts, 'engine' | 'decode' | 'prepare'>,
): Promise<Model> {
  const { engine: kind, threads, precision, spikeKernel, fusedMultiplyAdd } = options;
  const engine: Engine = await createEngine({
    ...(kind === undefined ? {} : { engine: kind }),
    ...(threads === undefined ? {} : { threads }),
    ...(precision === undefined ? {} : { precision }),
    ...(spikeKernel === undefined ? {} : { spikeKernel }),
    ...(fusedMultiplyAdd === undefined ? {} : { fusedMultiplyAdd }),
  });
  return new Model({ ...parts, engine, decode, ...(options.prepare ? { prepare: options.prepare } : {}) });
}

/** What is known of a model's input before anybody changes it. */
interface KnownInput {
  /** As a checkpoint has it. */
  readonly own: object | undefined;
  readonly modality?: ModalityName;
  /** What messages call the model. */
  readonly source: string;
  /** Of the network. */
  readonly timeSteps?: number;
}

function preprocessingOf(
  { imageSize, preprocessing }: LoadOptions,
  { own, modality = defaultModality, source, timeSteps }: KnownInput,
): AnyPreprocessing {
  const kind = inputOf(modality);
  const stored = own === undefined ? kind.assumed : kind.parse(own, source);
  const settings = preprocessing === undefined ? stored : kind.parse(preprocessing, 'loadModel');
  if (settings === undefined)
    throw new UsageError(`${source}: does not say how ${kind.noun}s become its input; give the option preprocessing`);
  const timed = timeSteps === undefined ? settings : kind.withTimeSteps(settings, timeSteps);
  return imageSize === undefined ? timed : kind.resized(timed, imageSize);
}

/** Only what was given: an explicit `undefined` must not hide a default. */
function unseenOf(options: LoadOptions): UnseenOptions {
  const { heads, strides, timeSteps, attention, neuron, tau, threshold, attentionThreshold, detectionStrides } =
    options;
  const given = { heads, strides, timeSteps, attention, neuron, tau, threshold, attentionThreshold, detectionStrides };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as UnseenOptions;
}

function expectationOf({
  weights,
  architecture,
  size,
  depths,
}: LoadOptions): Pick<CheckpointOptions, 'weights' | 'architecture' | 'size' | 'depths'> {
  return {
    ...(weights !== undefined ? { weights } : {}),
    ...(architecture !== undefined ? { architecture } : {}),
    ...(size ? { size } : {}),
    ...(depths ? { depths } : {}),
  };
}
