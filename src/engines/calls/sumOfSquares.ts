/** Sums of the squares of parts of a vector, in float64: what the norms of gradients are made of. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/**
 * `sums[p] = Σᵢ values[i]²` over part p, added in the order of the elements, whatever the number of threads. Only the parts are read.
 */
export interface SumOfSquaresCall {
  readonly name: string;
  /** Of the vector. */
  readonly elements: number;
  readonly parts: number;
  /** Real, `[elements]`. */
  readonly values: Tensor;
  /** Two words of 32 bits for each part: its first element divided by 16, and how many elements it has. What lies behind the vector is left out. */
  readonly ranges: Tensor;
  /** Float64, each in the place of two elements, `[parts]`. */
  readonly sums: Tensor;
}

export const sumOfSquares = declareCall<SumOfSquaresCall>('sumOfSquares', {
  sizes: ['elements', 'parts'],
  tensors: {
    values: read('real', ({ elements }) => [elements]),
    ranges: read('real', ({ parts }) => [parts, 2]),
    sums: write('real', ({ parts }) => [parts, 2]),
  },
});
