/** Which values of a graph are spikes of neurons. */
import type { Graph } from '../graph/graph.js';
import { inferKinds } from '../operators/registry.js';

/** Names of the neuron layers whose spikes are zeros and ones, in the order of the graph. */
export function spikeValues(graph: Graph): readonly string[] {
  const kinds = inferKinds(graph);
  return graph.nodes
    .filter((node) => node.operator === 'lif' && kinds.get(node.name) === 'binary')
    .map((node) => node.name);
}
