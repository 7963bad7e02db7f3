/**
 * What every edge of the graph carries, in the three forms that a network has: as it is trained, with batch norms folded, and with RepConv merged as well. The ground of the claim "spike-driven":
 * computed from the operators, layer by layer, never assumed. Kinds depend on how layers are connected and not on their widths, so a narrow network of the same
 * structure stands in for the weights, which are not needed.
 */
import type { Graph, Node } from '../graph/graph.js';
import type { ValueKind } from '../graph/shape.js';
import { initialiseParameters } from '../models/initialise.js';
import type { MetaSpikeformerConfiguration } from '../models/metaSpikeformer.js';
import { graphOf } from '../models/registry.js';
import type { Conv2dAttributes } from '../operators/conv2d.js';
import { inferKinds } from '../operators/registry.js';
import { prepareNetwork } from '../runtime/prepare.js';

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

const operatorsWithWeights = new Set(['conv2d', 'linear', 'spikeAttention']);
const forms: readonly NetworkForm[] = ['trained', 'folded', 'merged'];

/** All three forms. Operations that a chip sees are those of the merged one. */
export function proveSpikeDriven(configuration: MetaSpikeformerConfiguration): readonly FormProof[] {
  const narrow = graphOf({ configuration: { ...configuration, embedDim: [2, 2, 2, 2], heads: 1 } });
  const parameters = initialiseParameters(narrow, 0);
  return forms.map((form) => {
    if (form === 'trained') return proofOf(form, narrow);
    const repConv = form === 'merged' ? 'full' : 'none';
    return proofOf(form, prepareNetwork({ graph: narrow, parameters }, { fuse: false, repConv }).graph);
  });
}

function proofOf(form: NetworkForm, graph: Graph): FormProof {
  const kinds = inferKinds(graph);
  const edges = graph.nodes.flatMap((node) =>
    node.inputs.map((from) => ({ from, to: node.name, operator: node.operator, carries: kinds.get(from)! })),
  );
  const producers = new Map(graph.nodes.map((node) => [node.name, node]));
  const layers = graph.nodes
    .filter(({ operator }) => operatorsWithWeights.has(operator))
    .map((node): FedLayer => {
      const fedBy = leastOf(node.inputs.map((value) => kinds.get(value)!));
      const { name, operator } = node;
      return { name, operator, fedBy, ...(fedBy === 'binary' ? adds : reasonFor(node, graph.input, producers)) };
    });
  return { form, edges, layers };
}

const adds = { why: null, remedy: null };

/** The kind that needs most of a chip. */
function leastOf(kinds: readonly ValueKind[]): ValueKind {
  return kinds.includes('real') ? 'real' : kinds.includes('integer') ? 'integer' : 'binary';
}

/** What stands between the layer and the neurons before it; RepConv's inner convolutions are told by the authors' names. */
function reasonFor(node: Node, input: string, producers: ReadonlyMap<string, Node>): Pick<FedLayer, 'why' | 'remedy'> {
  const between = linearLayersBefore(node, producers);
  const first = between.at(-1) ?? node;
  if (reachesInput(first, input, producers))
    return { why: 'the first convolution receives pixels', remedy: 'a spike code of the image, or an event camera' };
  if (/\.body\.2\.[01]$/.test(node.name) && between.length > 0)
    return {
      why: 'RepConv is trained as a chain of linear layers without neurons between them',
      remedy: 'merging the chain into one 3×3 convolution fed by spikes',
    };
  const depthwise = between[0];
  if (node.operator === 'conv2d' && depthwise && (depthwise.attributes as Conv2dAttributes).groups > 1)
    return {
      why: 'the depthwise convolution before it has no neurons and hands on sums',
      remedy: 'merging both into one 7×7 convolution fed by spikes (they are linear), at more operations',
    };
  return { why: null, remedy: null };
}

/** Convolutions, norms and borders on the way back to the neurons, nearest convolution first. */
function linearLayersBefore(node: Node, producers: ReadonlyMap<string, Node>): Node[] {
  const found: Node[] = [];
  let current = producers.get(node.inputs[0]!);
  while (current && current.operator !== 'lif' && current.operator !== 'add') {
    if (current.operator === 'conv2d') found.push(current);
    current = producers.get(current.inputs[0]!);
  }
  return found;
}

function reachesInput(node: Node, input: string, producers: ReadonlyMap<string, Node>): boolean {
  let value = node.inputs[0]!;
  for (;;) {
    if (value === input) return true;
    const producer = producers.get(value);
    if (!producer || !['repeatTime', 'reshape'].includes(producer.operator)) return false;
    value = producer.inputs[0]!;
  }
}
