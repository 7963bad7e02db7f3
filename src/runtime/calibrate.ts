/**
 * Random weights whose neurons fire as often as asked: for benchmarks at a stated firing rate, where weights mean nothing and the number of
 * spikes decides. Layer by layer in the order of the network, the bias of the batch norm in front of the neurons is moved until the
 * wanted share of them fires. Attention's own neurons have no batch norm; they fire as their inputs make them.
 */
import type { Engine } from '../engines/kernels.js';
import type { Graph, Node, Parameters } from '../graph/graph.js';
import { elementCount, type Shape } from '../graph/shape.js';
import { inferShapes } from '../operators/registry.js';
import { compile } from './compile.js';
import { hoistTime } from './passes/hoistTime.js';
import type { Network } from './passes/pass.js';

/** Neurons looked at per layer: enough for a rate to half a per cent. */
const sampled = 20_000;
const bisections = 30;

/**
 * @param input `[B, H, W, C]`, one image or several, shown at every step.
 * @returns the parameters with other biases; the graph is as the authors define it, nothing folded.
 */
export async function calibrateFiringRates(
  engine: Engine,
  network: Network,
  input: { readonly shape: Shape; readonly data: Float32Array },
  rate: number,
): Promise<Parameters> {
  const parameters = new Map(network.parameters);
  const { graph } = hoistTime({ graph: network.graph, parameters });
  const shape = [1, ...input.shape];
  const producers = new Map(graph.nodes.map((node) => [node.name, node]));
  for (const node of graph.nodes) {
    if (node.operator !== 'lif') continue;
    const norm = normBefore(node.inputs[0]!, producers);
    if (!norm) continue;
    const value = node.inputs[0]!;
    const executable = compile(engine, { graph: upTo(graph, node), parameters }, shape, [value]);
    await executable.program.write(executable.tensor(graph.input), input.data);
    await executable.program.run();
    const drive = await executable.program.read(executable.tensor(value));
    executable.dispose();
    const valueShape = inferShapes(graph, shape).get(value)!;
    const shift = shiftFor(drive, valueShape, node, rate);
    const key = `${norm.parameterPrefix}.bias`;
    parameters.set(
      key,
      parameters.get(key)!.map((bias) => bias + shift),
    );
  }
  return parameters;
}

/** The batch norm that was added to a value last: through views, sums and the pooling. */
function normBefore(value: string, producers: ReadonlyMap<string, Node>): Node | undefined {
  const node = producers.get(value);
  if (!node || node.operator === 'lif' || node.operator === 'spikeAttention') return undefined;
  return node.operator === 'batchNorm' ? node : normBefore(node.inputs[0]!, producers);
}

function upTo(graph: Graph, last: Node): Graph {
  const nodes = graph.nodes.slice(0, graph.nodes.indexOf(last));
  return { ...graph, nodes, outputs: new Map(), stages: new Map() };
}

function shiftFor(drive: Float32Array, shape: Shape, node: Node, rate: number): number {
  const { tau, threshold, timeSteps: shown } = node.attributes as { tau: number; threshold: number; timeSteps: number };
  const steps = shape[0]!;
  const timeSteps = Math.max(steps, shown);
  const neurons = elementCount(shape) / steps;
  const stride = Math.max(1, Math.floor(neurons / sampled));
  const rateAt = (shift: number): number => {
    let [fired, seen] = [0, 0];
    for (let neuron = 0; neuron < neurons; neuron += stride) {
      let membrane = 0;
      for (let t = 0; t < timeSteps; t++) {
        const x = drive[(steps === 1 ? 0 : t) * neurons + neuron]! + shift;
        membrane += (x - membrane) / tau;
        seen++;
        if (membrane < threshold) continue;
        fired++;
        membrane = 0;
      }
    }
    return fired / seen;
  };
  let [low, high] = [-1, 1];
  while (rateAt(low) > rate && low > -1e6) low *= 2;
  while (rateAt(high) < rate && high < 1e6) high *= 2;
  for (let i = 0; i < bisections; i++) {
    const middle = (low + high) / 2;
    if (rateAt(middle) < rate) low = middle;
    else high = middle;
  }
  return high;
}
