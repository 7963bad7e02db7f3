/**
 * The weights that a run begins with. Beside PyTorch's defaults a recipe decides how strongly neurons fire at first: small networks
 * with batch norm biases of 0 begin with silent channels, and with biases of 1 everywhere the residual sums grow until
 * the last neurons fire for every image and the head sees nothing.
 */
import type { Graph, Node, Parameters } from '../graph/graph.js';
import { initialiseParameters } from '../models/initialise.js';
import { architectureOf } from '../models/registry.js';
import { operatorOf } from '../operators/registry.js';
import { askedGraph } from '../tasks/registry.js';
import { type Recipe, recipeNetwork } from './recipe.js';

type Start = Pick<Recipe, 'task' | 'model' | 'batchNormBias' | 'branchScale' | 'seed'>;

/** Fresh weights from the recipe's seed, batch norms with the recipe's biases. */
export function startingParameters({ task, model, batchNormBias, branchScale, seed }: Start): Parameters {
  const network = recipeNetwork({ task, model });
  const graph = askedGraph(network);
  const parameters = initialiseParameters(graph, seed);
  for (const [name, scale] of architectureOf(network).startingScales?.(network.configuration) ?? [])
    parameters.get(name)!.fill(scale);
  const readers = readersOf(graph);
  const norms = graph.nodes.filter((node) => operatorOf(node).normalisation);
  const kinds = new Map(norms.map((norm) => [norm, kindOf(norm, readers)]));
  const streams = norms.filter((norm) => kinds.get(norm) === 'stream');
  for (const norm of norms) {
    const kind = kinds.get(norm);
    const within = kind === 'branch' || kind === 'inner';
    const place = norm === streams.at(-1) ? 'last' : within ? 'branches' : 'neurons';
    parameters.get(`${norm.parameterPrefix}.bias`)!.fill(batchNormBias[place]);
    if (kind === 'branch' && branchScale !== 1) parameters.get(`${norm.parameterPrefix}.weight`)!.fill(branchScale);
  }
  return parameters;
}

type Kind = 'neurons' | 'stream' | 'branch' | 'inner';

/**
 * What a batch norm feeds: neurons alone, the residual stream (which branches read and are added to), the sum at the end of a branch,
 * or (inside RepConv) only further linear layers.
 */
function kindOf(norm: Node, readers: ReadonlyMap<string, readonly Node[]>): Kind {
  const found = readersBehindViews(norm.name, readers);
  const neurons = found.some((node) => operatorOf(node).neuron);
  const sums = found.some((node) => operatorOf(node).isSum);
  const pooled = found.some((node) => operatorOf(node).meanOver === 'space');
  if (pooled || (neurons && sums)) return 'stream';
  if (neurons) return 'neurons';
  return sums ? 'branch' : 'inner';
}

function readersOf(graph: Graph): Map<string, Node[]> {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  return readers;
}

function readersBehindViews(value: string, readers: ReadonlyMap<string, readonly Node[]>): Node[] {
  return (readers.get(value) ?? []).flatMap((node) =>
    operatorOf(node).isView ? readersBehindViews(node.name, readers) : [node],
  );
}
