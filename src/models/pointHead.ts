/**
 * A single-stage head for detection on small machines, anchor-free: every place of the pyramid says which class is there and how far the four sides of its box are (Tian et al.,
 * "FCOS: Fully Convolutional One-Stage Object Detection", ICCV 2019; YOLO style: one head a level, decoded in one pass). Neurons stand in front of every convolution, so that all of it is
 * additions of spikes. Ours; nobody published one for this network.
 */
import { batchNorm } from '../operators/batchNorm.js';
import { conv2d } from '../operators/conv2d.js';
import { timeMean } from '../operators/means.js';
import { defaultPyramidChannels, featurePyramid, lastOfEachStride } from './featurePyramid.js';
import type { Head } from './head.js';

/** The coarsest maps that boxes are read off: of a Meta-SpikeFormer those of strides 8 and 16. */
const levelsTaken = 2;

/** Numbers of a place beside the classes: the distances to left, top, right and bottom, and how central the place is. */
export const boxNumbers = 5;

/** The output of a level: what it is called says its stride, `points.8`. */
export function pointsOutput(stride: number): string {
  return `points.${stride}`;
}

/** The stride of an output's name; undefined for another output. */
export function strideOf(output: string): number | undefined {
  const found = /^points\.(\d{1,4})$/.exec(output);
  return found === null ? undefined : Number(found[1]);
}

/**
 * Gives out `points.STRIDE` for each level, `[B, classes + 5, H/stride, W/stride]`: scores of the classes before a sigmoid, logarithms of the distances in strides, and centrality before a
 * sigmoid.
 */
export function pointHead({
  classes,
  pyramidChannels: channels = defaultPyramidChannels,
}: {
  readonly classes: number;
  readonly pyramidChannels?: number | undefined;
}): Head {
  return (graph, { maps, neurons }) => {
    const pyramid = featurePyramid(graph, lastOfEachStride(maps).slice(-levelsTaken), channels, neurons);
    for (const [level, { value, stride }] of pyramid.entries()) {
      const name = `point_head.levels.${level}`;
      let x = value;
      for (let layer = 0; layer < 2; layer++) {
        const attributes = { inputChannels: channels, outputChannels: channels, kernel: 3 };
        const convolved = conv2d(graph, `${name}.${layer}.conv`, neurons(`${name}.${layer}.lif`, x), attributes);
        x = batchNorm(graph, `${name}.${layer}.bn`, convolved, channels);
      }
      const attributes = { inputChannels: channels, outputChannels: classes + boxNumbers, kernel: 1, bias: true };
      const numbers = conv2d(graph, `${name}.points`, neurons(`${name}.lif`, x), attributes);
      graph.output(pointsOutput(stride), timeMean(graph, `${name}.mean`, numbers), 'values');
    }
  };
}
