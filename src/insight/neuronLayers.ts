/** The neuron layers of a network as places to look at: where each stands, how many neurons it has, and which three make an attention. */

import type { Graph } from '../graph/graph.js';
import { type DescribedNetwork, graphFor } from '../models/registry.js';
import { layerTitle, stageTitle } from '../models/titles.js';
import { inferShapes, operatorOf, spikingNeurons } from '../operators/registry.js';
import { stageOf } from './summary.js';

export interface NeuronLayer {
  /** The authors' module: `block3.0.attn.q_lif`; the name under which runs record it. */
  readonly name: string;
  /** The name as people say it: `block3.0.attn.q`. */
  readonly title: string;
  /** `downsample1_1`, `block3.0`, …; `classifier` after the last block. */
  readonly stage: string;
  /** The stage where there is little room: `3.0`. */
  readonly stageTitle: string;
  readonly channels: number;
  /** Height and width of the map that its tokens make; 1 × 1 after the pool. */
  readonly size: readonly [height: number, width: number];
  readonly threshold: number;
  /** The attention that it is a part of, such as `block3.0.attn`. */
  readonly attention?: string;
  /** What it is to that attention's product. */
  readonly role?: AttentionRole;
}

export type AttentionRole = 'query' | 'key' | 'value' | 'result';

/**
 * In the order in which they fire.
 *
 * @param network A graph, a described network, or the configuration of a Meta-SpikeFormer.
 * @param size Height and width of the input image.
 */
export function neuronLayers(
  network: Graph | DescribedNetwork,
  size: readonly [number, number],
): readonly NeuronLayer[] {
  const graph = graphFor(network);
  const shapes = inferShapes(graph, [1, 1, ...size, graph.inputChannels]);
  const attentions = attentionsOf(graph);
  return spikingNeurons(graph).map((node) => {
    const { name, attributes } = node;
    const stage = stageOf(name, graph) ?? 'classifier';
    const shape = shapes.get(name)!;
    const map = shape.length === 3 ? [1, 1] : shapes.get(graph.stages.get(stage) ?? name)!.slice(2, 4);
    // A layer that begins a downsampling fires on the larger map before it.
    const [height, width] = shape.length === 5 ? shape.slice(2, 4) : map;
    const attention = attentions.find((candidate) => name.startsWith(`${candidate.name}.`));
    const role = attention?.roles.get(name);
    return {
      name,
      title: layerTitle(name),
      stage,
      stageTitle: stageTitle(stage),
      channels: shape.at(-1)!,
      size: [height!, width!],
      threshold: operatorOf(node).neuron!.constants(attributes).threshold,
      ...(attention === undefined ? {} : { attention: attention.name }),
      ...(role === undefined ? {} : { role }),
    };
  });
}

/** The modules around the products of attention, and which neuron layers those read and are read by. */
function attentionsOf(
  graph: Graph,
): readonly { readonly name: string; readonly roles: ReadonlyMap<string, AttentionRole> }[] {
  const products = graph.nodes.filter((node) => operatorOf(node).attention);
  return products.map(({ name, inputs }) => {
    const [query, key, value] = inputs as [string, string, string];
    const result = graph.nodes.find((node) => node.inputs[0] === name && operatorOf(node).neuron);
    const roles = new Map<string, AttentionRole>([
      [query, 'query'],
      [key, 'key'],
      [value, 'value'],
    ]);
    if (result) roles.set(result.name, 'result');
    return { name: name.slice(0, name.lastIndexOf('.')), roles };
  });
}
