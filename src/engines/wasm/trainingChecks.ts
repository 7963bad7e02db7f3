/**
 * What must hold of a training call before it is recorded, as `engines/checks.ts` does for inference: sizes agree, storage is
 * what the kernel reads, nothing is overwritten before it is read. Every check throws an EngineError that begins with the
 * name of the call.
 */
import {
  checkConvolution,
  checkNeuron,
  expectApart,
  expectApartOrSame,
  expectReal,
  expectSize,
  expectStorage,
  expectWhole,
} from '../checks.js';
import { EngineError } from '../errors.js';
import type { ConvolutionGeometry, Tensor } from '../kernels.js';
import type {
  AddConstantCall,
  BatchNormCall,
  BatchNormGradientCall,
  ConvolutionInputGradientCall,
  ConvolutionWeightGradientCall,
  CropCall,
  LeakyIntegrateAndFireGradientCall,
  PadWithStatisticsCall,
  SpatialMeanGradientCall,
  SpikeAttentionGradientCall,
  TimeMeanGradientCall,
  TrainableConvolutionCall,
  TrainableLeakyIntegrateAndFireCall,
} from '../trainingKernels.js';

function weightLength(g: ConvolutionGeometry): number {
  return g.outputChannels * (g.inputChannels / g.groups) * g.kernelHeight * g.kernelWidth;
}

function expectRealSize(name: string, role: string, tensor: Tensor, count: number): void {
  expectReal(name, tensor);
  expectSize(name, role, tensor, count, 1);
}

function expectPerChannel(name: string, channels: number, tensors: Readonly<Record<string, Tensor>>): void {
  for (const [role, tensor] of Object.entries(tensors)) expectRealSize(name, role, tensor, channels);
}

/** The forward call's checks hold for the gradients too: they relate the same input and output. */
function checkGeometry(name: string, geometry: ConvolutionGeometry, input: Tensor, output: Tensor): void {
  const weight = new Float32Array(weightLength(geometry) || 0);
  checkConvolution({ name, geometry, input, output, weight });
}

export function checkTrainableConvolution(call: TrainableConvolutionCall): void {
  const { name, geometry, input, output, weight, bias } = call;
  checkGeometry(name, geometry, input, output);
  expectRealSize(name, 'weight', weight, weightLength(geometry));
  expectApart(name, output, [weight]);
  if (!bias) return;
  expectRealSize(name, 'bias', bias, geometry.outputChannels);
  expectApart(name, output, [bias]);
}

export function checkInputGradient(call: ConvolutionInputGradientCall): void {
  const { name, geometry, weight, outputGradient, inputGradient } = call;
  expectReal(name, inputGradient);
  checkGeometry(name, geometry, inputGradient, outputGradient);
  expectRealSize(name, 'weight', weight, weightLength(geometry));
  expectApart(name, inputGradient, [weight, outputGradient]);
}

export function checkWeightGradient(call: ConvolutionWeightGradientCall): void {
  const { name, geometry, input, outputGradient, weightGradient, biasGradient } = call;
  checkGeometry(name, geometry, input, outputGradient);
  expectRealSize(name, 'weightGradient', weightGradient, weightLength(geometry));
  expectApart(name, weightGradient, [input, outputGradient]);
  if (!biasGradient) return;
  expectRealSize(name, 'biasGradient', biasGradient, geometry.outputChannels);
  expectApart(name, biasGradient, [input, outputGradient, weightGradient]);
}

export function checkBatchNormAgain(call: Omit<BatchNormCall, 'momentum'>): void {
  const { name, rows, channels, input, output, tensors } = call;
  expectWhole(name, { rows, channels });
  expectEpsilon(name, call.epsilon);
  expectRealSize(name, 'input', input, rows * channels);
  expectPerChannel(name, channels, { ...tensors });
  if (!output) return;
  expectRealSize(name, 'output', output, rows * channels);
  expectApartOrSame(name, output, [input]);
  expectApart(name, output, Object.values(tensors));
}

export function checkBatchNorm(call: BatchNormCall): void {
  const { name, rows, momentum } = call;
  checkBatchNormAgain(call);
  if (rows < 2) {
    throw new EngineError(`${name}: 1 row has no unbiased variance, expected at least 2; use a larger batch or image`);
  }
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new EngineError(`${name}: momentum is ${momentum}, expected a number from 0 to 1`);
  }
}

export function checkBatchNormGradient(call: BatchNormGradientCall): void {
  const { name, rows, channels, input, outputGradient, inputGradient, tensors, weightGradient, biasGradient } = call;
  expectWhole(name, { rows, channels });
  for (const [role, tensor] of Object.entries({ input, outputGradient, inputGradient })) {
    expectRealSize(name, role, tensor, rows * channels);
  }
  expectPerChannel(name, channels, { ...tensors, weightGradient, biasGradient });
  expectApartOrSame(name, inputGradient, [outputGradient]);
  expectApart(name, inputGradient, [input, ...Object.values(tensors)]);
  const read = [input, outputGradient, inputGradient, ...Object.values(tensors)];
  expectApart(name, weightGradient, [...read, biasGradient]);
  expectApart(name, biasGradient, read);
}

export function checkPadWithStatistics(call: PadWithStatisticsCall): void {
  const { name, images, inputHeight, inputWidth, channels, padding, tensors } = call;
  expectWhole(name, { images, inputHeight, inputWidth, channels });
  expectWhole(name, { padding }, 0);
  expectEpsilon(name, call.epsilon);
  expectRealSize(name, 'input', call.input, images * inputHeight * inputWidth * channels);
  const outputLength = images * (inputHeight + 2 * padding) * (inputWidth + 2 * padding) * channels;
  expectRealSize(name, 'output', call.output, outputLength);
  expectPerChannel(name, channels, { ...tensors });
  expectApart(name, call.output, [call.input, ...Object.values(tensors)]);
}

export function checkCrop(call: CropCall): void {
  const { name, images, outputHeight, outputWidth, channels, padding } = call;
  expectWhole(name, { images, outputHeight, outputWidth, channels });
  expectWhole(name, { padding }, 0);
  const inputLength = images * (outputHeight + 2 * padding) * (outputWidth + 2 * padding) * channels;
  expectRealSize(name, 'input', call.input, inputLength);
  expectRealSize(name, 'output', call.output, images * outputHeight * outputWidth * channels);
  expectApart(name, call.output, [call.input]);
}

export function checkTrainableNeuron(call: TrainableLeakyIntegrateAndFireCall): void {
  checkNeuron(call);
  checkNormalisation(call);
}

export function checkNeuronGradient(call: LeakyIntegrateAndFireGradientCall): void {
  const { name, timeSteps, positions, channels, tau, threshold, surrogate } = call;
  expectWhole(name, { timeSteps, positions, channels });
  if (!(tau > 0) || !Number.isFinite(threshold)) {
    throw new EngineError(
      `${name}: tau is ${tau} and the threshold ${threshold}, expected tau > 0, a finite threshold`,
    );
  }
  if (!(surrogate.alpha > 0) || !Number.isFinite(surrogate.alpha)) {
    throw new EngineError(`${name}: the surrogate's alpha is ${surrogate.alpha}, expected a finite number above 0`);
  }
  const { input, outputGradient, inputGradient } = call;
  for (const [role, tensor] of Object.entries({ input, outputGradient, inputGradient })) {
    expectRealSize(name, role, tensor, timeSteps * positions * channels);
  }
  expectApart(name, inputGradient, [input]);
  expectApartOrSame(name, inputGradient, [outputGradient]);
  checkNormalisation(call);
}

function checkNormalisation(call: TrainableLeakyIntegrateAndFireCall | LeakyIntegrateAndFireGradientCall): void {
  const { name, timeSteps, channels, normalisation } = call;
  if (!normalisation) return;
  if (timeSteps > 1) throw new EngineError(`${name}: ${timeSteps} time steps, expected 1 with a normalisation`);
  expectPerChannel(name, channels, { ...normalisation });
}

export function checkAttentionGradient(call: SpikeAttentionGradientCall): void {
  const { name, images, tokens, channels, heads, query, key, value, outputGradient } = call;
  const { queryGradient, keyGradient, valueGradient } = call;
  expectWhole(name, { images, tokens, channels, heads });
  if (channels % heads !== 0) throw new EngineError(`${name}: ${channels} channels cannot be shared by ${heads} heads`);
  const count = images * tokens * channels;
  for (const [role, tensor] of Object.entries({ query, key, value })) {
    expectStorage(name, tensor, 'spikes');
    expectSize(name, role, tensor, count, channels);
  }
  for (const [role, tensor] of Object.entries({ outputGradient, queryGradient, keyGradient, valueGradient })) {
    expectRealSize(name, role, tensor, count);
  }
  expectApart(name, queryGradient, [query, key, value, outputGradient, keyGradient, valueGradient]);
  expectApart(name, keyGradient, [query, key, value, outputGradient, valueGradient]);
  expectApart(name, valueGradient, [query, key, value, outputGradient]);
}

export function checkSpatialMeanGradient(call: SpatialMeanGradientCall): void {
  const { name, images, positions, channels } = call;
  expectWhole(name, { images, positions, channels });
  expectRealSize(name, 'outputGradient', call.outputGradient, images * channels);
  expectRealSize(name, 'inputGradient', call.inputGradient, images * positions * channels);
  expectApart(name, call.inputGradient, [call.outputGradient]);
}

export function checkTimeMeanGradient(call: TimeMeanGradientCall): void {
  const { name, timeSteps, elements } = call;
  expectWhole(name, { timeSteps, elements });
  expectRealSize(name, 'outputGradient', call.outputGradient, elements);
  expectRealSize(name, 'inputGradient', call.inputGradient, timeSteps * elements);
  expectApart(name, call.inputGradient, [call.outputGradient]);
}

export function checkAddConstant({ name, tensor, value }: AddConstantCall): void {
  expectReal(name, tensor);
  expectRealSize(name, 'value', value, 1);
  expectApart(name, tensor, [value]);
}

function expectEpsilon(name: string, epsilon: number): void {
  if (!(epsilon > 0) || !Number.isFinite(epsilon)) {
    throw new EngineError(`${name}: epsilon is ${epsilon}, expected a finite number above 0`);
  }
}
