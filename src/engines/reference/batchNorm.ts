/**
 * Batch normalisation as training does it: with the statistics of the batch, its gradient through them, and the border that
 * RepConv pads with. Not the evaluation form, which is a scale and a shift. Formulas: Ioffe and Szegedy 2015 as PyTorch's
 * `BatchNorm2d` computes them (variance in two passes). Sums are float64; the mean and inverse deviation are rounded to
 * float32 before they are used, so that whoever reads them later gets the very same output.
 */
import { EngineError } from '../errors.js';
import type { Tensor } from '../kernels.js';
import type {
  BatchNormAgainCall,
  BatchNormCall,
  BatchNormGradientCall,
  NormalisationTensors,
  PadWithStatisticsCall,
} from '../trainingKernels.js';
import { pad } from './elementwise.js';
import { expectApart, expectApartOrSame, expectSize, expectWhole, realView } from './memory.js';

/** Checks the call and returns what runs it. Throws EngineError. */
export function batchNorm(call: BatchNormCall): () => void {
  const { name, rows, epsilon, momentum, output } = call;
  checkForward(call);
  if (rows < 2) {
    throw new EngineError(`${name}: 1 row has no unbiased variance, expected at least 2; use a larger batch or image`);
  }
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new EngineError(`${name}: momentum is ${momentum}, expected a number from 0 to 1`);
  }
  const input = realView(name, call.input);
  const batchMean = realView(name, call.tensors.batchMean);
  const batchInverseDeviation = realView(name, call.tensors.batchInverseDeviation);
  const runningMean = realView(name, call.tensors.runningMean);
  const runningVariance = realView(name, call.tensors.runningVariance);
  const normalise = output ? batchNormAgain({ ...call, output }) : () => {};

  return () => {
    const mean = columnMeans(input, rows);
    const variance = columnVariances(input, rows, mean);
    for (let channel = 0; channel < mean.length; channel++) {
      batchMean[channel] = mean[channel]!;
      batchInverseDeviation[channel] = 1 / Math.sqrt(variance[channel]! + epsilon);
      const unbiased = (variance[channel]! * rows) / (rows - 1);
      runningMean[channel] = (1 - momentum) * runningMean[channel]! + momentum * mean[channel]!;
      runningVariance[channel] = (1 - momentum) * runningVariance[channel]! + momentum * unbiased;
    }
    normalise();
  };
}

function columnMeans(values: Float32Array, rows: number): Float64Array {
  const channels = values.length / rows;
  const sums = new Float64Array(channels);
  for (let row = 0; row < rows; row++) {
    for (let channel = 0; channel < channels; channel++) {
      sums[channel] = sums[channel]! + values[row * channels + channel]!;
    }
  }
  return sums.map((sum) => sum / rows);
}

/** Biased: the mean of squared distances from the mean. */
function columnVariances(values: Float32Array, rows: number, mean: Float64Array): Float64Array {
  const channels = mean.length;
  const sums = new Float64Array(channels);
  for (let row = 0; row < rows; row++) {
    for (let channel = 0; channel < channels; channel++) {
      const distance = values[row * channels + channel]! - mean[channel]!;
      sums[channel] = sums[channel]! + distance * distance;
    }
  }
  return sums.map((sum) => sum / rows);
}

/** Checks the call and returns what runs it. Throws EngineError. */
export function batchNormAgain(call: BatchNormAgainCall): () => void {
  checkForward(call);
  const { name, rows, channels } = call;
  const input = realView(name, call.input);
  const output = realView(name, call.output);
  const normalise = normalisation(name, call.tensors);
  return () => {
    for (let index = 0; index < rows * channels; index++) output[index] = normalise(input[index]!, index % channels);
  };
}

/** The same for one number of a channel, rounded as it would be in memory. */
export function normalisation(name: string, tensors: NormalisationTensors): (value: number, channel: number) => number {
  const mean = realView(name, tensors.batchMean);
  const inverseDeviation = realView(name, tensors.batchInverseDeviation);
  const weight = realView(name, tensors.weight);
  const bias = realView(name, tensors.bias);
  return (value, channel) => {
    const normalised = (value - mean[channel]!) * inverseDeviation[channel]!;
    return Math.fround(normalised * weight[channel]! + bias[channel]!);
  };
}

/**
 * Checks the call and returns what runs it. With x̂ the normalised input and n rows: `δweight = Σ δy·x̂`, `δbias = Σ δy`,
 * `δx = weight/√(variance + ε) · (δy − δbias/n − x̂ · δweight/n)`. Throws EngineError.
 */
export function batchNormGradient(call: BatchNormGradientCall): () => void {
  checkGradient(call);
  const { name, rows, channels } = call;
  const input = realView(name, call.input);
  const outputGradient = realView(name, call.outputGradient);
  const inputGradient = realView(name, call.inputGradient);
  const mean = realView(name, call.tensors.batchMean);
  const inverseDeviation = realView(name, call.tensors.batchInverseDeviation);
  const weight = realView(name, call.tensors.weight);
  const weightGradient = realView(name, call.weightGradient);
  const biasGradient = realView(name, call.biasGradient);

  return () => {
    const weightSums = new Float64Array(channels);
    const biasSums = new Float64Array(channels);
    for (let row = 0; row < rows; row++) {
      for (let channel = 0; channel < channels; channel++) {
        const index = row * channels + channel;
        const normalised = (input[index]! - mean[channel]!) * inverseDeviation[channel]!;
        weightSums[channel] = weightSums[channel]! + outputGradient[index]! * normalised;
        biasSums[channel] = biasSums[channel]! + outputGradient[index]!;
      }
    }
    for (let row = 0; row < rows; row++) {
      for (let channel = 0; channel < channels; channel++) {
        const index = row * channels + channel;
        const normalised = (input[index]! - mean[channel]!) * inverseDeviation[channel]!;
        const centred = outputGradient[index]! - (biasSums[channel]! + normalised * weightSums[channel]!) / rows;
        inputGradient[index] = weight[channel]! * inverseDeviation[channel]! * centred;
      }
    }
    for (let channel = 0; channel < channels; channel++) {
      weightGradient[channel] = weightGradient[channel]! + weightSums[channel]!;
      biasGradient[channel] = biasGradient[channel]! + biasSums[channel]!;
    }
  };
}

/** Checks the call and returns what runs it: padding with values that each run computes anew. Throws EngineError. */
export function padWithStatistics(call: PadWithStatisticsCall): () => void {
  const { name, channels, epsilon, tensors, ...rest } = call;
  expectWhole(name, { channels });
  checkEpsilon(name, epsilon);
  checkPerChannel(name, channels, { ...tensors });
  expectApart(name, call.output, Object.values(tensors));
  const weight = realView(name, tensors.weight);
  const bias = realView(name, tensors.bias);
  const runningMean = realView(name, tensors.runningMean);
  const runningVariance = realView(name, tensors.runningVariance);
  const values = new Float32Array(channels);
  const surround = pad({ ...rest, name, channels, values });
  return () => {
    for (let channel = 0; channel < channels; channel++) {
      const scale = weight[channel]! / Math.sqrt(runningVariance[channel]! + epsilon);
      values[channel] = bias[channel]! - runningMean[channel]! * scale;
    }
    surround();
  };
}

function checkForward(call: Omit<BatchNormCall, 'momentum'>): void {
  const { name, rows, channels, tensors, output } = call;
  expectWhole(name, { rows, channels });
  checkEpsilon(name, call.epsilon);
  expectSize(name, 'input', call.input, rows * channels, channels);
  checkPerChannel(name, channels, { ...tensors });
  if (!output) return;
  expectSize(name, 'output', output, rows * channels, channels);
  expectApartOrSame(name, output, [call.input]);
  expectApart(name, output, Object.values(tensors));
}

function checkGradient(call: BatchNormGradientCall): void {
  const { name, rows, channels, tensors, weightGradient, biasGradient } = call;
  expectWhole(name, { rows, channels });
  expectSize(name, 'input', call.input, rows * channels, channels);
  expectSize(name, 'outputGradient', call.outputGradient, rows * channels, channels);
  expectSize(name, 'inputGradient', call.inputGradient, rows * channels, channels);
  checkPerChannel(name, channels, { ...tensors, weightGradient, biasGradient });
  expectApartOrSame(name, call.inputGradient, [call.outputGradient]);
  expectApart(name, call.inputGradient, [call.input, ...Object.values(tensors)]);
  const read = [call.input, call.outputGradient, call.inputGradient, ...Object.values(tensors)];
  expectApart(name, weightGradient, [...read, biasGradient]);
  expectApart(name, biasGradient, read);
}

function checkPerChannel(name: string, channels: number, tensors: Readonly<Record<string, Tensor>>): void {
  for (const [role, tensor] of Object.entries(tensors)) expectSize(name, role, tensor, channels, channels);
}

function checkEpsilon(name: string, epsilon: number): void {
  if (!(epsilon > 0) || !Number.isFinite(epsilon)) {
    throw new EngineError(`${name}: epsilon is ${epsilon}, expected a finite number above 0`);
  }
}
