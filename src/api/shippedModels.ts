/**
 * Models that have a name: name → network, preprocessing, provenance. Those without `-random` were trained by this project's own recipes. A name that ends in
 * `-random` has weights nobody trained; it is there to show shapes, firing rates and speed of the published sizes.
 */
import { imagenetPreprocessing, type PreprocessSettings } from '../data/preprocess.js';
import { UsageError } from '../errors.js';
import { publishedNetwork } from '../models/registry.js';

interface Named {
  readonly name: string;
  readonly description: string;
}

/** Shapes of a published network with weights nobody trained. */
export interface RandomModel extends Named {
  readonly kind: 'random';
  readonly architecture: string;
  /** What makes it this network; everything else has its default. */
  readonly configuration: object;
  readonly preprocessing: PreprocessSettings;
  readonly seed: number;
}

/** Weights that ship with the package, in a file that also holds configuration, preprocessing and labels. */
export interface TrainedModel extends Named {
  readonly kind: 'trained';
  /** Asked for only when it is needed: a bundle may have no address of its own. */
  readonly address: () => URL;
  /** Its classes, where data that has them asks for it when nobody names a model. */
  readonly classes?: readonly string[];
}

export type RegisteredModel = RandomModel | TrainedModel;

function randomModel(size: string): RandomModel {
  const { architecture, configuration } = publishedNetwork(size);
  return {
    kind: 'random',
    name: `${size}-random`,
    architecture,
    configuration,
    preprocessing: imagenetPreprocessing,
    seed: 1,
    description: `the paper's ${size} network with random weights: what it answers means nothing`,
  };
}

/** Trained here by the recipe of the same name; docs/training.md has its figures. */
const photographs: TrainedModel = {
  kind: 'trained',
  name: 'photographs',
  // Written out, so that bundlers find the file.
  address: () => new URL('../../models/photographs.safetensors', import.meta.url),
  description: 'a small Meta-SpikeFormer for fifty common things on photographs',
};

/** Trained here from `photographs` by its recipe with T = 4; docs/training.md has its figures. */
const photographsT4: TrainedModel = {
  kind: 'trained',
  name: 'photographs-t4',
  address: () => new URL('../../models/photographs-t4.safetensors', import.meta.url),
  description: 'photographs at four time steps: more often right, at several times the energy',
};

/** Trained here by the recipe of the same name; docs/training.md has its log. */
const cifar10: TrainedModel = {
  kind: 'trained',
  name: 'cifar10',
  address: () => new URL('../../models/cifar10.safetensors', import.meta.url),
  description: 'a small Meta-SpikeFormer for the ten classes of CIFAR-10',
  classes: ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
};

/** Trained here from `cifar10`, widened; docs/training.md has its figures. */
const cifar10Wide: TrainedModel = {
  kind: 'trained',
  name: 'cifar10-wide',
  address: () => new URL('../../models/cifar10-wide.safetensors', import.meta.url),
  description: 'the ten classes of CIFAR-10, wider in its first two stages: more often right, at twice the energy',
};

/** Trained here by the recipe of the same name; docs/training.md has its figures. */
const fashionMnist: TrainedModel = {
  kind: 'trained',
  name: 'fashion-mnist',
  address: () => new URL('../../models/fashion-mnist.safetensors', import.meta.url),
  description: 'a small Meta-SpikeFormer for the ten kinds of clothing of Fashion-MNIST',
  classes: ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
};

/** Trained here from `cifar10` by its network on Fashion-MNIST, at the end with T = 4; docs/training.md has its figures. */
const fashionMnistT4: TrainedModel = {
  kind: 'trained',
  name: 'fashion-mnist-t4',
  address: () => new URL('../../models/fashion-mnist-t4.safetensors', import.meta.url),
  description:
    'the ten kinds of clothing of Fashion-MNIST, wider and at four time steps: more often right, at several times the energy',
};

/** Trained here by the recipes `nmnist-t1` and `nmnist`; docs/events.md has its figures. */
const nmnist: TrainedModel = {
  kind: 'trained',
  name: 'nmnist',
  address: () => new URL('../../models/nmnist.safetensors', import.meta.url),
  description: 'a small Meta-SpikeFormer for handwritten digits before an event camera, as in N-MNIST',
};

/** Trained here by the recipe of the same name; docs/skeletons.md has its figures. */
const nwUcla: TrainedModel = {
  kind: 'trained',
  name: 'nw-ucla',
  address: () => new URL('../../models/nw-ucla.safetensors', import.meta.url),
  description: 'a small Meta-SpikeFormer over joints for ten actions, as in NW-UCLA',
};

/** Trained here by the recipe of the same name; docs/dense.md has its figures. */
const camvid: TrainedModel = {
  kind: 'trained',
  name: 'camvid',
  address: () => new URL('../../models/camvid.safetensors', import.meta.url),
  description: 'a small Meta-SpikeFormer with a spiking semantic FPN for street scenes, as in CamVid',
};

/** Trained here by the recipe of the same name; docs/dense.md has its figures. */
const bccd: TrainedModel = {
  kind: 'trained',
  name: 'bccd',
  address: () => new URL('../../models/bccd.safetensors', import.meta.url),
  description: 'a small Meta-SpikeFormer with a single-stage head for blood cells under a microscope, as in BCCD',
};

const models = new Map<string, RegisteredModel>(
  [
    photographs,
    photographsT4,
    cifar10,
    cifar10Wide,
    fashionMnist,
    fashionMnistT4,
    nmnist,
    nwUcla,
    camvid,
    bccd,
    randomModel('15M'),
    randomModel('31M'),
    randomModel('55M'),
  ].map((model) => [model.name, model]),
);

/** What is used when neither a model nor a checkpoint is named. */
export const defaultModelName = 'photographs';

/** The model for data with these classes, where nobody named one: the one that is known to have them all, else the default. */
export function modelForClasses(names: readonly string[]): string {
  for (const model of models.values())
    if (model.kind === 'trained' && names.length > 0 && names.every((name) => model.classes?.includes(name)))
      return model.name;
  return defaultModelName;
}

export function modelNames(): readonly string[] {
  return [...models.keys()];
}

/**
 * Where the weights of a model that ships with the package are: for those who fetch them themselves, to show progress or to keep them.
 *
 * @throws UsageError when there is no such model, or its weights are made and not stored.
 */
export function weightsAddress(name: string): URL {
  const model = registeredModel(name);
  if (model.kind !== 'trained')
    throw new UsageError(`model ${name}: its weights are random, so there is no file of them`);
  try {
    return model.address();
  } catch (cause) {
    throw new UsageError(
      `model ${name}: this bundle has no address of its own (import.meta.url), so its weights cannot be found; ${movedWeightsHint(name)}`,
      { cause },
    );
  }
}

/** What to do where a bundler has separated the program from its weights. */
export function movedWeightsHint(name: string): string {
  return `a bundler may have moved the program away from them: copy node_modules/meta-spikeformer/models/${name}.safetensors to where it is served or read, and say where: loadModel({ model: '${name}' }, { weightsAddress: 'models/${name}.safetensors' })`;
}

/** @throws UsageError naming the models there are. */
export function registeredModel(name: string): RegisteredModel {
  const model = models.get(name);
  if (!model)
    throw new UsageError(`model ${name}: there is no model of this name; expected one of ${modelNames().join(', ')}`);
  return model;
}
