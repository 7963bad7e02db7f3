/** All architectures by name, and the one way from a description of a network to its graph. Nothing outside this folder builds a network otherwise. */
import { UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import {
  type Architecture,
  type NetworkConfiguration,
  type ParameterShapes,
  resolved,
  type Variant,
} from './architecture.js';
import type { Head } from './head.js';
import { metaSpikeformerArchitecture } from './metaSpikeformerArchitecture.js';
import { metaSpikeformerJointsArchitecture } from './metaSpikeformerJoints.js';
import { msResNetArchitecture } from './msResNet.js';

export type { NetworkConfiguration } from './architecture.js';

/** Which network: what a model, a checkpoint and a recipe say of it. */
export interface NetworkDescription {
  /** Name of the architecture. Without it Meta-SpikeFormer, the only one that files from before the names can hold. */
  readonly architecture?: string;
  /** Valid for the architecture. */
  readonly configuration: NetworkConfiguration;
}

const architectures = new Map<string, Architecture>();

/** Each architecture only ever sees configurations that are described as its own. */
function register<C extends NetworkConfiguration>(architecture: Architecture<C>): void {
  architectures.set(architecture.name, architecture as unknown as Architecture);
}

register(metaSpikeformerArchitecture);
register(msResNetArchitecture);
register(metaSpikeformerJointsArchitecture);

/** Of the network that is meant where none is named. */
export const defaultArchitectureName = metaSpikeformerArchitecture.name;

export function architectureNames(): readonly string[] {
  return [...architectures.keys()];
}

/** Names of the settings of all architectures. */
export function settingNames(): readonly string[] {
  return [...new Set([...architectures.values()].flatMap(({ schema }) => Object.keys(schema.shape)))];
}

/** @throws UsageError when there is none of that name. */
export function architectureOf(network: { readonly architecture?: string | undefined }): Architecture {
  const { architecture = defaultArchitectureName } = network;
  const found = architectures.get(architecture);
  if (found) return found;
  throw new UsageError(`architecture: found ${architecture}, expected ${architectureNames().join(', ')}`);
}

/**
 * The graph of a described network.
 *
 * @param head Instead of the architecture's own.
 * @throws UsageError for an architecture that is not known.
 */
export function graphOf(network: NetworkDescription, head?: Head): Graph {
  return architectureOf(network).build(network.configuration, head);
}

/** A network as it is described: by its architecture and configuration, or by the configuration of a Meta-SpikeFormer alone. */
export type DescribedNetwork = NetworkDescription | NetworkConfiguration;

/** For what needs the graph and takes what its caller has. @throws UsageError for an architecture that is not known. */
export function graphFor(network: Graph | DescribedNetwork): Graph {
  if ('nodes' in network) return network;
  return graphOf('configuration' in network ? network : { configuration: network });
}

/**
 * A description out of options: checked, and defaults filled in.
 *
 * @throws UsageError for an architecture that is not known, and naming the option that is wrong.
 */
export function describeNetwork(architecture: string | undefined, options: object): Required<NetworkDescription> {
  const found = architectureOf({ architecture });
  return { architecture: found.name, configuration: resolved(found.schema, options) };
}

/** A published network, and which architecture it is of. */
export interface PublishedNetwork extends Variant<NetworkConfiguration> {
  readonly name: string;
  readonly architecture: string;
}

const published = new Map<string, PublishedNetwork>();
for (const { name: architecture, sizes } of architectures.values()) {
  for (const [name, variant] of Object.entries(sizes)) published.set(name, { ...variant, name, architecture });
}

/** Names of the published networks of all architectures. */
export function publishedNames(): readonly string[] {
  return [...published.keys()];
}

/** @throws UsageError when no published network is called so. */
export function publishedNetwork(name: string): PublishedNetwork {
  const found = published.get(name);
  if (found) return found;
  throw new UsageError(`size: found ${name}, expected ${publishedNames().join(', ')}`);
}

/** Settings that a published network may have otherwise and still be one. */
const adaptable = ['classes', 'inputChannels', 'distillation'];

/** The published network of this structure, whatever its classes and what leaves no trace in its weights. */
export function publishedAs({ architecture, configuration }: NetworkDescription): PublishedNetwork | undefined {
  const { name, schema, unseen } = architectureOf({ architecture });
  const structure = Object.keys(schema.shape).filter(
    (key) => !unseen.includes(key as never) && !adaptable.includes(key),
  );
  const words = (of: object) => JSON.stringify(structure.map((key) => Reflect.get(of, key)));
  const own = words(configuration);
  return [...published.values()].find(
    (network) => network.architecture === name && words(resolved(schema, network.configuration)) === own,
  );
}

/** What a person says of the network in a checkpoint. */
export interface GivenSettings {
  /** Settings by name, of whatever architecture. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Then it is of this architecture or none. */
  readonly architecture?: string | undefined;
}

/**
 * The network that parameters of these names and shapes are of, the first architecture that knows them.
 *
 * @returns undefined when no architecture knows them.
 * @throws UsageError for settings that the architecture does not have or that cannot be.
 */
export function recogniseNetwork(
  shapes: ParameterShapes,
  { settings, architecture }: GivenSettings = { settings: {} },
): Required<NetworkDescription> | undefined {
  const candidates = architecture === undefined ? [...architectures.values()] : [architectureOf({ architecture })];
  for (const { name, recognise } of candidates) {
    const configuration = recognise(shapes, settings);
    if (configuration) return { architecture: name, configuration };
  }
  return undefined;
}
