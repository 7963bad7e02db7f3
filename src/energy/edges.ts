/**
 * What every edge of the graph carries, in the three forms that a network has: as it is trained, with batch norms folded, and with RepConv merged as well. The ground of the claim "spike-driven":
 * computed from the operators, layer by layer, never assumed. Kinds depend on how layers are connected, so weights are not needed.
 */
import { type Graph, graphsOf, type Node, spaceAxes } from '../graph/graph.js';
import type { ValueKind } from '../graph/shape.js';
import { type DescribedNetwork, graphFor } from '../models/registry.js';
import { inferKinds, operatorOf } from '../operators/registry.js';
import { prepareGraph } from '../runtime/prepare.js';

export type NetworkForm = 'trained' | 'folded' | 'merged';

export interface Edge {
  /** The node whose value it is, or the input. */
  readonly from: string;
  readonly to: string;
  readonly operator: string;
  readonly carries: ValueKind;
}

/** A layer with weights (or a product of attention) and what it is fed. */
export interface FedLayer {
  readonly name: string;
  readonly operator: string;
  readonly fedBy: ValueKind;
  /** Why it multiplies, and what would make it add; null when it adds, or when no reason is known. */
  readonly why: string | null;
  readonly remedy: string | null;
}

export interface FormProof {
  readonly form: NetworkForm;
  readonly edges: readonly Edge[];
  readonly layers: readonly FedLayer[];
}

/** For people. */
export const formNames: Readonly<Record<NetworkForm, string>> = {
  trained: 'as trained',
  folded: 'batch norms folded',
  merged: 'RepConv merged',
};

const forms: readonly NetworkForm[] = ['trained', 'folded', 'merged'];

/**
 * All three forms, of graphs that are asked later too. Operations that a chip sees are those of the merged one.
 *
 * @param network A graph, a described network, or the configuration of a Meta-SpikeFormer.
 */
export function proveSpikeDriven(network: Graph | DescribedNetwork): readonly FormProof[] {
  const graph = graphFor(network);
  return forms.map((form) => {
    const proofs = graphsOf(graph).map((part) =>
      form === 'trained'
        ? proofOf(form, part)
        : proofOf(form, prepareGraph(part, { fuse: false, repConv: form === 'merged' ? 'full' : 'none' })),
    );
    return { form, edges: proofs.flatMap(({ edges }) => edges), layers: proofs.flatMap(({ layers }) => layers) };
  });
}

function proofOf(form: NetworkForm, graph: Graph): FormProof {
  const kinds = inferKinds(graph);
  const edges = graph.nodes.flatMap((node) =>
    node.inputs.map((from) => ({ from, to: node.name, operator: node.operator, carries: kinds.get(from)! })),
  );
  const producers = new Map(graph.nodes.map((node) => [node.name, node]));
  const looked = { input: graph.input, axes: spaceAxes(graph), producers, kinds };
  const layers = graph.nodes.flatMap((node): readonly FedLayer[] => {
    const { energy } = operatorOf(node);
    if (!energy) return [];
    const fedBy = leastOf(energy.selectors.map((index) => kinds.get(node.inputs[index]!)!));
    const { name, operator } = node;
    return [{ name, operator, fedBy, ...(fedBy === 'binary' ? adds : reasonFor(node, looked)) }];
  });
  return { form, edges, layers };
}

interface Looked {
  readonly input: string;
  /** Of space, that the input has. */
  readonly axes: 1 | 2;
  readonly producers: ReadonlyMap<string, Node>;
  readonly kinds: ReadonlyMap<string, ValueKind>;
}

const adds = { why: null, remedy: null };

/** The kind that needs most of a chip. */
function leastOf(kinds: readonly ValueKind[]): ValueKind {
  return kinds.includes('real') ? 'real' : kinds.includes('integer') ? 'integer' : 'binary';
}

/** What stands between the layer and the neurons before it. */
function reasonFor(node: Node, { input, axes, producers, kinds }: Looked): Pick<FedLayer, 'why' | 'remedy'> {
  const between = convolutionsBefore(node, producers);
  const first = between.at(-1) ?? node;
  const source = sourceOf(first, producers);
  if (source === input && axes === 1)
    return { why: 'the first convolution receives numbers of joints', remedy: 'a spike code of the joints' };
  if (source === input)
    return { why: 'the first convolution receives pixels', remedy: 'a spike code of the image, or an event camera' };
  const neurons = producers.get(source);
  if (neurons && operatorOf(neurons).neuron && kinds.get(source) === 'real')
    return { why: 'the neurons before it give out numbers', remedy: 'neurons that give out spikes' };
  const depthwise = between[0];
  if (depthwise && node.module !== undefined && depthwise.module === node.module)
    return {
      why: 'RepConv is trained as a chain of linear layers without neurons between them',
      remedy: 'merging the chain into one 3×3 convolution fed by spikes',
    };
  const window = depthwise && operatorOf(depthwise).convolution!(depthwise.attributes);
  if (operatorOf(node).convolution && window && window.groups > 1)
    return {
      why: 'the depthwise convolution before it has no neurons and hands on sums',
      remedy: `merging both into one ${window.kernel.join('×')} convolution fed by spikes (they are linear), at more operations`,
    };
  const before = producers.get(sourceOf(node, producers));
  if (before && operatorOf(before).affine)
    return {
      why: 'the layer before it has no neurons and hands on membranes',
      remedy: 'neurons between the two, with which it has to be trained',
    };
  return { why: null, remedy: null };
}

/** Convolutions on the way back to the neurons or the sum, nearest first; norms and borders are passed. */
function convolutionsBefore(node: Node, producers: ReadonlyMap<string, Node>): Node[] {
  const found: Node[] = [];
  let current = producers.get(node.inputs[0]!);
  while (current) {
    const { neuron, isSum, convolution } = operatorOf(current);
    if (neuron || isSum) break;
    if (convolution) found.push(current);
    current = producers.get(current.inputs[0]!);
  }
  return found;
}

/** What a node reads, through views and what only repeats. */
function sourceOf(node: Node, producers: ReadonlyMap<string, Node>): string {
  let value = node.inputs[0]!;
  for (;;) {
    const producer = producers.get(value);
    if (!producer || !(operatorOf(producer).timeRepetition || operatorOf(producer).isView)) return value;
    value = producer.inputs[0]!;
  }
}
