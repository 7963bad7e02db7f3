/** Rectified linear units and their gradient. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, word, write } from './call.js';

/** `output = max(0, input)`; a number that is not one stays what it is. */
export interface ReluCall {
  readonly name: string;
  readonly elements: number;
  readonly input: Tensor;
  /** May be the input. */
  readonly output: Tensor;
}

export const relu = declareCall<ReluCall>('relu', {
  sizes: ['elements'],
  tensors: {
    input: read('real', ({ elements }) => [elements]),
    output: write('real', ({ elements }) => [elements], ['input']),
  },
});

/** `δx = δy where x > 0, else 0`: PyTorch's, which is 0 at 0. */
export interface ReluGradientCall {
  readonly name: string;
  readonly elements: number;
  readonly input: Tensor;
  readonly outputGradient: Tensor;
  /** May be the output's. */
  readonly inputGradient: Tensor;
  /** Add to what the gradient holds. */
  readonly accumulate: boolean;
}

export const reluGradient = declareCall<ReluGradientCall>('reluGradient', {
  sizes: ['elements'],
  tensors: {
    input: read('real', ({ elements }) => [elements]),
    outputGradient: read('real', ({ elements }) => [elements]),
    inputGradient: write('real', ({ elements }) => [elements], ['outputGradient']),
  },
  settings: { accumulate: word(({ accumulate }) => (accumulate ? 1 : 0)) },
});
