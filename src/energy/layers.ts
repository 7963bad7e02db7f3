/**
 * The layers of a network that cost operations, and whose spikes drive each: read off the graph, never assumed. RepConv counts as the one 3×3
 * convolution that it is at inference, SepConv's depthwise and pointwise convolutions apart, as the paper's energy figures have them.
 */
import type { ConvolutionGeometry } from '../engines/kernels.js';
import type { Graph, Node } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';
import type { Conv2dAttributes } from '../operators/conv2d.js';
import type { LinearAttributes } from '../operators/linear.js';
import { inferShapes, operatorOf } from '../operators/registry.js';
import type { SpikeAttentionAttributes } from '../operators/spikeAttention.js';

export interface CountedLayer {
  /** The authors' module; of a merged RepConv the module around it. */
  readonly name: string;
  readonly kind: 'convolution' | 'linear' | 'attention';
  /** Its weights are called `${parameterPrefix}.weight`; of a merged RepConv those of its last convolution. */
  readonly parameterPrefix: string;
  /** Neuron layers whose spikes come first on the way back from the input; none for the first convolution. Of attention: query, key, value. */
  readonly sources: readonly string[];
  /** The value that it reads; of attention the query. Of a merged RepConv what its first convolution reads. */
  readonly input: string;
  /** The input is spikes: every operation is an addition. Else numbers come between the spikes and the layer. */
  readonly spikeFed: boolean;
  /** Dense multiply-accumulates per image and time step, a padded border included. */
  readonly operations: number;
  /** Of one image; a linear layer is a 1×1 convolution of its tokens. Absent for attention. */
  readonly geometry?: ConvolutionGeometry;
  readonly attention?: { readonly tokens: number; readonly channels: number; readonly heads: number };
}

interface Origin {
  readonly spikes: boolean;
  readonly source: string | undefined;
}

/**
 * @param size Height and width of the image.
 * @param form RepConv as one convolution each (default), or every convolution as it is trained.
 * @throws GraphError when the size does not fit the network.
 */
export function countedLayers(
  graph: Graph,
  size: readonly [number, number],
  form: 'merged' | 'trained' = 'merged',
): readonly CountedLayer[] {
  const once = { ...graph, nodes: graph.nodes.map(shownOnce) };
  const shapes = inferShapes(once, [1, 1, ...size, graph.inputChannels]);
  const producers = new Map(once.nodes.map((node) => [node.name, node]));
  const inner = form === 'merged' ? repConvParts(once, producers) : new Map<string, never>();
  const layers: CountedLayer[] = [];
  for (const node of once.nodes) {
    const part = inner.get(node.name);
    if (part === 'inside') continue;
    const layer = part ? mergedLayer(node, part, shapes, producers) : plainLayer(node, shapes, producers);
    if (layer) layers.push(layer);
  }
  return layers;
}

function shownOnce(node: Node): Node {
  return node.operator === 'repeatTime' ? { ...node, attributes: { timeSteps: 1 } } : node;
}

/** Where a value comes from: views and linear layers are passed on the way back. */
function originOf(value: string, producers: ReadonlyMap<string, Node>): Origin {
  let current = value;
  let spikes = true;
  for (;;) {
    const node = producers.get(current);
    if (!node) return { spikes: false, source: undefined };
    if (node.operator === 'lif') return { spikes, source: node.name };
    if (!operatorOf(node).isView) spikes = false;
    current = node.inputs[0]!;
  }
}

interface RepConvEnds {
  readonly pointwise: Node;
  readonly last: Node;
}

/** The last convolution of every RepConv with its ends; the ones before it are `inside`. */
function repConvParts(graph: Graph, producers: ReadonlyMap<string, Node>): Map<string, RepConvEnds | 'inside'> {
  const parts = new Map<string, RepConvEnds | 'inside'>();
  const readers = new Map(graph.nodes.map((node) => [node.inputs[0]!, node]));
  for (const border of graph.nodes) {
    if (border.operator !== 'batchNorm' || border.attributes.padding !== 1) continue;
    const pointwise = producers.get(border.inputs[0]!)!;
    const depthwise = readers.get(border.name)!;
    const last = readers.get(depthwise.name)!;
    parts.set(pointwise.name, 'inside').set(depthwise.name, 'inside').set(last.name, { pointwise, last });
  }
  return parts;
}

function plainLayer(
  node: Node,
  shapes: ReadonlyMap<string, Shape>,
  producers: ReadonlyMap<string, Node>,
): CountedLayer | undefined {
  const inputs = node.inputs.map((value) => shapes.get(value)!);
  const output = shapes.get(node.name)!;
  const { multiplyAccumulates: operations } = operatorOf(node).cost(node, inputs, output);
  if (operations === 0) return undefined;
  if (node.operator === 'spikeAttention') {
    const { channels, heads } = node.attributes as SpikeAttentionAttributes;
    const origins = node.inputs.map((value) => originOf(value, producers));
    const sources = origins.map(({ source }) => source!);
    const spikeFed = origins.every(({ spikes }) => spikes);
    const attention = { tokens: output[2]!, channels, heads };
    return {
      name: node.name,
      kind: 'attention',
      parameterPrefix: node.parameterPrefix,
      input: node.inputs[0]!,
      sources,
      spikeFed,
      operations,
      attention,
    };
  }
  const { spikes, source } = originOf(node.inputs[0]!, producers);
  const sources = source === undefined ? [] : [source];
  const linear = node.operator === 'linear';
  const geometry = linear ? linearGeometry(node, inputs[0]!) : convolutionGeometry(node, inputs[0]!, output);
  return {
    name: node.name,
    kind: linear ? 'linear' : 'convolution',
    parameterPrefix: node.parameterPrefix,
    input: node.inputs[0]!,
    sources,
    spikeFed: spikes,
    operations,
    geometry,
  };
}

/** `block3.0.attn.q_conv.0.body.2.1` is the last of `block3.0.attn.q_conv`. */
function mergedLayer(
  node: Node,
  { pointwise }: RepConvEnds,
  shapes: ReadonlyMap<string, Shape>,
  producers: ReadonlyMap<string, Node>,
): CountedLayer {
  const { spikes, source } = originOf(pointwise.inputs[0]!, producers);
  const input = shapes.get(pointwise.inputs[0]!)!;
  const { inputChannels } = pointwise.attributes as Conv2dAttributes;
  const { outputChannels } = node.attributes as Conv2dAttributes;
  const [height, width] = [input[2]!, input[3]!];
  const geometry = {
    ...sizesOf(height, width, inputChannels, height, width, outputChannels),
    kernelHeight: 3,
    kernelWidth: 3,
    paddingHeight: 1,
    paddingWidth: 1,
  };
  return {
    name: node.name.replace(/\.0\.body\.2\.1$/, ''),
    kind: 'convolution',
    parameterPrefix: node.parameterPrefix,
    input: pointwise.inputs[0]!,
    sources: source === undefined ? [] : [source],
    spikeFed: spikes,
    operations: height * width * 9 * inputChannels * outputChannels,
    geometry,
  };
}

function sizesOf(
  inputHeight: number,
  inputWidth: number,
  inputChannels: number,
  outputHeight: number,
  outputWidth: number,
  outputChannels: number,
): ConvolutionGeometry {
  return {
    images: 1,
    inputHeight,
    inputWidth,
    inputChannels,
    outputHeight,
    outputWidth,
    outputChannels,
    kernelHeight: 1,
    kernelWidth: 1,
    strideHeight: 1,
    strideWidth: 1,
    paddingHeight: 0,
    paddingWidth: 0,
    groups: 1,
  };
}

function convolutionGeometry(node: Node, input: Shape, output: Shape): ConvolutionGeometry {
  const { inputChannels, outputChannels, kernel, stride, padding, groups } = node.attributes as Conv2dAttributes;
  return {
    ...sizesOf(input[2]!, input[3]!, inputChannels, output[2]!, output[3]!, outputChannels),
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    strideHeight: stride[0],
    strideWidth: stride[1],
    paddingHeight: padding[0],
    paddingWidth: padding[1],
    groups,
  };
}

function linearGeometry(node: Node, input: Shape): ConvolutionGeometry {
  const { inputChannels, outputChannels } = node.attributes as LinearAttributes;
  const positions = input.length === 4 ? input[2]! : 1;
  return sizesOf(1, positions, inputChannels, 1, positions, outputChannels);
}
