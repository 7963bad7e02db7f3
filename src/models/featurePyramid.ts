/**
 * A spiking feature pyramid behind any backbone: the authors' neck, in which coarse maps are added to finer ones on membranes (Lin et al., "Feature Pyramid Networks for Object
 * Detection", CVPR 2017, with neurons in front of every convolution). Segmentation averages maps over time before it, so that it runs once; detectors with regions keep time. Node names are the authors' module paths.
 */
import type { GraphBuilder } from '../graph/graph.js';
import { add } from '../operators/add.js';
import { conv2d } from '../operators/conv2d.js';
import { meanTime } from '../operators/means.js';
import { resizeLike } from '../operators/resize.js';
import type { Features, StageMap } from './head.js';

/** Channels of the pyramid where nobody says it: the authors' for segmentation with the 15M network. */
export const defaultPyramidChannels = 128;

/** A map of the pyramid: membranes `[1 or T, B, H/stride, W/stride, channels]`. */
export interface PyramidLevel {
  readonly value: string;
  readonly stride: number;
}

/**
 * @param maps From the finest to the coarsest; each becomes a level.
 * @param time Whether levels are the same at all steps, of the maps' mean, or have steps of their own.
 * @returns as many levels.
 */
export function featurePyramid(
  graph: GraphBuilder,
  maps: readonly StageMap[],
  channels: number,
  neurons: Features['neurons'],
  time: 'averaged' | 'kept' = 'averaged',
): readonly PyramidLevel[] {
  const laterals = maps.map(({ value, channels: inputChannels }, level) => {
    const map = time === 'kept' ? value : meanTime(graph, `neck.mean.${level}`, value);
    const spikes = neurons(`neck.lateral_convs.${level}.0`, graph.stage(`backbone.${level}`, map));
    const attributes = { inputChannels, outputChannels: channels, kernel: 1, bias: true };
    return conv2d(graph, `neck.lateral_convs.${level}.1.0.conv`, spikes, attributes);
  });
  for (let level = laterals.length - 1; level > 0; level--) {
    const finer = laterals[level - 1]!;
    const coarse = resizeLike(graph, `neck.top_down.${level}`, laterals[level]!, finer, 'nearest');
    laterals[level - 1] = add(graph, `neck.sum.${level - 1}`, finer, coarse);
  }
  return laterals.map((lateral, level) => {
    const spikes = neurons(`neck.fpn_convs.${level}.0`, lateral);
    const attributes = { inputChannels: channels, outputChannels: channels, kernel: 3, bias: true };
    const value = conv2d(graph, `neck.fpn_convs.${level}.1.0.conv`, spikes, attributes);
    return { value: graph.stage(`neck.${level}`, value), stride: maps[level]!.stride };
  });
}

/** The last map of every stride: of a Meta-SpikeFormer those of strides 2, 4, 8 and 16. */
export function lastOfEachStride(maps: readonly StageMap[]): readonly StageMap[] {
  return maps.filter(({ stride }, index) => maps[index + 1]?.stride !== stride);
}
