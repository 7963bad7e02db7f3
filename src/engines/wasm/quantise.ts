/**
 * Weights as integers, one scale per output channel. Of a spike-fed layer: a byte each, of which the kernel (`kernels/spikeByteRows.ts`) adds so many before it
 * widens the sums that no pattern of spikes can overflow. Of a dense layer: 16 bits, so small that no sum of products with rounded inputs can leave 32 bits,
 * whatever the inputs.
 */
import type { ConvolutionGeometry } from '../kernels.js';
import { IntegerConvolution } from './instructionSet.js';
import { roundUp } from './packing.js';

/** Weights become −127…127: half a step is 0.4 % of a channel's largest weight. */
export const levels = 127;

export interface SpikeWeights {
  /** As PyTorch stores them: `[outputChannels, inputChannels, kernelHeight, kernelWidth]`. */
  readonly weight: Int8Array;
  /** What one step is worth, by output channel; 0 for a channel without weights. */
  readonly scales: Float32Array;
}

const largestInteger = 32767;

/** Of a dense layer; otherwise as `SpikeWeights`. */
export interface QuantisedWeights {
  /** As PyTorch stores them: `[outputChannels, inputChannels, kernelHeight, kernelWidth]`. */
  readonly weight: Int16Array;
  /** What one step is worth, by output channel; 0 for a channel without weights. */
  readonly scales: Float32Array;
}

/** A weight may be so far from a whole step, in steps, and still count as lying on the grid: what folding a batch norm in float32 moves. */
const gridTolerance = 1 / 512;

/**
 * Rounds to the nearest step, the largest weight of each output channel being `levels` steps; or fewer, where all weights of the channel then are
 * whole steps as they stand (`interop/steppedTensors.ts`) and nothing is rounded.
 */
export function quantiseWeights(weight: Float32Array, { outputChannels }: ConvolutionGeometry): SpikeWeights {
  return quantiseBy(weight, outputChannels, (own) => {
    const largest = largestOf(own);
    return largest / (stepsOfGrid(own, largest) ?? levels);
  });
}

/**
 * As `quantiseWeights`, but so coarse that the sums of any of four neighbouring input channels' weights are within ±`levels` steps too. How much coarser than `quantiseWeights` depends on how
 * the weights are spread: measured, 2.9 to 3.5 times where evenly (medians of layers of a random 31M), 1.9 times where normally.
 *
 * @returns undefined where weights lie on a grid that their sums do not fit: they are not to be rounded again.
 */
export function quantiseWeightsAndSums(weight: Float32Array, geometry: ConvolutionGeometry): SpikeWeights | undefined {
  const { inputChannels, outputChannels } = geometry;
  let fits = true;
  const quantised = quantiseBy(weight, outputChannels, (own) => {
    const largest = largestOf(own);
    const sum = largestSumOf(own, inputChannels);
    const steps = largest === 0 ? undefined : stepsOfGrid(own, largest);
    // Four weights are rounded by two steps at most.
    if (steps === undefined) return Math.max(sum / (levels - 2), sum === 0 ? 0 : leastScale);
    if (Math.round((sum / largest) * steps) > levels) fits = false;
    return largest / steps;
  });
  return fits ? quantised : undefined;
}

function quantiseBy(
  weight: Float32Array,
  outputChannels: number,
  scaleOf: (own: Float32Array) => number,
): SpikeWeights {
  const perChannel = weight.length / outputChannels;
  const quantised = new Int8Array(weight.length);
  const scales = new Float32Array(outputChannels);
  for (let channel = 0; channel < outputChannels; channel++) {
    const start = channel * perChannel;
    const scale = Math.fround(scaleOf(weight.subarray(start, start + perChannel)));
    scales[channel] = scale;
    if (scale === 0) continue;
    for (let i = start; i < start + perChannel; i++) {
      // As Math.round, in half of the time: what is never negative is rounded by cutting off.
      const step = ((weight[i]! / scale + levels + 1.5) | 0) - (levels + 1);
      // A scale so small that it was rounded could make more steps of the largest weight.
      quantised[i] = step > levels ? levels : Math.max(step, -levels);
    }
  }
  return { weight: quantised, scales };
}

function largestOf(weights: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < weights.length; i++) largest = Math.max(largest, Math.abs(weights[i]!));
  return largest;
}

/** The largest magnitude that some of four neighbouring input channels' weights `[inputChannels, taps]` add up to: all of one sign. */
function largestSumOf(weights: Float32Array, inputChannels: number): number {
  const taps = weights.length / inputChannels;
  let largest = 0;
  for (let first = 0; first < weights.length; first += 4 * taps) {
    const end = Math.min(weights.length, first + 4 * taps);
    for (let tap = 0; tap < taps; tap++) {
      let [positive, negative] = [0, 0];
      for (let i = first + tap; i < end; i += taps) {
        if (weights[i]! > 0) positive += weights[i]!;
        else negative -= weights[i]!;
      }
      largest = Math.max(largest, positive, negative);
    }
  }
  return largest;
}

/** Whole steps in the largest weight of a channel that lies on a grid of at most `levels` and at least half as many; else undefined. */
function stepsOfGrid(weights: Float32Array, largest: number): number | undefined {
  for (let steps = levels; steps > levels / 2; steps--) {
    const perStep = steps / largest;
    // Other numbers than a grid's fail at the first or second weight.
    if (weights.every((weight) => Math.abs(weight * perStep - Math.round(weight * perStep)) < gridTolerance))
      return steps;
  }
  return undefined;
}

/** Scales as the kernel reads them: padded with zeros to whole registers of a row. */
export function scalesLength({ outputChannels }: ConvolutionGeometry): number {
  return roundUp(outputChannels, 16);
}

/**
 * What the magnitudes of an output channel's integers may add up to: no input is beyond ±`IntegerConvolution.inputLevels`, so every sum of products, partial ones too,
 * is at most 2³¹ − 1. Shared by 384 channels it leaves a weight 1,365 steps on average, and the largest of them several times as many.
 */
export const largestWeightSum = Math.floor((2 ** 31 - 1) / IntegerConvolution.inputLevels);

/** The smallest number that float32 holds with all its digits: a smaller scale could itself be rounded to half of what it should be. */
const leastScale = 2 ** -126;

/** Rounds to the nearest step, steps being as small as `largestWeightSum` and 16 bits allow for each output channel. */
export function quantiseDenseWeights(weight: Float32Array, { outputChannels }: ConvolutionGeometry): QuantisedWeights {
  const perChannel = weight.length / outputChannels;
  const quantised = new Int16Array(weight.length);
  const scales = new Float32Array(outputChannels);
  for (let channel = 0; channel < outputChannels; channel++) {
    const own = weight.subarray(channel * perChannel, (channel + 1) * perChannel);
    let largest = 0;
    let sum = 0;
    for (const value of own) {
      largest = Math.max(largest, Math.abs(value));
      sum += Math.abs(value);
    }
    // Rounding adds up to half a step per weight; one more is set aside for the rounding of the scale itself.
    const steps = largestWeightSum - perChannel / 2 - 1;
    if (largest === 0) continue;
    const scale = Math.fround(Math.max(sum / steps, largest / (largestInteger - 1), leastScale));
    scales[channel] = scale;
    for (let i = 0; i < perChannel; i++) quantised[channel * perChannel + i] = Math.floor(own[i]! / scale + 0.5);
  }
  return { weight: quantised, scales };
}
