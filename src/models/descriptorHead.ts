/**
 * A head that answers with a descriptor of the image, so that pictures of one place are near each other. Neurons stand in front of a pointwise convolution, as everywhere in the
 * network: descriptors are sums of weights where there are spikes, and means of them over positions and time. The linear map and the means change places, which costs nothing and
 * keeps multiplications out.
 */
import { conv2d } from '../operators/conv2d.js';
import { spatialMean, timeMean } from '../operators/means.js';
import { temperature } from '../operators/temperature.js';
import { unitRows } from '../operators/unitRows.js';
import type { Head } from './head.js';

/** `[B, D]`, rows of length 1. */
export const descriptorsOutput = 'descriptors';

/** The same times the root of the learned scale, which the loss reads. */
export const scaledDescriptorsOutput = 'descriptors_scaled';

/** 1/0.07 and 100, those of CLIP (Radford et al. 2021) and of SpikeViMFormer. */
const [startingScale, largestScale] = [1 / 0.07, 100];

/** @param dimensions D. */
export function descriptorHead(dimensions: number): Head {
  return (graph, { features, channels, neurons }) => {
    const spikes = neurons('descriptor_head.lif', features);
    const attributes = { inputChannels: channels, outputChannels: dimensions, kernel: 1, bias: true };
    const mapped = conv2d(graph, 'descriptor_head.proj', spikes, attributes);
    const pooled = timeMean(graph, 'descriptor_head.mean', spatialMean(graph, 'descriptor_head.pool', mapped));
    const descriptors = unitRows(graph, 'descriptor_head.unit', pooled);
    const scaling = { initial: startingScale, limit: largestScale };
    graph.output(descriptorsOutput, descriptors, 'values');
    graph.output(scaledDescriptorsOutput, temperature(graph, 'descriptor_head', descriptors, scaling), 'values');
  };
}
