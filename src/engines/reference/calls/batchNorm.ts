/**
 * Batch normalisation as training does it: with the statistics of the batch; and its gradient through them. Not the evaluation form, which is a scale and a shift. Formulas: Ioffe and Szegedy 2015 as PyTorch's
 * `BatchNorm2d` computes them (variance in two passes). Sums are float64; the mean and inverse deviation are rounded to
 * float32 before they are used, so that whoever reads them later gets the very same output.
 */
import type {
  BatchNormAgainCall,
  BatchNormCall,
  BatchNormGradientCall,
  NormalisationTensors,
} from '../../calls/batchNorm.js';
import { realView } from '../memory.js';

export function batchNorm(call: BatchNormCall): () => void {
  const { name, rows, epsilon, momentum, output } = call;
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

export function batchNormAgain(call: BatchNormAgainCall): () => void {
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
 * With x̂ the normalised input and n rows: `δweight = Σ δy·x̂`, `δbias = Σ δy`,
 * `δx = weight/√(variance + ε) · (δy − δbias/n − x̂ · δweight/n)`.
 */
export function batchNormGradient(call: BatchNormGradientCall): () => void {
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
