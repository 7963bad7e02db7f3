/** Batch normalisation with the statistics of the batch, writing its output again, and its gradient. */
import {
  expectApart,
  expectApartOrSame,
  expectEpsilon,
  expectPerChannel,
  expectRealSize,
  expectWhole,
} from '../checks.js';
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { defineCall } from './call.js';

/** The parameters and statistics of one batch normalisation, `[channels]` each. */
export interface BatchNormTensors {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly runningMean: Tensor;
  readonly runningVariance: Tensor;
  /** Mean of the last batch, written by the forward kernel. */
  readonly batchMean: Tensor;
  /** 1/√(variance + ε) of the last batch (biased variance), written by the forward kernel. */
  readonly batchInverseDeviation: Tensor;
}

/** What it takes to write the output of a batch normalisation again. */
export type NormalisationTensors = Pick<BatchNormTensors, 'weight' | 'bias' | 'batchMean' | 'batchInverseDeviation'>;

/**
 * Batch normalisation over `rows` rows with the statistics of the batch. Running statistics move by `momentum` towards the batch's mean and
 * unbiased variance (PyTorch's BatchNorm: `running = (1 − momentum) · running + momentum · batch`). Sums in float64 or compensated, in
 * an order that does not depend on the number of threads.
 */
export interface BatchNormCall {
  readonly name: string;
  readonly rows: number;
  readonly channels: number;
  readonly input: Tensor;
  /** Without it only the statistics are measured: for readers that normalise on their own. */
  readonly output?: Tensor;
  readonly tensors: BatchNormTensors;
  readonly epsilon: number;
  readonly momentum: number;
}

export const batchNorm = defineCall<BatchNormCall>('batchNorm', {
  check: (call) => {
    const { name, rows, momentum } = call;
    checkForward(call);
    if (rows < 2) {
      throw new EngineError(
        `${name}: 1 row has no unbiased variance, expected at least 2; use a larger batch or image`,
      );
    }
    if (!(momentum >= 0 && momentum <= 1)) {
      throw new EngineError(`${name}: momentum is ${momentum}, expected a number from 0 to 1`);
    }
  },
  reads: ({ input, tensors: { weight, bias, runningMean, runningVariance } }) => [
    input,
    weight,
    bias,
    runningMean,
    runningVariance,
  ],
  writes: ({ output, tensors: { runningMean, runningVariance, batchMean, batchInverseDeviation } }) => [
    output,
    runningMean,
    runningVariance,
    batchMean,
    batchInverseDeviation,
  ],
});

function checkForward(call: Omit<BatchNormCall, 'momentum'>): void {
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

/** Writes the output of a batch normalisation again from its input and the statistics its forward kernel left. */
export interface BatchNormAgainCall extends Omit<BatchNormCall, 'output' | 'momentum'> {
  readonly output: Tensor;
}

export const batchNormAgain = defineCall<BatchNormAgainCall>('batchNormAgain', {
  check: checkForward,
  reads: ({ input, tensors: { weight, bias, batchMean, batchInverseDeviation } }) => [
    input,
    weight,
    bias,
    batchMean,
    batchInverseDeviation,
  ],
  writes: ({ output }) => [output],
});

/**
 * Gradient through the batch statistics. `inputGradient` may be `outputGradient`'s memory. Sums as in `BatchNormCall`, but up to 16 rows may
 * be added in float32 first.
 */
export interface BatchNormGradientCall {
  readonly name: string;
  readonly rows: number;
  readonly channels: number;
  readonly input: Tensor;
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
  readonly tensors: BatchNormTensors;
  /** Added to. */
  readonly weightGradient: Tensor;
  /** Added to. */
  readonly biasGradient: Tensor;
}

export const batchNormGradient = defineCall<BatchNormGradientCall>('batchNormGradient', {
  check: (call) => {
    const { name, rows, channels, input, outputGradient, inputGradient, tensors, weightGradient, biasGradient } = call;
    expectWhole(name, { rows, channels });
    for (const [role, tensor] of Object.entries({ input, outputGradient, inputGradient })) {
      expectRealSize(name, role, tensor, rows * channels);
    }
    expectPerChannel(name, channels, { ...tensors, weightGradient, biasGradient });
    expectApartOrSame(name, inputGradient, [outputGradient]);
    expectApart(name, inputGradient, [input, ...Object.values(tensors)]);
    const others = [input, outputGradient, inputGradient, ...Object.values(tensors)];
    expectApart(name, weightGradient, [...others, biasGradient]);
    expectApart(name, biasGradient, others);
  },
  reads: ({ input, outputGradient, tensors, weightGradient, biasGradient }) => [
    input,
    outputGradient,
    tensors.weight,
    tensors.batchMean,
    tensors.batchInverseDeviation,
    weightGradient,
    biasGradient,
  ],
  writes: ({ inputGradient, weightGradient, biasGradient }) => [inputGradient, weightGradient, biasGradient],
});
