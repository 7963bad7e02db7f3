/** Real numbers as spikes: where they are not zero. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/** `output = 1` where the input is not zero. */
export interface MarkNonZeroCall {
  readonly name: string;
  readonly images: number;
  readonly positions: number;
  readonly channels: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

export const markNonZero = declareCall<MarkNonZeroCall>('markNonZero', {
  sizes: ['images', 'positions', 'channels'],
  tensors: {
    input: read('real', ({ images, positions, channels }) => [images, positions, channels]),
    output: write('spikes', ({ images, positions, channels }) => [images, positions, channels]),
  },
});
