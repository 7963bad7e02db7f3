/** Products of one descriptor with many that are held as whole numbers of a byte: the first pass of an exact search. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/**
 * `output[row] = scales[row] · Σ query[c] · codes[row, c]`. The sum is of 32-bit whole numbers: whoever makes the codes sees to it that it fits. It is rounded to float32, and so
 * is its product with the scale. Codes are packed like spikes, one number after the other in little-endian bytes, so that a row of C codes is one of 8·C bits.
 */
export interface CodeProductsCall {
  readonly name: string;
  readonly rows: number;
  readonly channels: number;
  /** Signed bytes, `[rows, 8 · channels]` bits. */
  readonly codes: Tensor;
  /** Signed numbers of two bytes, `[16 · channels]` bits. */
  readonly query: Tensor;
  /** Real, `[rows]`. */
  readonly scales: Tensor;
  /** Real, `[rows]`. */
  readonly output: Tensor;
}

type Sizes = Pick<CodeProductsCall, 'rows' | 'channels'>;

export const codeProducts = declareCall<CodeProductsCall>('codeProducts', {
  sizes: ['rows', 'channels'],
  tensors: {
    codes: read('spikes', ({ rows, channels }: Sizes) => [rows, 8 * channels]),
    query: read('spikes', ({ channels }: Sizes) => [16 * channels]),
    scales: read('real', ({ rows }: Sizes) => [rows]),
    output: write('real', ({ rows }: Sizes) => [rows]),
  },
});
