/** A run of a network that is several graphs one after the other (`Graph.later`): what is recorded of each, and how that becomes one answer. */
import { GraphError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import { spikingNeurons } from '../operators/registry.js';
import type { Answer, Outputs, Recorded, RecordOptions } from './types.js';

/** What is recorded of the first graph: layers that are named and not of a later one, there or not. */
export function recordOfFirst({ later }: Graph, record: RecordOptions): RecordOptions {
  const theirs = new Set([...(later?.values() ?? [])].flatMap(({ graph }) => layersOf(graph)));
  return withLayers(record, (layer) => !theirs.has(layer));
}

/** What is recorded of a later graph: of the layers that are named its own. */
export function recordOfLater(graph: Graph, record: RecordOptions): RecordOptions {
  const own = new Set(layersOf(graph));
  return withLayers(record, (layer) => own.has(layer));
}

function layersOf(graph: Graph): readonly string[] {
  return spikingNeurons(graph).map(({ name }) => name);
}

function withLayers({ inputCurrents, ...record }: RecordOptions, belongs: (layer: string) => boolean): RecordOptions {
  return inputCurrents === undefined ? record : { ...record, inputCurrents: inputCurrents.filter(belongs) };
}

/** @throws GraphError when there is no later graph of that name. */
export function laterNamed<Later>(later: ReadonlyMap<string, Later>, name: string): Later {
  const found = later.get(name);
  if (found) return found;
  throw new GraphError(`there is no later graph ${name}; there are ${[...later.keys()].join(', ') || 'none'}`);
}

const recordedMaps = [
  'spikes',
  'spikeWords',
  'inputCurrents',
  'activations',
  'firingRates',
  'layerMilliseconds',
] as const satisfies readonly (keyof Recorded)[];

/** What was recorded of the parts of a run together; names differ from graph to graph. Times add up. */
export function joined<Observed>(
  first: Answer<Observed>,
  rest: readonly (Recorded & { readonly milliseconds: number })[],
  outputs: Outputs,
): Answer<Observed> {
  const recorded: Record<string, ReadonlyMap<string, unknown>> = {};
  for (const key of recordedMaps) {
    if (first[key] === undefined) continue;
    recorded[key] = new Map<string, unknown>([first, ...rest].flatMap((part) => [...(part[key] ?? [])]));
  }
  const milliseconds = rest.reduce((sum, part) => sum + part.milliseconds, first.milliseconds);
  return { ...first, ...(recorded as Recorded), outputs, milliseconds };
}
