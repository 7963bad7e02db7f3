/**
 * Random weights whose neurons fire as often as asked: for benchmarks at a stated firing rate, where weights mean nothing and the number of
 * spikes decides. Layer by layer in the order of the network, the bias of the batch norm in front of the neurons is moved until the
 * wanted share of them fires. Attention's own neurons have no batch norm: theirs is moved by the values that attention sums, which fire less for it, or by nothing
 * where it only counts coincidences; the layers behind make up for that, so that the mean over all layers is the rate asked for.
 */
import type { Engine } from '../engines/kernels.js';
import type { NeuronDynamics } from '../engines/neuronDynamics.js';
import type { Node, Parameters } from '../graph/graph.js';
import { elementCount, type Shape } from '../graph/shape.js';
import { inferShapes, operatorOf, spikingNeurons } from '../operators/registry.js';
import { fires } from './layout.js';
import { hoistTime } from './passes/hoistTime.js';
import type { Network } from './passes/pass.js';
import { PrefixRuns } from './prefixRuns.js';

/** Neurons looked at per layer: enough for a rate to half a per cent. */
const sampled = 20_000;
const bisections = 20;
/** Attention's counts are made anew for each. */
const attentionBisections = 12;

/** What flows into neurons, and how they integrate it. */
interface Drive {
  /** `[steps, neurons]`; one step is shown `timeSteps` times. */
  readonly values: Float32Array;
  readonly steps: number;
  readonly timeSteps: number;
  readonly neurons: number;
  readonly dynamics: NeuronDynamics;
}

/**
 * @param input `[B, H, W, C]`, one image or several, shown at every step.
 * @param rate Wanted mean of the firing rates of all neuron layers, 0 to 1.
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
  const shapes = inferShapes(graph, shape);
  const producers = new Map(graph.nodes.map((node) => [node.name, node]));
  const layers = spikingNeurons(graph);
  const found = new Map<string, number>();
  const runs = new PrefixRuns(engine, graph, parameters, shapes, input.data);

  const move = (norm: Node, shift: number) => {
    const key = `${norm.parameterPrefix}.bias`;
    parameters.set(
      key,
      parameters.get(key)!.map((bias) => bias + shift),
    );
    runs.changed(norm);
  };
  const driveOf = (node: Node, values: Float32Array): Drive => {
    const valueShape = shapes.get(node.inputs[0]!)!;
    const neuron = operatorOf(node).neuron!;
    const steps = valueShape[0]!;
    const timeSteps = Math.max(steps, neuron.shownFor(node.attributes));
    const dynamics = neuron.dynamics(node.attributes);
    return { values, steps, timeSteps, neurons: elementCount(valueShape) / steps, dynamics };
  };

  for (const node of layers) {
    const sum = [...found.values()].reduce((total, one) => total + one, 0);
    const share = (rate * layers.length - sum) / (layers.length - found.size);
    const wanted = Math.min(0.95, 2 * rate, Math.max(rate / 2, share));
    const norm = normBefore(node.inputs[0]!, producers);
    const attention = producers.get(node.inputs[0]!);
    const product = attention && operatorOf(attention).attention?.(attention.attributes);
    const [query, key, value] = product ? attention.inputs.map((name) => producers.get(name)!) : [];
    const read = value ? value.inputs[0]! : node.inputs[0]!;
    const kept = query && key ? [query.name, key.name, read] : [read];
    const { values, querySpikes, keySpikes } = await runs.upTo(node, kept, async ({ program, tensor }) => ({
      values: await program.read(tensor(read)),
      querySpikes: query ? await program.readSpikes(tensor(query.name)) : undefined,
      keySpikes: key ? await program.readSpikes(tensor(key.name)) : undefined,
    }));
    if (norm) {
      const drive = driveOf(node, values);
      const shift = bisect((moved) => rateAt(drive, moved), wanted, bisections);
      move(norm, shift);
      found.set(node.name, rateAt(drive, shift));
    } else if (product && querySpikes && keySpikes && value) {
      const drive = driveOf(value, values);
      const [, images, tokens, channels] = shapes.get(attention!.name)! as [number, number, number, number];
      const { heads, scale } = product;
      const sizes = { images: drive.timeSteps * images, tokens, channels, heads };
      const packed = { query: querySpikes, key: keySpikes };
      const sums = (moved: number) => attend(sizes, packed, firing(drive, moved), scale);
      const rateOf = (moved: number) => rateAt(driveOf(node, sums(moved)), 0);
      // Few tokens, or rare queries and keys, may not be enough however often the values fire.
      const most = bisect((moved) => rateAt(drive, moved), 2 * rate, bisections);
      const shift = rateOf(most) < wanted ? most : bisect(rateOf, wanted, attentionBisections);
      move(normBefore(value.inputs[0]!, producers)!, shift);
      found.set(value.name, rateAt(drive, shift));
      found.set(node.name, rateOf(shift));
    } else found.set(node.name, rateAt(driveOf(node, values), 0));
  }
  return parameters;
}

/** The normalisation that was added to a value last: through views, sums and the pooling. */
function normBefore(value: string, producers: ReadonlyMap<string, Node>): Node | undefined {
  const node = producers.get(value);
  if (!node) return undefined;
  const { neuron, attention, normalisation } = operatorOf(node);
  if (neuron || attention) return undefined;
  return normalisation ? node : normBefore(node.inputs[0]!, producers);
}

/** One neuron over all time steps, with `shift` added to all that flows in; `fire` is told the steps at which it fires. */
function integrate(drive: Drive, neuron: number, shift: number, fire: (timeStep: number) => void): void {
  const { values, steps, timeSteps, neurons, dynamics } = drive;
  let state = 0;
  for (let t = 0; t < timeSteps; t++) {
    const charged = dynamics.charge(state, values[(steps === 1 ? 0 : t) * neurons + neuron]! + shift);
    if (dynamics.output(charged) > 0) fire(t);
    state = dynamics.after(charged);
  }
}

/** The share of the neurons that fire per step; a sample of them. */
function rateAt(drive: Drive, shift: number): number {
  const { timeSteps, neurons } = drive;
  const stride = Math.max(1, Math.floor(neurons / sampled));
  let [fired, seen] = [0, 0];
  for (let neuron = 0; neuron < neurons; neuron += stride) {
    integrate(drive, neuron, shift, () => fired++);
    seen += timeSteps;
  }
  return fired / seen;
}

/** All spikes, `[timeSteps, neurons]`, one byte each. */
function firing(drive: Drive, shift: number): Uint8Array {
  const { timeSteps, neurons } = drive;
  const spikes = new Uint8Array(timeSteps * neurons);
  for (let neuron = 0; neuron < neurons; neuron++)
    integrate(drive, neuron, shift, (t) => {
      spikes[t * neurons + neuron] = 1;
    });
  return spikes;
}

/** `scale · Q (Kᵀ V)` with Q and K as packed words and V as bytes: for each spike of V its row of K's counts, for each spike of Q its row of sums. */
function attend(
  sizes: { readonly images: number; readonly tokens: number; readonly channels: number; readonly heads: number },
  packed: { readonly query: Uint32Array; readonly key: Uint32Array },
  value: Uint8Array,
  scale: number,
): Float32Array {
  const { images, tokens, channels, heads } = sizes;
  const width = channels / heads;
  const result = new Float32Array(images * tokens * channels);
  const counts = new Float32Array(channels * width);
  for (let image = 0; image < images; image++) {
    counts.fill(0);
    for (let token = image * tokens; token < (image + 1) * tokens; token++) {
      for (let channel = 0; channel < channels; channel++) {
        if (value[token * channels + channel] === 0) continue;
        const head = channel - (channel % width);
        for (let other = 0; other < width; other++)
          if (fires(packed.key, channels, token, head + other))
            counts[(head + other) * width + channel - head]! += scale;
      }
    }
    for (let token = image * tokens; token < (image + 1) * tokens; token++) {
      for (let channel = 0; channel < channels; channel++) {
        if (!fires(packed.query, channels, token, channel)) continue;
        const head = channel - (channel % width);
        for (let other = 0; other < width; other++)
          result[token * channels + head + other]! += counts[channel * width + other]!;
      }
    }
  }
  return result;
}

/** Where a rate that grows with the shift reaches `wanted`. */
function bisect(rateOf: (shift: number) => number, wanted: number, steps: number): number {
  let [low, high] = [-1, 1];
  while (rateOf(low) > wanted && low > -1e6) low *= 2;
  while (rateOf(high) < wanted && high < 1e6) high *= 2;
  for (let i = 0; i < steps; i++) {
    const middle = (low + high) / 2;
    if (rateOf(middle) < wanted) low = middle;
    else high = middle;
  }
  return high;
}
