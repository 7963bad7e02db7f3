/**
 * Parameters before training: PyTorch's defaults (Kaiming-uniform with a = √5) and truncated normal for linear heads, as the
 * authors' code sets them, from one seed. The generator is our own small one: the same seed gives the same network on
 * every machine; it is not PyTorch's stream of numbers.
 */
import type { Graph, Initialiser, Parameters } from '../graph/graph.js';
import { elementCount } from '../graph/shape.js';
import { parametersOf } from '../operators/registry.js';
import { type Random, seededRandom } from './random.js';

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
      for (let i = 0; i < length; i++) values[i] = truncatedNormal(random) * initial.deviation;
      return values;
  }
}

/** Normal, redrawn until within ±2/0.02 deviations: timm's absolute bounds of ±2 never bind at deviation 0.02. */
function truncatedNormal(random: Random): number {
  return random.normal();
}
