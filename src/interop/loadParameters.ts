/**
 * From an open checkpoint to a configuration and its parameters: recognises the architecture, compares every name and shape, and
 * reads the weights. Platform-neutral.
 */
import { MetaSpikeformerError } from '../errors.js';
import type { Graph, Parameters } from '../graph/graph.js';
import type { NetworkConfiguration, ParameterShapes } from '../models/architecture.js';
import type { ExpectedArchitecture, UnseenOptions } from '../models/configurations.js';
import { unseenOptionNames } from '../models/configurations.js';
import type { Head } from '../models/head.js';
import {
  architectureNames,
  architectureOf,
  describeNetwork,
  graphOf,
  publishedNetwork,
  recogniseNetwork,
} from '../models/registry.js';
import { parametersOf } from '../operators/registry.js';
import type { OptionNames } from '../optionNames.js';
import { firstNonFinite } from '../runtime/layout.js';
import { type Checkpoint, type CheckpointTensor, matchParameters } from './checkpoint.js';
import { CheckpointError, printable } from './errors.js';
import { descriptionOf, type ModelDescription } from './modelDescription.js';
import { shardNote } from './shardedCheckpoint.js';
import { type WeightSet, weightSetsOf } from './weightSets.js';
import { weightsNote } from './weightsNote.js';

/** What a person says of a checkpoint: settings that leave no trace in shapes, what it should hold, and which of its weights are meant. */
export interface CheckpointOptions extends UnseenOptions, ExpectedArchitecture {
  /** Which weights, of a file that has several: the keys that lead to them, such as `model_ema`. */
  readonly weights?: string;
  /** Which architecture they must be of; by default what the file says, or else whatever their shapes are of. */
  readonly architecture?: string;
}

export const checkpointOptionNames: OptionNames<CheckpointOptions> = {
  ...unseenOptionNames,
  weights: true,
  architecture: true,
  size: true,
  depths: true,
};

/** Which of a file's weights these are. */
export interface ChosenWeights {
  /** `.` for the file's own dictionary, else the keys and modules that lead to it. */
  readonly name: string;
  readonly others: readonly string[];
}

/** The network of a checkpoint, and what is to be done with it. */
export interface CheckpointNetwork {
  readonly architecture: string;
  readonly configuration: NetworkConfiguration;
  readonly graph: Graph;
  /** What the file says that the network is asked, and about what; undefined where it says nothing. Whoever asks knows the tasks and modalities. */
  readonly task: string | undefined;
  readonly modality: string | undefined;
  readonly description: ModelDescription;
  readonly weights: ChosenWeights;
  /** What a person should know of the choice of weights and of the network, a line each. */
  readonly notes: readonly string[];
}

export interface LoadedParameters extends CheckpointNetwork {
  readonly parameters: Parameters;
}

/** What whoever knows the tasks says of them. */
export interface KnownTasks {
  /** What stands behind the backbone for a task; undefined: the architecture's own classifier. */
  headOf(task: string | undefined, network: NetworkConfiguration): Head | undefined;
  /** The task of which a head's parameters are among these, for files that name none. */
  taskOf(shapes: ParameterShapes): string | undefined;
}

/** Nothing but the architectures' own classifiers. */
const noTasks: KnownTasks = { headOf: () => undefined, taskOf: () => undefined };

/** What can be told of a checkpoint from its names and shapes, without reading weights. */
export interface RecognisedCheckpoint extends CheckpointNetwork {
  /** Every parameter of the network, in its order; counters of batch normalisation may be missing. */
  readonly matched: ReadonlyMap<string, CheckpointTensor>;
}

/**
 * @param options Settings that leave no trace in shapes win over what the checkpoint says of itself.
 * @param tasks By whoever knows them.
 * @throws CheckpointError when this is no network that is known, or parameters are missing, extra, of the wrong shape or not finite.
 */
export async function loadParameters(
  checkpoint: Checkpoint,
  options: CheckpointOptions = {},
  tasks: KnownTasks = noTasks,
): Promise<LoadedParameters> {
  const { matched, ...network } = recogniseCheckpoint(checkpoint, options, tasks);
  const parameters = new Map<string, Float32Array>();
  for (const spec of parametersOf(network.graph)) {
    if (spec.role === 'batchCount') continue;
    const values = await matched.get(spec.name)!.readFloat32();
    refuseNonFinite(checkpoint.name, spec.name, values);
    parameters.set(spec.name, values);
  }
  return { ...network, parameters };
}

/** What a person or the file itself says of the network. */
interface Expected {
  readonly description: ModelDescription;
  /** Undefined when any will do. */
  readonly architecture: string | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * Which network a checkpoint is of: compares every name and shape, reads no weights.
 *
 * @param options As for `loadParameters`.
 * @param tasks As for `loadParameters`.
 * @throws CheckpointError when this is no network that is known, or parameters are missing, extra or of the wrong shape.
 */
export function recogniseCheckpoint(
  checkpoint: Checkpoint,
  options: CheckpointOptions = {},
  tasks: KnownTasks = noTasks,
): RecognisedCheckpoint {
  const { weights: wanted } = options;
  const description = descriptionOf(checkpoint);
  const expected = expectedOf(checkpoint, description, options);
  const names = expected.architecture === undefined ? architectureNames() : [expected.architecture];
  const all = weightSetsOf(checkpoint, names);
  if (all.length === 0) throw noWeights(checkpoint, names, new Map());
  const candidates = wanted === undefined ? all : [askedFor(checkpoint, all, wanted)];
  const fitting = (candidate: WeightSet) => fitOf(checkpoint, candidate, expected, tasks);
  const { taken, matched, ...network } = firstThatFits(candidates, fitting);
  const others = all.filter((set) => set !== taken).map(({ name }) => name);
  const known = description.configuration !== undefined || options.size !== undefined || options.depths !== undefined;
  const notes = [
    ...shardNote(checkpoint.name),
    ...(wanted === undefined ? weightsNote(taken.name, others, candidates[0]!.name) : []),
    ...((known ? undefined : architectureOf(network).notes?.(network.configuration)) ?? []),
  ].map((note) => `${checkpoint.name}: ${note}`);
  const tensors = [...matched].map(([name, place]) => [name, taken.set.tensor(place, name)] as const);
  const { modality } = description;
  return {
    ...network,
    modality,
    description,
    matched: new Map(tensors),
    weights: { name: taken.name, others },
    notes,
  };
}

/** @throws CheckpointError when the file says another architecture than the person; UsageError for a size that there is not. */
function expectedOf(
  { name }: Checkpoint,
  description: ModelDescription,
  { weights: _weights, architecture: asked, size, depths, ...unseen }: CheckpointOptions,
): Expected {
  const published = size === undefined ? undefined : publishedNetwork(size);
  const settings = { ...published?.configuration, ...(depths ? { depths } : {}), ...unseen };
  const wanted = asked === undefined ? published?.architecture : architectureOf({ architecture: asked }).name;
  // Files from before architectures were named hold the one that there was.
  const said = description.architecture ?? (description.configuration ? architectureOf({}).name : undefined);
  if (wanted !== undefined && said !== undefined && wanted !== said)
    throw new CheckpointError(`${name}: it holds a network of the architecture ${said}, expected ${wanted}`);
  return { description, architecture: wanted ?? said, settings };
}

interface Fit extends Pick<CheckpointNetwork, 'architecture' | 'configuration' | 'graph' | 'task'> {
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
  { architecture, shapes, unreadable, places }: WeightSet,
  { description, settings }: Expected,
  tasks: KnownTasks,
): Fit {
  const network = named(checkpoint, () =>
    description.configuration
      ? describeNetwork(architecture, { ...description.configuration, ...settings })
      : recogniseNetwork(shapes, { architecture, settings }),
  );
  const unread = (name: string | undefined) => {
    if (name === undefined || !unreadable.has(name)) return;
    throw new CheckpointError(`${checkpoint.name}: ${printable(places.get(name)!)} ${unreadable.get(name)}`);
  };
  if (!network) {
    unread([...unreadable.keys()][0]);
    throw noWeights(checkpoint, [architecture], shapes);
  }
  const { configuration } = network;
  const classes = description.labels?.length ?? configuration.classes;
  if (classes !== configuration.classes) {
    throw new CheckpointError(
      `${checkpoint.name}: it names ${classes} classes, but its network has ${configuration.classes}; save the model again with one label per class`,
    );
  }
  const task = description.task ?? tasks.taskOf(shapes);
  const head = named(checkpoint, () => tasks.headOf(task, configuration));
  const graph = graphOf(network, head);
  const parameters = parametersOf(graph);
  for (const { name } of parameters) unread(name);
  const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape, place: places.get(name)! }]));
  const matched = matchParameters({ name: checkpoint.name, tensors }, parameters);
  return { ...network, task, graph, matched: new Map([...matched].map(([name, { place }]) => [name, place])) };
}

/**
 * @param architectures Those that were looked for.
 * @param shapes Of the tensors that were recognised.
 */
function noWeights(
  { name, sets, hint }: Checkpoint,
  architectures: readonly string[],
  shapes: ReadonlyMap<string, unknown>,
): CheckpointError {
  const count = sets.reduce((sum, set) => sum + set.shapes.size, 0);
  const [advice = hint] = shardNote(name);
  const lacking = architectures.map((architecture) => {
    const { title, parameterNames } = architectureOf({ architecture });
    const missing = parameterNames.frame.filter((parameter) => !shapes.has(parameter));
    return { title, missing: missing.length === parameterNames.frame.length ? missing.slice(0, 1) : missing };
  });
  const whose = lacking.map(({ title }) => title).join(' or ');
  const what = lacking.map(({ title, missing }) => `${missing.join(', ')}${lacking.length > 1 ? ` (${title})` : ''}`);
  return new CheckpointError(
    `${name}: these are not the weights of a ${whose}: its ${count} tensors do not include ${what.join(' or ')}${advice ? `; ${advice}` : ''}`,
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
