/** The mean over time, and its gradient. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/** `output[j] = mean over t of input[t, j]`. */
export interface TimeMeanCall {
  readonly name: string;
  readonly timeSteps: number;
  readonly elements: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

export const timeMean = declareCall<TimeMeanCall>('timeMean', {
  sizes: ['timeSteps', 'elements'],
  tensors: {
    input: read('real', ({ timeSteps, elements }) => [timeSteps, elements]),
    output: write('real', ({ elements }) => [elements]),
  },
});

/** `inputGradient[t, j] = outputGradient[j] / timeSteps`. */
export interface TimeMeanGradientCall {
  readonly name: string;
  readonly timeSteps: number;
  readonly elements: number;
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
}

export const timeMeanGradient = declareCall<TimeMeanGradientCall>('timeMeanGradient', {
  sizes: ['timeSteps', 'elements'],
  tensors: {
    outputGradient: read('real', ({ elements }) => [elements]),
    inputGradient: write('real', ({ timeSteps, elements }) => [timeSteps, elements]),
  },
});
