/** All architectures by name, and the one way from a description of a network to its graph. Nothing outside this folder builds a network otherwise. */
import { UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import type { Architecture } from './architecture.js';
import type { MetaSpikeformerConfiguration } from './metaSpikeformer.js';
import { metaSpikeformerArchitecture } from './metaSpikeformerArchitecture.js';

/** The configurations of all architectures. */
export type NetworkConfiguration = MetaSpikeformerConfiguration;

/** Which network: what a model, a checkpoint and a recipe say of it. */
export interface NetworkDescription {
  /** Name of the architecture. Without it Meta-SpikeFormer, the only one that files from before the names can hold. */
  readonly architecture?: string;
  /** Valid for the architecture. */
  readonly configuration: NetworkConfiguration;
}

const architectures = new Map<string, Architecture<NetworkConfiguration>>();

/** Each architecture only ever sees configurations that are described as its own. */
function register<C extends NetworkConfiguration>(architecture: Architecture<C>): void {
  architectures.set(architecture.name, architecture as unknown as Architecture<NetworkConfiguration>);
}

register(metaSpikeformerArchitecture);

export function architectureNames(): readonly string[] {
  return [...architectures.keys()];
}

/** @throws UsageError when there is none of that name. */
export function architectureOf(network: Pick<NetworkDescription, 'architecture'>): Architecture<NetworkConfiguration> {
  const { architecture = metaSpikeformerArchitecture.name } = network;
  const found = architectures.get(architecture);
  if (found) return found;
  throw new UsageError(`architecture: found ${architecture}, expected ${architectureNames().join(', ')}`);
}

/** The graph of a described network. @throws UsageError for an architecture that is not known. */
export function graphOf(network: NetworkDescription): Graph {
  return architectureOf(network).build(network.configuration);
}
