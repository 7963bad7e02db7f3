/**
 * NeuroBench's metrics (Yik et al., "The NeuroBench framework for benchmarking neuromorphic computing algorithms and systems", Nature Communications 2025; harness 2.0) for the network
 * as it is trained: footprint, connection sparsity, activation sparsity, effective operations. An operation is effective when neither the activation nor the weight
 * is zero; of a layer whose inputs are all 0 or 1 it is an accumulate, of any other a multiply-accumulate. The benchmark sees convolutions and linear layers, no products
 * of attention; those stand apart here. RepConv is not merged in it, so its inner convolutions multiply.
 */
import { type ConvolutionGeometry, spikeWords } from '../engines/kernels.js';
import type { Parameters } from '../graph/graph.js';
import type { CountedLayer } from './layers.js';

export interface NeuroBenchOperations {
  /** Per image, over all time steps. */
  readonly effectiveMacs: number;
  readonly effectiveAcs: number;
  /** As if no activation and no weight were zero. */
  readonly dense: number;
}

/** Bytes of all parameters and running statistics in float32; one 64-bit count of batches per batch norm, as PyTorch keeps, included. */
export function footprintBytes(parameters: Parameters): number {
  let bytes = 0;
  for (const [name, { length }] of parameters) bytes += 4 * length + (name.endsWith('.running_var') ? 8 : 0);
  return bytes;
}

/** Share of weights of convolutions and linear layers that are zero. */
export function connectionSparsity(layers: readonly CountedLayer[], parameters: Parameters): number {
  let [zeros, all] = [0, 0];
  for (const layer of layers) {
    const weights = weightsOf(layer, parameters);
    if (!weights) continue;
    all += weights.length;
    zeros += zerosIn(weights);
  }
  return all === 0 ? 0 : zeros / all;
}

export function weightsOf(layer: CountedLayer, parameters: Parameters): Float32Array | undefined {
  return layer.kind === 'attention' ? undefined : parameters.get(`${layer.parameterPrefix}.weight`);
}

function zerosIn(weights: Float32Array): number {
  let zeros = 0;
  for (const weight of weights) if (weight === 0) zeros++;
  return zeros;
}

/** How many weights an input of each tap and channel meets, `[tap][channel]`: those that are not zero, or those that are. */
export function connectionsByTap(
  g: ConvolutionGeometry,
  weights: Float32Array,
  which: 'existing' | 'missing',
): Uint32Array {
  const taps = g.kernelHeight * g.kernelWidth;
  const perGroup = g.inputChannels / g.groups;
  const counts = new Uint32Array(taps * g.inputChannels);
  for (let output = 0; output < g.outputChannels; output++) {
    const first = Math.floor(output / (g.outputChannels / g.groups)) * perGroup;
    for (let input = 0; input < perGroup; input++)
      for (let tap = 0; tap < taps; tap++)
        if ((weights[(output * perGroup + input) * taps + tap] === 0) === (which === 'missing'))
          counts[tap * g.inputChannels + first + input]!++;
  }
  return counts;
}

/** Which channels have a weight that is not zero at a tap of a depthwise convolution: `[tap][word]`, packed as spikes are. */
export function channelsByTap(g: ConvolutionGeometry, weights: Float32Array): Uint32Array {
  const taps = g.kernelHeight * g.kernelWidth;
  const perPixel = spikeWords(g.inputChannels);
  const masks = new Uint32Array(taps * perPixel);
  for (let channel = 0; channel < g.inputChannels; channel++)
    for (let tap = 0; tap < taps; tap++)
      if (weights[channel * taps + tap] !== 0) masks[tap * perPixel + (channel >> 5)]! |= 1 << (channel & 31);
  return masks;
}
