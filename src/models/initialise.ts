/**
 * Parameters before training: PyTorch's defaults (Kaiming-uniform with a = √5) and truncated normal for linear heads, as the
 * authors' code sets them, from one seed. The generator is our own small one: the same seed gives the same network on
 * every machine; it is not PyTorch's stream of numbers.
 */
import { consumersOf, type Graph, type Initialiser, type Node, type Parameters } from '../graph/graph.js';
import { elementCount } from '../graph/shape.js';
import { inferKinds, operatorOf, parametersOf } from '../operators/registry.js';
import { type Random, seededRandom } from '../random.js';

/** Fresh parameters for every trainable weight and running statistic of a graph. */
export function initialiseParameters(graph: Graph, seed: number): Parameters {
  const random = seededRandom(seed);
  const parameters = new Map<string, Float32Array>();
  for (const spec of parametersOf(graph)) {
    if (spec.role === 'batchCount') continue;
    parameters.set(spec.name, drawn(elementCount(spec.shape), spec.initial, random));
  }
  return parameters;
}

function drawn(length: number, initial: Initialiser, random: Random): Float32Array {
  const values = new Float32Array(length);
  switch (initial.kind) {
    case 'constant':
      return values.fill(initial.value);
    case 'uniform':
      for (let i = 0; i < length; i++) values[i] = (2 * random.uniform() - 1) * initial.bound;
      return values;
    case 'truncatedNormal':
      for (let i = 0; i < length; i++) values[i] = Math.max(-2, Math.min(2, random.normal() * initial.deviation));
      return values;
  }
}

/** Mean of the normalised membrane input in a demonstration network: with deviation 1 and threshold 2 (θ·τ), 16 % fire. */
const demonstrationBias = 1;
/** Share of inputs that fire, assumed when variances are set. */
const assumedFiringRate = 0.25;

/**
 * Random weights that fire. Fresh running statistics (mean 0, variance 1) describe no data: a network of fresh weights falls silent
 * after a few layers. Here each running variance is what uniform weights make of their input (a sum of n terms `w·s` with w in
 * ±1/√n has variance E[s²]/3), and normalised values get a mean of 1. For demonstrations and benchmarks; never trained.
 */
export function demonstrationParameters(graph: Graph, seed: number): Parameters {
  const parameters = new Map(initialiseParameters(graph, seed));
  const producers = new Map(graph.nodes.map((node) => [node.name, node]));
  const consumers = consumersOf(graph);
  const kinds = inferKinds(graph);
  /** E[x²] of a value, as far as it is known. */
  const power = new Map<string, number>([[graph.input, 1]]);
  const powerOf = (value: string) => power.get(value) ?? 1;
  for (const node of graph.nodes) {
    const source = node.inputs[0]!;
    const { neuron, affine, normalisation } = operatorOf(node);
    // A number that is not negative keeps half of its power in the mean.
    if (neuron) power.set(node.name, kinds.get(node.name) === 'binary' ? assumedFiringRate : powerOf(source) / 2);
    else if (affine) power.set(node.name, powerOf(source) / 3);
    else if (normalisation) {
      const before = producers.get(source);
      const mean = isInner(node, consumers) ? 0 : demonstrationBias;
      const isNormalised = before && operatorOf(before).normalisation;
      parameters.get(`${node.parameterPrefix}.running_var`)!.fill(isNormalised ? 1 : powerOf(source));
      parameters.get(`${node.parameterPrefix}.bias`)!.fill(mean);
      power.set(node.name, 1 + mean * mean);
    } else power.set(node.name, powerOf(source));
  }
  return parameters;
}

/** Only further linear layers and their normalisations read it: it stands inside a chain without neurons, such as a RepConv. */
function isInner(normalisation: Node, consumers: ReadonlyMap<string, readonly Node[]>): boolean {
  const readers = consumers.get(normalisation.name) ?? [];
  return readers.every((reader) => {
    const { affine, normalisation: again } = operatorOf(reader);
    return affine !== undefined || again !== undefined;
  });
}
