/**
 * The layers of a network that cost operations, and whose spikes drive each: read off the graph, never assumed. RepConv counts as the one 3×3
 * convolution that it is at inference, SepConv's depthwise and pointwise convolutions apart, as the paper's energy figures have them.
 */
import type { ConvolutionGeometry } from '../engines/kernels.js';
import { UsageError } from '../errors.js';
import type { Graph, Node } from '../graph/graph.js';
import type { Shape, ValueKind } from '../graph/shape.js';
import {
  behindTimeMean,
  inferKinds,
  inferShapes,
  isSpikeSource,
  operatorOf,
  shownOnce,
} from '../operators/registry.js';
import type { AttentionSize, SpikeSum } from '../operators/traits.js';

export interface CountedLayer {
  /** The authors' module; of a merged RepConv the module around it. */
  readonly name: string;
  readonly kind: 'convolution' | 'linear' | 'attention';
  /** Its weights are called `${parameterPrefix}.weight`; of a merged RepConv those of its last convolution. */
  readonly parameterPrefix: string;
  /**
   * Nodes whose spikes come first on the way back from the input: neuron layers, or a gate that lets some of theirs through. None for the first
   * convolution and behind neurons that give out numbers. Of attention one for each of its inputs: of SDSA-3 query, key, value.
   */
  readonly sources: readonly string[];
  /** The value that it reads; of attention the first of its sources. Of a merged RepConv what its first convolution reads. */
  readonly input: string;
  /** The input is spikes: every operation is an addition. Else numbers come between the spikes and the layer. */
  readonly spikeFed: boolean;
  /** It is behind a mean over time and runs once, however many time steps the network takes. */
  readonly once?: true;
  /** Dense multiply-accumulates per image and time step, a padded border included. */
  readonly operations: number;
  /** Of one image; a linear layer is a 1×1 convolution of its tokens. Absent for attention. */
  readonly geometry?: ConvolutionGeometry;
  readonly attention?: AttentionSize;
  /** What attention adds; its inputs are places in `sources`. */
  readonly sums?: readonly SpikeSum[];
  /** How often it runs for an image, in the mean: of a head that looks at regions. Absent: once. `operations` are of all together, `geometry` is of one. */
  readonly perImage?: number;
}

/** What is known of a graph that is looked at for one image and time step. */
interface Known {
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly kinds: ReadonlyMap<string, ValueKind>;
  readonly producers: ReadonlyMap<string, Node>;
}

/**
 * @param size Height and width of the image.
 * @param form RepConv as one convolution each (default), or every convolution as it is trained.
 * @throws GraphError when the size does not fit the network; UsageError when a part of it looks at regions, of which there are any number.
 */
export function countedLayers(
  graph: Graph,
  size: readonly [number, number],
  form: 'merged' | 'trained' = 'merged',
): readonly CountedLayer[] {
  if (graph.later !== undefined)
    throw new UsageError(
      'energy: heads of this detector look at regions, whose number differs from image to image; ask with data, or for the proof',
    );
  return layersOf(graph, size, form);
}

/**
 * As `countedLayers`, and of a network that looks at regions the layers of its heads too.
 *
 * @param regions How many an image has in the mean, by the name of the graph that looks at them; where nothing is said one.
 */
export function layersOfAll(
  graph: Graph,
  size: readonly [number, number],
  regions?: ReadonlyMap<string, number>,
  form: 'merged' | 'trained' = 'merged',
): readonly CountedLayer[] {
  const later = [...(graph.later ?? [])].map(([name, part]) => {
    const perImage = regions?.get(name) ?? 1;
    return layersOf(part.graph, part.size, form).map((layer) => ({
      ...layer,
      operations: perImage * layer.operations,
      perImage,
    }));
  });
  return [layersOf(graph, size, form), ...later].flat();
}

/** The layers of this graph alone, not of those that are asked after it. */
export function layersOf(
  graph: Graph,
  size: readonly [number, number],
  form: 'merged' | 'trained',
): readonly CountedLayer[] {
  const once = shownOnce(graph);
  const known: Known = {
    shapes: inferShapes(once, [1, 1, ...size, graph.inputChannels]),
    kinds: inferKinds(once),
    producers: new Map(once.nodes.map((node) => [node.name, node])),
  };
  const inner = form === 'merged' ? repConvParts(once, known) : new Map<string, never>();
  const behind = behindTimeMean(once);
  const layers: CountedLayer[] = [];
  for (const node of once.nodes) {
    const part = inner.get(node.name);
    if (part === 'inside') continue;
    const layer = part ? mergedLayer(node, part, known) : plainLayer(node, known);
    if (layer) layers.push(behind.has(node.name) ? { ...layer, once: true } : layer);
  }
  return layers;
}

/** What fires, or lets spikes through, first on the way back from a value: views, sums and linear layers are passed. Undefined behind neurons that give out numbers. */
function spikesBefore(value: string, { producers, kinds }: Omit<Known, 'shapes'>): string | undefined {
  let node = producers.get(value);
  while (node && !operatorOf(node).neuron && !isSpikeSource(node, kinds)) node = producers.get(node.inputs[0]!);
  return node && kinds.get(node.name) === 'binary' ? node.name : undefined;
}

/** Rates of everything that sources of layers can be, from those of neuron layers: a gate lets through as much as if its inputs fired independently of each other. */
export function ratesOfSpikes(graph: Graph, rateOf: (neurons: string) => number): (source: string) => number {
  const producers = new Map(graph.nodes.map((node) => [node.name, node]));
  const known = { producers, kinds: inferKinds(graph) };
  const rate = (source: string): number => {
    const node = producers.get(source);
    if (!node || operatorOf(node).neuron) return rateOf(source);
    return node.inputs.reduce((product, value) => product * rate(spikesBefore(value, known) ?? value), 1);
  };
  return rate;
}

/** The neuron layers in front of the values that select, and whether all of those are spikes. */
function fedBy(values: readonly string[], known: Known): Pick<CountedLayer, 'sources' | 'spikeFed'> {
  return {
    sources: values.map((value) => spikesBefore(value, known)).filter((source) => source !== undefined),
    spikeFed: values.every((value) => known.kinds.get(value) === 'binary'),
  };
}

interface RepConvEnds {
  readonly pointwise: Node;
  readonly last: Node;
}

/** The last convolution of every RepConv with its ends; the ones before it are `inside`. */
function repConvParts(graph: Graph, { producers }: Known): Map<string, RepConvEnds | 'inside'> {
  const parts = new Map<string, RepConvEnds | 'inside'>();
  const readers = new Map(graph.nodes.map((node) => [node.inputs[0]!, node]));
  for (const border of graph.nodes) {
    const { normalisation, border: padding } = operatorOf(border);
    if (!normalisation || padding?.(border.attributes) !== 1) continue;
    const pointwise = producers.get(border.inputs[0]!)!;
    const depthwise = readers.get(border.name)!;
    const last = readers.get(depthwise.name)!;
    parts.set(pointwise.name, 'inside').set(depthwise.name, 'inside').set(last.name, { pointwise, last });
  }
  return parts;
}

function plainLayer(node: Node, known: Known): CountedLayer | undefined {
  const { cost, energy } = operatorOf(node);
  if (!energy) return undefined;
  const inputs = node.inputs.map((value) => known.shapes.get(value)!);
  const output = known.shapes.get(node.name)!;
  const { multiplyAccumulates: operations } = cost(node, inputs, output);
  return {
    name: node.name,
    ...energy.layer(node.attributes, inputs, output),
    parameterPrefix: node.parameterPrefix,
    input: node.inputs[0]!,
    ...fedBy(
      energy.selectors.map((index) => node.inputs[index]!),
      known,
    ),
    operations,
  };
}

/** `block3.0.attn.q_conv.0.body.2.1` is the last of `block3.0.attn.q_conv`. */
function mergedLayer(node: Node, { pointwise }: RepConvEnds, known: Known): CountedLayer {
  const input = pointwise.inputs[0]!;
  const [, , inputHeight, inputWidth, inputChannels] = known.shapes.get(input) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const outputChannels = known.shapes.get(node.name)!.at(-1)!;
  const geometry = {
    images: 1,
    inputHeight,
    inputWidth,
    inputChannels,
    outputHeight: inputHeight,
    outputWidth: inputWidth,
    outputChannels,
    kernelHeight: 3,
    kernelWidth: 3,
    strideHeight: 1,
    strideWidth: 1,
    paddingHeight: 1,
    paddingWidth: 1,
    groups: 1,
  };
  return {
    name: node.module ?? node.name,
    kind: 'convolution',
    parameterPrefix: node.parameterPrefix,
    input,
    ...fedBy([input], known),
    operations: inputHeight * inputWidth * 9 * inputChannels * outputChannels,
    geometry,
  };
}
