/** Which values of a graph are spikes of neurons. */
import type { Graph } from '../graph/graph.js';
import { spikingNeurons } from '../operators/registry.js';

/** Names of the neuron layers whose spikes are zeros and ones, in the order of the graph. */
export function spikeValues(graph: Graph): readonly string[] {
  return spikingNeurons(graph).map(({ name }) => name);
}
