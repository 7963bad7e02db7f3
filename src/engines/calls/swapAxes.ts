/** Two neighbouring axes of a tensor change places; the gradient of the call is the call back. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/** `output[o, s, f, i] = input[o, f, s, i]`. */
export interface SwapAxesCall {
  readonly name: string;
  readonly outer: number;
  readonly first: number;
  readonly second: number;
  /** Elements that stay together. */
  readonly inner: number;
  /** Real, `[outer, first, second, inner]`. */
  readonly input: Tensor;
  /** Real, `[outer, second, first, inner]`. */
  readonly output: Tensor;
}

export const swapAxes = declareCall<SwapAxesCall>('swapAxes', {
  sizes: ['outer', 'first', 'second', 'inner'],
  tensors: {
    input: read('real', ({ outer, first, second, inner }) => [outer, first, second, inner]),
    output: write('real', ({ outer, first, second, inner }) => [outer, second, first, inner]),
  },
});
