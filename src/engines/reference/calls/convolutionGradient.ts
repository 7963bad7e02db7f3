/**
 * The gradients of a convolution: with respect to its input, the transposed convolution of what arrives from above; with
 * respect to its parameters, patches of input times what arrives. Not the forward pass (convolution.ts). Formulas are the
 * chain rule on PyTorch's `conv2d`; sums are float64 and rounded once, when they are stored or added.
 */
import type {
  ConvolutionGeometry,
  ConvolutionInputGradientCall,
  ConvolutionWeightGradientCall,
} from '../../calls/convolution.js';
import { realView } from '../memory.js';
import { emptyPatch, filterLengthOf, gatherOf, gatherPatch } from './convolution.js';

/**
 * Every input pixel collects from the output positions that it reached. Weights
 * are transposed at each run, since they change between runs.
 */
export function convolutionInputGradient(call: ConvolutionInputGradientCall): () => void {
  const { name, geometry, accumulate } = call;
  const { inputHeight, inputWidth, inputChannels, outputChannels, kernelHeight, kernelWidth, groups } = geometry;
  const weight = realView(name, call.weight);
  const outputGradient = realView(name, call.outputGradient);
  const inputGradient = realView(name, call.inputGradient);
  const groupInputs = inputChannels / groups;
  const groupOutputs = outputChannels / groups;
  const pixels = geometry.images * inputHeight * inputWidth;
  const sums = new Float64Array(inputChannels);

  return () => {
    const transposed = transposeWeight(weight, geometry);
    for (let pixel = 0; pixel < pixels; pixel++) {
      sums.fill(0);
      for (let kernelRow = 0; kernelRow < kernelHeight; kernelRow++) {
        for (let kernelColumn = 0; kernelColumn < kernelWidth; kernelColumn++) {
          const position = outputReached(geometry, pixel, kernelRow, kernelColumn);
          if (position < 0) continue;
          const tap = kernelRow * kernelWidth + kernelColumn;
          for (let channel = 0; channel < inputChannels; channel++) {
            const filter = (tap * inputChannels + channel) * groupOutputs;
            const first = position * outputChannels + Math.floor(channel / groupInputs) * groupOutputs;
            let sum = 0;
            for (let o = 0; o < groupOutputs; o++) sum += outputGradient[first + o]! * transposed[filter + o]!;
            sums[channel] = sums[channel]! + sum;
          }
        }
      }
      const first = pixel * inputChannels;
      for (let channel = 0; channel < inputChannels; channel++) {
        inputGradient[first + channel] = sums[channel]! + (accumulate ? inputGradient[first + channel]! : 0);
      }
    }
  };
}

/** The output position (over all images) that an input pixel reaches through one tap of the kernel, −1 if there is none. */
function outputReached(geometry: ConvolutionGeometry, pixel: number, kernelRow: number, kernelColumn: number): number {
  const { inputHeight, inputWidth, outputHeight, outputWidth, strideHeight, strideWidth } = geometry;
  const column = (pixel % inputWidth) + geometry.paddingWidth - kernelColumn;
  const row = (Math.floor(pixel / inputWidth) % inputHeight) + geometry.paddingHeight - kernelRow;
  if (row < 0 || column < 0 || row % strideHeight !== 0 || column % strideWidth !== 0) return -1;
  const outputRow = row / strideHeight;
  const outputColumn = column / strideWidth;
  if (outputRow >= outputHeight || outputColumn >= outputWidth) return -1;
  const image = Math.floor(pixel / (inputWidth * inputHeight));
  return (image * outputHeight + outputRow) * outputWidth + outputColumn;
}

/** `[outputChannels, inputChannels / groups, taps]` as `[taps, inputChannels, outputChannels / groups]`. */
function transposeWeight(weight: Float32Array, geometry: ConvolutionGeometry): Float32Array {
  const { inputChannels, outputChannels, groups } = geometry;
  const taps = geometry.kernelHeight * geometry.kernelWidth;
  const groupInputs = inputChannels / groups;
  const groupOutputs = outputChannels / groups;
  const transposed = new Float32Array(weight.length);
  for (let output = 0; output < outputChannels; output++) {
    const group = Math.floor(output / groupOutputs);
    for (let i = 0; i < groupInputs; i++) {
      for (let tap = 0; tap < taps; tap++) {
        const row = tap * inputChannels + group * groupInputs + i;
        transposed[row * groupOutputs + (output % groupOutputs)] = weight[(output * groupInputs + i) * taps + tap]!;
      }
    }
  }
  return transposed;
}

/**
 * Every output position adds its gradients, as a row, for each element of the
 * patch below it; where the input is spikes, only for those that fired.
 */
export function convolutionWeightGradient(call: ConvolutionWeightGradientCall): () => void {
  const { name, geometry } = call;
  const { groups, inputChannels, outputChannels } = geometry;
  const groupInputs = inputChannels / groups;
  const groupOutputs = outputChannels / groups;
  const filterLength = filterLengthOf(geometry);
  const gather = gatherOf(call);
  const outputGradient = realView(name, call.outputGradient);
  const weightGradient = realView(name, call.weightGradient);
  const biasGradient = call.biasGradient && realView(name, call.biasGradient);
  const patch = emptyPatch(filterLength);
  const positions = geometry.images * geometry.outputHeight * geometry.outputWidth;

  return () => {
    // [groups, filterLength, groupOutputs], so that the inner loop walks over neighbours.
    const sums = new Float64Array(weightGradient.length);
    for (let position = 0; position < positions; position++) {
      for (let group = 0; group < groups; group++) {
        gatherPatch(patch, geometry, gather, position, group * groupInputs, groupInputs);
        const { length, filterOffsets, values } = patch;
        const first = position * outputChannels + group * groupOutputs;
        for (let i = 0; i < length; i++) {
          const row = (group * filterLength + filterOffsets[i]!) * groupOutputs;
          const value = values[i]!;
          for (let o = 0; o < groupOutputs; o++) sums[row + o] = sums[row + o]! + value * outputGradient[first + o]!;
        }
      }
    }
    for (let index = 0; index < weightGradient.length; index++) {
      const output = Math.floor(index / filterLength);
      const group = Math.floor(output / groupOutputs);
      const row = group * filterLength + (index % filterLength);
      weightGradient[index] = weightGradient[index]! + sums[row * groupOutputs + (output % groupOutputs)]!;
    }
    if (biasGradient) addColumnSums(outputGradient, biasGradient);
  };
}

/** Adds to each element of `target` the sum of its column of `rows`. */
function addColumnSums(rows: Float32Array, target: Float32Array): void {
  const columns = target.length;
  for (let column = 0; column < columns; column++) {
    let sum = 0;
    for (let index = column; index < rows.length; index += columns) sum += rows[index]!;
    target[column] = target[column]! + sum;
  }
}
