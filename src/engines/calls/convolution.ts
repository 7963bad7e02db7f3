/**
 * Convolutions, as PyTorch's `conv2d` means them (cross-correlation, zero padding, groups), and their two gradients. In inference parameters are arrays that never change;
 * in training they are tensors.
 */
import {
  expectApart,
  expectApartOrSame,
  expectFraction,
  expectLength,
  expectReal,
  expectRealSize,
  expectSize,
  expectStorage,
  expectWhole,
} from '../checks.js';
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { defineCall } from './call.js';

export interface ConvolutionGeometry {
  /** Images that go through at once: T·B. */
  readonly images: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly inputChannels: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly outputChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly paddingHeight: number;
  readonly paddingWidth: number;
  readonly groups: number;
}

export interface ConvolutionCall {
  /** Name of the node, for messages and profiles. */
  readonly name: string;
  readonly geometry: ConvolutionGeometry;
  /** `[images, inputHeight, inputWidth, inputChannels]` after folding; real or spikes. */
  readonly input: Tensor;
  /** `[images, outputHeight, outputWidth, outputChannels]` after folding; real. */
  readonly output: Tensor;
  /** `[outputChannels, inputChannels / groups, kernelHeight, kernelWidth]`, as PyTorch stores it. Never changed. */
  readonly weight: Float32Array;
  /** `[outputChannels]`. */
  readonly bias?: Float32Array;
  /** Added to the result; real, as long as the output or a whole fraction of it (broadcast over time). */
  readonly residual?: Tensor;
  /** Share of the input's neurons that fire, if the input is spikes and somebody measured it: an engine may choose its kernel by it. */
  readonly firingRate?: number;
}

/** What of a convolution its geometry decides, whether its parameters are arrays or tensors. */
type GeometryCall = Pick<ConvolutionCall, 'name' | 'geometry' | 'input' | 'output'>;

export const convolution = defineCall<ConvolutionCall>('convolution', {
  check: (call) => {
    const { name, geometry: g, output, residual } = call;
    checkGeometry(call);
    expectLength(name, 'weight', call.weight, weightLength(g));
    if (call.bias) expectLength(name, 'bias', call.bias, g.outputChannels);
    if (!residual) return;
    expectStorage(name, residual, 'real');
    expectFraction(name, 'residual', residual, g.images * g.outputHeight * g.outputWidth * g.outputChannels);
    expectApartOrSame(name, output, [residual]);
  },
  reads: ({ input, residual }) => [input, residual],
  writes: ({ output }) => [output],
});

/** Sizes of the geometry, and of the tensors that lie in it. */
export function checkGeometry({ name, geometry: g, input, output }: GeometryCall): void {
  const { paddingHeight, paddingWidth, ...sizes } = g;
  expectWhole(name, sizes);
  expectWhole(name, { paddingHeight, paddingWidth }, 0);
  if (g.inputChannels % g.groups !== 0 || g.outputChannels % g.groups !== 0) {
    throw new EngineError(
      `${name}: ${g.inputChannels} input and ${g.outputChannels} output channels cannot be cut into ${g.groups} groups`,
    );
  }
  expectExtent(name, 'height', g.inputHeight, g.kernelHeight, g.strideHeight, g.paddingHeight, g.outputHeight);
  expectExtent(name, 'width', g.inputWidth, g.kernelWidth, g.strideWidth, g.paddingWidth, g.outputWidth);
  expectSize(name, 'input', input, g.images * g.inputHeight * g.inputWidth * g.inputChannels, g.inputChannels);
  const outputLength = g.images * g.outputHeight * g.outputWidth * g.outputChannels;
  expectStorage(name, output, 'real');
  expectSize(name, 'output', output, outputLength, g.outputChannels);
  expectApart(name, output, [input]);
}

function expectExtent(
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

function weightLength(g: ConvolutionGeometry): number {
  return g.outputChannels * (g.inputChannels / g.groups) * g.kernelHeight * g.kernelWidth;
}

/** As `ConvolutionCall`, with parameters that change between runs; `weight` is `[outputChannels, inputChannels / groups, kernelHeight, kernelWidth]`. */
export interface TrainableConvolutionCall {
  readonly name: string;
  readonly geometry: ConvolutionGeometry;
  /** Real or spikes. */
  readonly input: Tensor;
  readonly output: Tensor;
  readonly weight: Tensor;
  readonly bias?: Tensor;
}

export const trainableConvolution = defineCall<TrainableConvolutionCall>('trainableConvolution', {
  check: (call) => {
    const { name, geometry, output, weight, bias } = call;
    checkGeometry(call);
    expectRealSize(name, 'weight', weight, weightLength(geometry));
    expectApart(name, output, [weight]);
    if (!bias) return;
    expectRealSize(name, 'bias', bias, geometry.outputChannels);
    expectApart(name, output, [bias]);
  },
  reads: ({ input, weight, bias }) => [input, weight, bias],
  writes: ({ output }) => [output],
});

export interface ConvolutionInputGradientCall {
  readonly name: string;
  readonly geometry: ConvolutionGeometry;
  readonly weight: Tensor;
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
  /** Add to what `inputGradient` holds, or replace it. */
  readonly accumulate: boolean;
}

export const convolutionInputGradient = defineCall<ConvolutionInputGradientCall>('convolutionInputGradient', {
  check: ({ name, geometry, weight, outputGradient, inputGradient }) => {
    expectReal(name, inputGradient);
    checkGeometry({ name, geometry, input: inputGradient, output: outputGradient });
    expectRealSize(name, 'weight', weight, weightLength(geometry));
    expectApart(name, inputGradient, [weight, outputGradient]);
  },
  reads: ({ weight, outputGradient, inputGradient, accumulate }) => [
    weight,
    outputGradient,
    accumulate ? inputGradient : undefined,
  ],
  writes: ({ inputGradient }) => [inputGradient],
});

export interface ConvolutionWeightGradientCall {
  readonly name: string;
  readonly geometry: ConvolutionGeometry;
  /** Real or spikes; spikes make it a sum of rows of `outputGradient`. */
  readonly input: Tensor;
  readonly outputGradient: Tensor;
  /** Added to. */
  readonly weightGradient: Tensor;
  /** Added to. */
  readonly biasGradient?: Tensor;
}

export const convolutionWeightGradient = defineCall<ConvolutionWeightGradientCall>('convolutionWeightGradient', {
  check: ({ name, geometry, input, outputGradient, weightGradient, biasGradient }) => {
    checkGeometry({ name, geometry, input, output: outputGradient });
    expectRealSize(name, 'weightGradient', weightGradient, weightLength(geometry));
    expectApart(name, weightGradient, [input, outputGradient]);
    if (!biasGradient) return;
    expectRealSize(name, 'biasGradient', biasGradient, geometry.outputChannels);
    expectApart(name, biasGradient, [input, outputGradient, weightGradient]);
  },
  reads: ({ input, outputGradient, weightGradient, biasGradient }) => [
    input,
    outputGradient,
    weightGradient,
    biasGradient,
  ],
  writes: ({ weightGradient, biasGradient }) => [weightGradient, biasGradient],
});
