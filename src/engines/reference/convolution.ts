/**
 * Convolution as its definition says: each output is the dot product of one filter with the patch of input below it, plus
 * bias and residual (cross-correlation, zero padding, groups: the semantics of PyTorch's `conv2d`). Not fast: the
 * patch is gathered once per output position and every filter of the group walks over it.
 */
import { EngineError } from '../errors.js';
import { type ConvolutionCall, type ConvolutionGeometry, spikeWords } from '../kernels.js';
import {
  expectApart,
  expectApartOrSame,
  expectFraction,
  expectLength,
  expectSize,
  expectWhole,
  realView,
  spikeView,
} from './memory.js';

/** The elements of one patch that can matter: where each meets its filter, and its value. */
interface Patch {
  length: number;
  /** Offset within a filter `[inputChannels / groups, kernelHeight, kernelWidth]`. */
  readonly filterOffsets: Int32Array;
  readonly values: Float32Array;
}

/** Appends the channels `first … first + count − 1` of one input pixel; `tap` is kernelRow · kernelWidth + kernelColumn. */
type GatherPixel = (patch: Patch, pixel: number, first: number, count: number, tap: number) => void;

/** Checks the call and returns what runs it. Sums are float64, rounded to float32 once. Throws EngineError. */
export function convolution(call: ConvolutionCall): () => void {
  checkConvolution(call);
  const { geometry, weight, bias } = call;
  const { groups, inputChannels, outputChannels, outputWidth, outputHeight } = geometry;
  const groupInputs = inputChannels / groups;
  const groupOutputs = outputChannels / groups;
  const filterLength = groupInputs * geometry.kernelHeight * geometry.kernelWidth;
  const gather = call.input.storage === 'spikes' ? gatherSpikes(call) : gatherReals(call);
  const output = realView(call.name, call.output);
  const residual = call.residual && realView(call.name, call.residual);
  const patch: Patch = {
    length: 0,
    filterOffsets: new Int32Array(filterLength),
    values: new Float32Array(filterLength),
  };
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

function gatherPatch(
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

function gatherReals(call: ConvolutionCall): GatherPixel {
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

function gatherSpikes(call: ConvolutionCall): GatherPixel {
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

function checkConvolution(call: ConvolutionCall): void {
  const { name, geometry: g } = call;
  const { paddingHeight, paddingWidth, ...sizes } = g;
  expectWhole(name, sizes);
  expectWhole(name, { paddingHeight, paddingWidth }, 0);
  if (g.inputChannels % g.groups !== 0 || g.outputChannels % g.groups !== 0) {
    throw new EngineError(
      `${name}: ${g.inputChannels} input and ${g.outputChannels} output channels cannot be cut into ${g.groups} groups`,
    );
  }
  checkExtent(name, 'height', g.inputHeight, g.kernelHeight, g.strideHeight, g.paddingHeight, g.outputHeight);
  checkExtent(name, 'width', g.inputWidth, g.kernelWidth, g.strideWidth, g.paddingWidth, g.outputWidth);
  expectSize(name, 'input', call.input, g.images * g.inputHeight * g.inputWidth * g.inputChannels, g.inputChannels);
  const outputLength = g.images * g.outputHeight * g.outputWidth * g.outputChannels;
  expectSize(name, 'output', call.output, outputLength, g.outputChannels);
  const filterLength = (g.inputChannels / g.groups) * g.kernelHeight * g.kernelWidth;
  expectLength(name, 'weight', call.weight, g.outputChannels * filterLength);
  if (call.bias) expectLength(name, 'bias', call.bias, g.outputChannels);
  expectApart(name, call.output, [call.input]);
  if (call.residual) {
    expectFraction(name, 'residual', call.residual, outputLength);
    expectApartOrSame(name, call.output, [call.residual]);
  }
}

function checkExtent(
  name: string,
  axis: string,
  input: number,
  kernel: number,
  stride: number,
  padding: number,
  output: number,
): void {
  const expected = Math.floor((input + 2 * padding - kernel) / stride) + 1;
  if (output !== expected) {
    throw new EngineError(
      `${name}: output ${axis} is ${output}, but input ${input}, kernel ${kernel}, stride ${stride} and padding ${padding} make ${expected}`,
    );
  }
}
