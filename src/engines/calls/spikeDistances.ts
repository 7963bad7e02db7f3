/** Hamming's distance of one binary descriptor from many. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/** `output[row] = Σ query[c] XOR gallery[row, c]`, a whole number. */
export interface SpikeDistancesCall {
  readonly name: string;
  readonly rows: number;
  readonly channels: number;
  /** Spikes, `[rows, channels]`. */
  readonly gallery: Tensor;
  /** Spikes, `[channels]`. */
  readonly query: Tensor;
  /** Real, `[rows]`. */
  readonly output: Tensor;
}

type Sizes = Pick<SpikeDistancesCall, 'rows' | 'channels'>;

export const spikeDistances = declareCall<SpikeDistancesCall>('spikeDistances', {
  sizes: ['rows', 'channels'],
  tensors: {
    gallery: read('spikes', ({ rows, channels }: Sizes) => [rows, channels]),
    query: read('spikes', ({ channels }: Sizes) => [channels]),
    output: write('real', ({ rows }: Sizes) => [rows]),
  },
});
