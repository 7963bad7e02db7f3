/** The neuron layers of a network as places to look at: where each stands, how many neurons it has, and which three make an attention. */
import type { MetaSpikeformerConfiguration } from '../models/metaSpikeformer.js';
import { graphOf } from '../models/registry.js';
import { inferShapes } from '../operators/registry.js';
import { stageOf } from './summary.js';

export interface NeuronLayer {
  /** The authors' module: `block3.0.attn.q_lif`; the name under which runs record it. */
  readonly name: string;
  /** `downsample1_1`, `block3.0`, …; `classifier` after the last block. */
  readonly stage: string;
  readonly channels: number;
  /** Height and width of the map that its tokens make; 1 × 1 after the pool. */
  readonly size: readonly [height: number, width: number];
  readonly threshold: number;
  /** The attention whose query, key, value or result it is, such as `block3.0.attn`. */
  readonly attention?: string;
}

/** In the order in which they fire. @param size Height and width of the input image. */
export function neuronLayers(
  configuration: MetaSpikeformerConfiguration,
  size: readonly [number, number],
): readonly NeuronLayer[] {
  const graph = graphOf({ configuration });
  const shapes = inferShapes(graph, [1, 1, ...size, configuration.inputChannels]);
  const neurons = graph.nodes.filter(({ operator }) => operator === 'lif');
  return neurons.map(({ name, attributes }) => {
    const stage = stageOf(name, graph) ?? 'classifier';
    const shape = shapes.get(name)!;
    const map = shape.length === 3 ? [1, 1] : shapes.get(graph.stages.get(stage) ?? name)!.slice(2, 4);
    // A layer that begins a downsampling fires on the larger map before it.
    const [height, width] = shape.length === 5 ? shape.slice(2, 4) : map;
    const attention = /^(.*\.attn)\./.exec(name)?.[1];
    return {
      name,
      stage,
      channels: shape.at(-1)!,
      size: [height!, width!],
      threshold: Number(attributes.threshold),
      ...(attention === undefined ? {} : { attention }),
    };
  });
}
