/**
 * Convolution as its definition says: each output is the dot product of one filter with the patch of input below it, plus
 * bias and residual (cross-correlation, zero padding, groups: the semantics of PyTorch's `conv2d`). Not fast: the
 * patch is gathered once per output position and every filter of the group walks over it.
 */
import type { ConvolutionCall, ConvolutionGeometry, TrainableConvolutionCall } from '../../calls/convolution.js';
import { spikeWords } from '../../tensor.js';
import { realView, spikeView } from '../memory.js';

/** The elements of one patch that can matter: where each meets its filter, and its value. */
export interface Patch {
  length: number;
  /** Offset within a filter `[inputChannels / groups, kernelHeight, kernelWidth]`. */
  readonly filterOffsets: Int32Array;
  readonly values: Float32Array;
}

/** What gathering patches needs to know of a call. */
export type PatchSource = Pick<ConvolutionCall, 'name' | 'geometry' | 'input'>;

/** Appends the channels `first … first + count − 1` of one input pixel; `tap` is kernelRow · kernelWidth + kernelColumn. */
export type GatherPixel = (patch: Patch, pixel: number, first: number, count: number, tap: number) => void;

/** Sums are float64, rounded to float32 once. */
export function convolution(call: ConvolutionCall): () => void {
  const { geometry, weight, bias } = call;
  const { groups, inputChannels, outputChannels, outputWidth, outputHeight } = geometry;
  const groupInputs = inputChannels / groups;
  const groupOutputs = outputChannels / groups;
  const filterLength = filterLengthOf(geometry);
  const gather = gatherOf(call);
  const output = realView(call.name, call.output);
  const residual = call.residual && realView(call.name, call.residual);
  const patch = emptyPatch(filterLength);
  const positions = geometry.images * outputHeight * outputWidth;

  return () => {
    for (let position = 0; position < positions; position++) {
      for (let group = 0; group < groups; group++) {
        gatherPatch(patch, geometry, gather, position, group * groupInputs, groupInputs);
        for (let channel = group * groupOutputs; channel < (group + 1) * groupOutputs; channel++) {
          const index = position * outputChannels + channel;
          let sum = dot(patch, weight, channel * filterLength);
          if (bias) sum += bias[channel]!;
          if (residual) sum += residual[index % residual.length]!;
          output[index] = sum;
        }
      }
    }
  };
}

/**
 * As `convolution`, with parameters that change between runs: the views are live, so each run sees what is there then.
 */
export function trainableConvolution(call: TrainableConvolutionCall): () => void {
  const { name, geometry, input, output } = call;
  const weight = realView(name, call.weight);
  const bias = call.bias && realView(name, call.bias);
  return convolution({ name, geometry, input, output, weight, ...(bias && { bias }) });
}

/** Numbers in one filter `[inputChannels / groups, kernelHeight, kernelWidth]`. */
export function filterLengthOf(geometry: ConvolutionGeometry): number {
  return (geometry.inputChannels / geometry.groups) * geometry.kernelHeight * geometry.kernelWidth;
}

export function emptyPatch(filterLength: number): Patch {
  return { length: 0, filterOffsets: new Int32Array(filterLength), values: new Float32Array(filterLength) };
}

/** How to gather from the call's input, whichever way it is stored. */
export function gatherOf(call: PatchSource): GatherPixel {
  return call.input.storage === 'spikes' ? gatherSpikes(call) : gatherReals(call);
}

/** Fills the patch with what one group sees of the input below an output position. */
export function gatherPatch(
  patch: Patch,
  geometry: ConvolutionGeometry,
  gather: GatherPixel,
  position: number,
  firstChannel: number,
  channels: number,
): void {
  const { inputHeight, inputWidth, outputHeight, outputWidth, kernelHeight, kernelWidth } = geometry;
  const outputColumn = position % outputWidth;
  const outputRow = Math.floor(position / outputWidth) % outputHeight;
  const image = Math.floor(position / (outputWidth * outputHeight));
  patch.length = 0;
  for (let kernelRow = 0; kernelRow < kernelHeight; kernelRow++) {
    const row = outputRow * geometry.strideHeight - geometry.paddingHeight + kernelRow;
    if (row < 0 || row >= inputHeight) continue;
    for (let kernelColumn = 0; kernelColumn < kernelWidth; kernelColumn++) {
      const column = outputColumn * geometry.strideWidth - geometry.paddingWidth + kernelColumn;
      if (column < 0 || column >= inputWidth) continue;
      const pixel = (image * inputHeight + row) * inputWidth + column;
      gather(patch, pixel, firstChannel, channels, kernelRow * kernelWidth + kernelColumn);
    }
  }
}

function gatherReals(call: PatchSource): GatherPixel {
  const input = realView(call.name, call.input);
  const { inputChannels, kernelHeight, kernelWidth } = call.geometry;
  const taps = kernelHeight * kernelWidth;
  return (patch, pixel, first, count, tap) => {
    for (let channel = 0; channel < count; channel++) {
      patch.filterOffsets[patch.length] = channel * taps + tap;
      patch.values[patch.length] = input[pixel * inputChannels + first + channel]!;
      patch.length++;
    }
  };
}

function gatherSpikes(call: PatchSource): GatherPixel {
  const input = spikeView(call.name, call.input);
  const { inputChannels, kernelHeight, kernelWidth } = call.geometry;
  const taps = kernelHeight * kernelWidth;
  const words = spikeWords(inputChannels);
  return (patch, pixel, first, count, tap) => {
    for (let channel = first; channel < first + count; channel++) {
      const fired = (input[pixel * words + (channel >>> 5)]! >>> (channel & 31)) & 1;
      if (fired === 0) continue;
      patch.filterOffsets[patch.length] = (channel - first) * taps + tap;
      patch.values[patch.length] = 1;
      patch.length++;
    }
  };
}

function dot(patch: Patch, weight: Float32Array, filterStart: number): number {
  const { length, filterOffsets, values } = patch;
  let sum = 0;
  for (let i = 0; i < length; i++) sum += weight[filterStart + filterOffsets[i]!]! * values[i]!;
  return sum;
}
