/** The products of spike-driven self-attention, SDSA-3, and their gradient. */
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { declareCall, float32, read, write } from './call.js';

/**
 * The product of SDSA-3, per image and head: `output = scale · Q (Kᵀ V)`, with Q, K, V `[tokens, channels]` spikes and
 * each head owning `channels / heads` consecutive channels. Kᵀ V counts coincidences, so every sum is an integer.
 */
export interface SpikeAttentionCall {
  readonly name: string;
  readonly images: number;
  readonly tokens: number;
  readonly channels: number;
  readonly heads: number;
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  /** Real, `[images, tokens, channels]`. */
  readonly output: Tensor;
  readonly scale: number;
}

type Sizes = Pick<SpikeAttentionCall, 'name' | 'images' | 'tokens' | 'channels' | 'heads'>;

/** The shape of every tensor of a product of attention. */
export const attentionShape = ({ images, tokens, channels }: Sizes) => [images, tokens, channels];

/** @throws EngineError when the heads cannot share the channels. */
export function checkHeads({ name, channels, heads }: Sizes): void {
  if (channels % heads !== 0) throw new EngineError(`${name}: ${channels} channels cannot be shared by ${heads} heads`);
}

export const spikeAttention = declareCall<SpikeAttentionCall>('spikeAttention', {
  sizes: ['images', 'tokens', 'channels', 'heads'],
  tensors: {
    query: read('spikes', attentionShape),
    key: read('spikes', attentionShape),
    value: read('spikes', attentionShape),
    output: write('real', attentionShape),
  },
  settings: { scale: float32(({ scale }) => scale) },
  check: checkHeads,
});

/**
 * Gradient of `scale · Q (Kᵀ V)` per image and head, with spikes for Q, K, V: `δQ = scale · δO (KᵀV)ᵀ`,
 * `δK = V (scale · Qᵀ δO)ᵀ`, `δV = K (scale · Qᵀ δO)`. Replaces what the three gradients hold.
 */
export interface SpikeAttentionGradientCall {
  readonly name: string;
  readonly images: number;
  readonly tokens: number;
  readonly channels: number;
  readonly heads: number;
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly outputGradient: Tensor;
  readonly queryGradient: Tensor;
  readonly keyGradient: Tensor;
  readonly valueGradient: Tensor;
  readonly scale: number;
}

export const spikeAttentionGradient = declareCall<SpikeAttentionGradientCall>('spikeAttentionGradient', {
  sizes: ['images', 'tokens', 'channels', 'heads'],
  tensors: {
    query: read('spikes', attentionShape),
    key: read('spikes', attentionShape),
    value: read('spikes', attentionShape),
    outputGradient: read('real', attentionShape),
    queryGradient: write('real', attentionShape),
    keyGradient: write('real', attentionShape),
    valueGradient: write('real', attentionShape),
  },
  settings: { scale: float32(({ scale }) => scale) },
  check: checkHeads,
});
