/**
 * Merges RepConv (1×1 → padded batch norm → 3×3 depthwise → 1×1 → batch norms) after its batch norms are folded. It is linear as
 * a whole, so it is one 3×3 convolution fed by spikes (`full`); or only its first half, 1×1 and depthwise, becomes a 3×3
 * fed by spikes and the last 1×1 stays a dense layer on real numbers (`first`); or nothing is merged (`none`): a 1×1 fed by spikes
 * and cheap depthwise, then the dense 1×1. What is faster depends on the firing rate, the engine, and how often it runs.
 */
import { consumersOf, type Graph, type Node, namedValues } from '../../graph/graph.js';
import { operatorOf } from '../../operators/registry.js';
import type { ConvolutionWindow } from '../../operators/traits.js';
import { type Network, type Pass, parameterOf } from './pass.js';

export const repConvForms = ['none', 'first', 'full'] as const;
export type RepConvForm = (typeof repConvForms)[number];

/** The four nodes of a RepConv whose batch norms are folded. */
export interface RepConv {
  /** What the module is called, such as `block3.0.attn.q_conv`. */
  readonly name: string;
  readonly pointwise1: Node;
  readonly pad: Node;
  readonly depthwise: Node;
  readonly pointwise2: Node;
  readonly channels: number;
}

/** One 3×3 convolution: `[channels, channels, 3, 3]`, and its bias. */
export interface MergedRepConv {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/**
 * A pass that gives each RepConv the form that `choose` says. Runs after `foldBatchNorm` and before `fuseResidual`.
 *
 * @param merged Wholly merged kernels that are known already, by the RepConv's name.
 */
export function mergeRepConv(
  choose: (repConv: RepConv) => RepConvForm,
  merged: ReadonlyMap<string, MergedRepConv> = new Map(),
): Pass {
  return (network) => {
    const parameters = new Map(network.parameters);
    const replaced = new Map<string, Node>();
    const removed = new Set<string>();
    for (const repConv of findRepConvs(network.graph)) {
      const form = choose(repConv);
      if (form === 'none') continue;
      const { pointwise1, pad, depthwise, pointwise2, channels } = repConv;
      removed.add(pointwise1.name).add(pad.name);
      const target = form === 'full' ? pointwise2 : depthwise;
      if (form === 'full') removed.add(depthwise.name);
      const whole = form === 'full' ? merged.get(repConv.name) : undefined;
      const { weight, bias } = whole ?? mergedBy(network, repConv, form);
      replaced.set(target.name, {
        ...target,
        inputs: pointwise1.inputs,
        attributes: { ...target.attributes, ...mergedWindow(channels) },
      });
      for (const node of [pointwise1, depthwise, ...(form === 'full' ? [pointwise2] : [])])
        deleteParameters(parameters, node);
      parameters.delete(`${pad.parameterPrefix}.values`);
      parameters.set(`${target.parameterPrefix}.weight`, weight);
      parameters.set(`${target.parameterPrefix}.bias`, bias);
    }
    const nodes = network.graph.nodes
      .filter((node) => !removed.has(node.name))
      .map((node) => replaced.get(node.name) ?? node);
    return { graph: { ...network.graph, nodes }, parameters };
  };
}

/** Finds 1×1 → pad 1 → 3×3 depthwise → 1×1 where nothing else reads the values between. */
export function findRepConvs(graph: Graph): readonly RepConv[] {
  const consumers = consumersOf(graph);
  const named = namedValues(graph);
  const next = (node: Node): Node | undefined => {
    const readers = consumers.get(node.name) ?? [];
    return readers.length === 1 && !named.has(node.name) ? readers[0] : undefined;
  };
  const found: RepConv[] = [];
  for (const pointwise1 of graph.nodes) {
    if (!isPointwise(pointwise1)) continue;
    const pad = next(pointwise1);
    if (!pad || operatorOf(pad).normalisation || operatorOf(pad).border?.(pad.attributes) !== 1) continue;
    const depthwise = next(pad);
    if (!depthwise || !isValidDepthwise(depthwise)) continue;
    const pointwise2 = next(depthwise);
    if (!pointwise2 || !isPointwise(pointwise2)) continue;
    const { inputChannels, outputChannels } = windowOf(pointwise1)!;
    const { outputChannels: last } = windowOf(pointwise2)!;
    if (inputChannels !== outputChannels || last !== inputChannels) continue;
    const name = pointwise1.module ?? pointwise1.name;
    found.push({ name, pointwise1, pad, depthwise, pointwise2, channels: inputChannels });
  }
  return found;
}

function windowOf(node: Node): ConvolutionWindow | undefined {
  return operatorOf(node).convolution?.(node.attributes);
}

function isPointwise(node: Node): boolean {
  const window = windowOf(node);
  if (!window) return false;
  const { kernel, stride, padding, groups, bias } = window;
  return bias && [...kernel, ...stride].every((n) => n === 1) && padding.every((n) => n === 0) && groups === 1;
}

function isValidDepthwise(node: Node): boolean {
  const window = windowOf(node);
  if (!window) return false;
  const { kernel, stride, padding, groups, inputChannels, bias } = window;
  return (
    !bias &&
    kernel.every((n) => n === 3) &&
    stride.every((n) => n === 1) &&
    padding.every((n) => n === 0) &&
    groups === inputChannels
  );
}

function mergedWindow(channels: number): ConvolutionWindow {
  return {
    inputChannels: channels,
    outputChannels: channels,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    groups: 1,
    bias: true,
  };
}

function deleteParameters(parameters: Map<string, Float32Array>, node: Node): void {
  parameters.delete(`${node.parameterPrefix}.weight`);
  parameters.delete(`${node.parameterPrefix}.bias`);
}

function mergedBy(network: Network, repConv: RepConv, form: 'first' | 'full'): MergedRepConv {
  const first = mergeFirstHalf(network, repConv);
  return form === 'full' ? mergeSecondHalf(network, repConv, first) : first;
}

/**
 * `w[o, i, k] = d[o, k] · w1[o, i]`, `b[o] = b1[o] · Σₖ d[o, k]`. The bias is the same at the border because RepConv pads with exactly
 * what the folded 1×1 makes of no spikes, its bias.
 */
export function mergeFirstHalf(network: Network, { pointwise1, depthwise, channels }: RepConv): MergedRepConv {
  const weight1 = parameterOf(network.parameters, `${pointwise1.parameterPrefix}.weight`);
  const bias1 = parameterOf(network.parameters, `${pointwise1.parameterPrefix}.bias`);
  const taps = parameterOf(network.parameters, `${depthwise.parameterPrefix}.weight`);
  const weight = new Float32Array(channels * channels * 9);
  const bias = new Float32Array(channels);
  for (let o = 0; o < channels; o++) {
    let tapSum = 0;
    for (let k = 0; k < 9; k++) tapSum += taps[o * 9 + k]!;
    bias[o] = bias1[o]! * tapSum;
    for (let i = 0; i < channels; i++) {
      const w = weight1[o * channels + i]!;
      for (let k = 0; k < 9; k++) weight[(o * channels + i) * 9 + k] = w * taps[o * 9 + k]!;
    }
  }
  return { weight, bias };
}

/** `w[p, i, k] = Σₒ w2[p, o] · w[o, i, k]`, summed in float64, `o` after `o`: C³·9 multiplications, done once. */
function mergeSecondHalf(network: Network, { pointwise2, channels }: RepConv, first: MergedRepConv): MergedRepConv {
  const weight2 = parameterOf(network.parameters, `${pointwise2.parameterPrefix}.weight`);
  const bias2 = parameterOf(network.parameters, `${pointwise2.parameterPrefix}.bias`);
  const rowLength = channels * 9;
  const weight = new Float32Array(channels * rowLength);
  const bias = new Float32Array(channels);
  const row = new Float64Array(rowLength);
  for (let p = 0; p < channels; p++) {
    const factors = weight2.subarray(p * channels, (p + 1) * channels);
    row.fill(0);
    for (let o = 0; o < channels; o += 4) addRows(row, factors, first.weight, o, Math.min(4, channels - o));
    weight.set(row, p * rowLength);
    let b = bias2[p]!;
    for (let o = 0; o < channels; o++) b += factors[o]! * first.bias[o]!;
    bias[p] = b;
  }
  return { weight, bias };
}

/** Adds rows `start`, `start + 1`, … of `rows` times their factors. Four at once load and store the sum once: half the time, and the same sums to the bit. */
function addRows(sum: Float64Array, factors: Float32Array, rows: Float32Array, start: number, count: number): void {
  const { length } = sum;
  const row = (o: number) => rows.subarray(o * length, (o + 1) * length);
  if (count < 4) {
    for (let o = start; o < start + count; o++) {
      const [factor, values] = [factors[o]!, row(o)];
      for (let j = 0; j < length; j++) sum[j] = sum[j]! + factor * values[j]!;
    }
    return;
  }
  const [a, b, c, d] = [row(start), row(start + 1), row(start + 2), row(start + 3)];
  const [fa, fb, fc, fd] = [factors[start]!, factors[start + 1]!, factors[start + 2]!, factors[start + 3]!];
  for (let j = 0; j < length; j++) sum[j] = sum[j]! + fa * a[j]! + fb * b[j]! + fc * c[j]! + fd * d[j]!;
}
