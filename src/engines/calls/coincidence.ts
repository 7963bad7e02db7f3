/**
 * Coincidences of spikes, the first half of SDSA-1 (Yao et al. 2023, Spike-driven Transformer, NeurIPS): `SUM_c(K ⊗ V)`, which needs no multiplication. Not the neuron
 * that fires on them, nor the gate behind it (`gate.ts`).
 */
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/** `output[i, c] = Σₙ key[i, n, c] · value[i, n, c]`: per image and channel the number of tokens at which both fire. */
export interface CoincidenceCall {
  readonly name: string;
  /** T·B. */
  readonly images: number;
  readonly tokens: number;
  readonly channels: number;
  /** Spikes, `[images, tokens, channels]`. */
  readonly key: Tensor;
  /** Spikes, `[images, tokens, channels]`. */
  readonly value: Tensor;
  /** Real, `[images, channels]`: whole numbers up to `tokens`, exact below 2²⁴. */
  readonly output: Tensor;
}

type Sizes = Pick<CoincidenceCall, 'images' | 'tokens' | 'channels'>;

const tokenShape = ({ images, tokens, channels }: Sizes) => [images, tokens, channels];
const channelShape = ({ images, channels }: Sizes) => [images, channels];

export const coincidence = declareCall<CoincidenceCall>('coincidence', {
  sizes: ['images', 'tokens', 'channels'],
  tensors: {
    key: read('spikes', tokenShape),
    value: read('spikes', tokenShape),
    output: write('real', channelShape),
  },
});

/** `δkey[i, n, c] = δoutput[i, c] · value[i, n, c]`, and the other way round. Replaces what the two gradients hold. */
export interface CoincidenceGradientCall extends Omit<CoincidenceCall, 'output'> {
  /** Real, `[images, channels]`. */
  readonly outputGradient: Tensor;
  /** Real, `[images, tokens, channels]`. */
  readonly keyGradient: Tensor;
  /** Real, `[images, tokens, channels]`. */
  readonly valueGradient: Tensor;
}

export const coincidenceGradient = declareCall<CoincidenceGradientCall>('coincidenceGradient', {
  sizes: ['images', 'tokens', 'channels'],
  tensors: {
    key: read('spikes', tokenShape),
    value: read('spikes', tokenShape),
    outputGradient: read('real', channelShape),
    keyGradient: write('real', tokenShape),
    valueGradient: write('real', tokenShape),
  },
});
