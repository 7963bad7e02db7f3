/**
 * What must hold of a kernel call before an engine records it, whatever the engine: sizes agree, tensors hold what the
 * kernel reads, nothing is overwritten before it is read. Not about whose memory a tensor lies in; that only its engine
 * knows. Every check throws an EngineError that begins with the name of the call.
 */
import { channelsOf, elementCount, formatShape } from '../graph/shape.js';
import { EngineError } from './errors.js';
import {
  type AddCall,
  byteLengthOf,
  type ConvolutionCall,
  type LeakyIntegrateAndFireCall,
  type PadCall,
  type RepeatCall,
  type ScaleShiftCall,
  type SpatialMeanCall,
  type SpikeAttentionCall,
  type Storage,
  type Tensor,
  type TimeMeanCall,
} from './kernels.js';

export function expectStorage(user: string, tensor: Tensor, storage: Storage): void {
  if (tensor.storage === storage) return;
  const shape = formatShape(tensor.shape);
  throw new EngineError(
    storage === 'real'
      ? `${user}: found a tensor of spikes ${shape}, expected real numbers`
      : `${user}: found a real tensor ${shape}, expected spikes`,
  );
}

export function expectSize(user: string, role: string, tensor: Tensor, count: number, channels: number): void {
  const found = elementCount(tensor.shape);
  if (found !== count) {
    throw new EngineError(
      `${user}: ${role} ${formatShape(tensor.shape)} has ${found} elements, the geometry of the call expects ${count}`,
    );
  }
  if (tensor.storage === 'spikes' && channelsOf(tensor.shape) !== channels) {
    throw new EngineError(
      `${user}: ${role} ${formatShape(tensor.shape)} packs ${channelsOf(tensor.shape)} channels, expected ${channels}`,
    );
  }
}

function expectFraction(user: string, role: string, tensor: Tensor, outputLength: number): void {
  const length = elementCount(tensor.shape);
  if (length === 0 || outputLength % length !== 0) {
    throw new EngineError(
      `${user}: ${role} ${formatShape(tensor.shape)} cannot be repeated to the output's ${outputLength} elements`,
    );
  }
}

function expectLength(user: string, role: string, values: Float32Array, length: number): void {
  if (values.length !== length) {
    throw new EngineError(`${user}: ${role} has ${values.length} numbers, expected ${length}`);
  }
}

export function expectWhole(user: string, numbers: Readonly<Record<string, number>>, least = 1): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new EngineError(`${user}: ${name} is ${value}, expected a whole number of at least ${least}`);
    }
  }
}

function endOf(tensor: Tensor): number {
  return tensor.byteOffset + byteLengthOf(tensor.shape, tensor.storage);
}

export function expectApart(user: string, output: Tensor, inputs: readonly Tensor[]): void {
  for (const input of inputs) {
    if (output.block === input.block && output.byteOffset < endOf(input) && input.byteOffset < endOf(output)) {
      throw new EngineError(
        `${user}: output ${formatShape(output.shape)} overlaps an input, give it memory of its own`,
      );
    }
  }
}

/** For calls that read each element just before they write it: the very same memory is allowed. */
export function expectApartOrSame(user: string, output: Tensor, inputs: readonly Tensor[]): void {
  const others = inputs.filter(
    (input) => input.block !== output.block || input.byteOffset !== output.byteOffset || endOf(input) !== endOf(output),
  );
  expectApart(user, output, others);
}

export function checkConvolution(call: ConvolutionCall): void {
  const { name, geometry: g } = call;
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
  expectSize(name, 'input', call.input, g.images * g.inputHeight * g.inputWidth * g.inputChannels, g.inputChannels);
  const outputLength = g.images * g.outputHeight * g.outputWidth * g.outputChannels;
  expectStorage(name, call.output, 'real');
  expectSize(name, 'output', call.output, outputLength, g.outputChannels);
  const filterLength = (g.inputChannels / g.groups) * g.kernelHeight * g.kernelWidth;
  expectLength(name, 'weight', call.weight, g.outputChannels * filterLength);
  if (call.bias) expectLength(name, 'bias', call.bias, g.outputChannels);
  expectApart(name, call.output, [call.input]);
  if (!call.residual) return;
  expectStorage(name, call.residual, 'real');
  expectFraction(name, 'residual', call.residual, outputLength);
  expectApartOrSame(name, call.output, [call.residual]);
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

export function checkScaleShift(call: ScaleShiftCall): void {
  const { name, rows, channels } = call;
  expectWhole(name, { rows, channels });
  expectReal(name, call.input, call.output);
  expectSize(name, 'input', call.input, rows * channels, channels);
  expectSize(name, 'output', call.output, rows * channels, channels);
  expectLength(name, 'scale', call.scale, channels);
  expectLength(name, 'shift', call.shift, channels);
  expectApartOrSame(name, call.output, [call.input]);
}

export function expectReal(name: string, ...tensors: readonly Tensor[]): void {
  for (const tensor of tensors) expectStorage(name, tensor, 'real');
}

export function checkPad(call: PadCall): void {
  const { name, images, inputHeight, inputWidth, channels, padding } = call;
  expectWhole(name, { images, inputHeight, inputWidth, channels });
  expectWhole(name, { padding }, 0);
  expectReal(name, call.input, call.output);
  expectSize(name, 'input', call.input, images * inputHeight * inputWidth * channels, channels);
  const outputLength = images * (inputHeight + 2 * padding) * (inputWidth + 2 * padding) * channels;
  expectSize(name, 'output', call.output, outputLength, channels);
  expectLength(name, 'values', call.values, channels);
  expectApart(name, call.output, [call.input]);
}

export function checkNeuron(call: LeakyIntegrateAndFireCall): void {
  const { name, timeSteps, inputTimeSteps, positions, channels, tau, threshold } = call;
  expectWhole(name, { timeSteps, inputTimeSteps, positions, channels });
  if (inputTimeSteps !== timeSteps && inputTimeSteps !== 1) {
    throw new EngineError(`${name}: the input has ${inputTimeSteps} time steps, expected ${timeSteps} or 1`);
  }
  if (!(tau > 0) || !Number.isFinite(threshold)) {
    throw new EngineError(
      `${name}: tau is ${tau} and the threshold ${threshold}, expected tau > 0, a finite threshold`,
    );
  }
  expectReal(name, call.input);
  expectStorage(name, call.output, 'spikes');
  expectSize(name, 'input', call.input, inputTimeSteps * positions * channels, channels);
  expectSize(name, 'output', call.output, timeSteps * positions * channels, channels);
  if (call.membrane) {
    expectReal(name, call.membrane);
    expectSize(name, 'membrane', call.membrane, positions * channels, channels);
    expectApart(name, call.membrane, [call.input, call.output]);
  }
  expectApart(name, call.output, [call.input]);
}

export function checkAttention(call: SpikeAttentionCall): void {
  const { name, images, tokens, channels, heads } = call;
  expectWhole(name, { images, tokens, channels, heads });
  if (channels % heads !== 0) throw new EngineError(`${name}: ${channels} channels cannot be shared by ${heads} heads`);
  const count = images * tokens * channels;
  for (const role of ['query', 'key', 'value'] as const) {
    expectStorage(name, call[role], 'spikes');
    expectSize(name, role, call[role], count, channels);
  }
  expectReal(name, call.output);
  expectSize(name, 'output', call.output, count, channels);
  expectApart(name, call.output, [call.query, call.key, call.value]);
}

export function checkAdd(call: AddCall): void {
  const { name } = call;
  expectReal(name, call.a, call.b, call.output);
  const length = elementCount(call.output.shape);
  expectFraction(name, 'a', call.a, length);
  expectFraction(name, 'b', call.b, length);
  expectApartOrSame(name, call.output, [call.a, call.b]);
}

export function checkSpatialMean(call: SpatialMeanCall): void {
  const { name, images, positions, channels } = call;
  expectWhole(name, { images, positions, channels });
  expectReal(name, call.input, call.output);
  expectSize(name, 'input', call.input, images * positions * channels, channels);
  expectSize(name, 'output', call.output, images * channels, channels);
  expectApart(name, call.output, [call.input]);
}

export function checkTimeMean(call: TimeMeanCall): void {
  const { name, timeSteps, elements } = call;
  expectWhole(name, { timeSteps, elements });
  expectReal(name, call.input, call.output);
  expectSize(name, 'input', call.input, timeSteps * elements, elements);
  expectSize(name, 'output', call.output, elements, elements);
  expectApart(name, call.output, [call.input]);
}

export function checkRepeat(call: RepeatCall): void {
  const { name, times, input, output } = call;
  expectWhole(name, { times });
  if (
    input.storage !== output.storage ||
    byteLengthOf(output.shape, output.storage) !== times * byteLengthOf(input.shape, input.storage)
  ) {
    throw new EngineError(
      `${name}: ${elementCount(input.shape)} ${input.storage} cannot become ${elementCount(output.shape)} ${output.storage} by showing them ${times} times`,
    );
  }
  expectApart(name, output, [input]);
}
