/** The products of attention on real numbers, and their gradient: SDSA-3 of a network whose neurons give out numbers. */
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { declareCall, float32, read, write } from './call.js';

/**
 * Per image and head `output = scale · Q (Kᵀ V)`, with Q, K, V `[tokens, channels]` real and each head owning `channels / heads`
 * consecutive channels. `SpikeAttentionCall` is the same for spikes.
 */
export interface AttentionProductCall {
  readonly name: string;
  readonly images: number;
  readonly tokens: number;
  readonly channels: number;
  readonly heads: number;
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly output: Tensor;
  readonly scale: number;
}

type Sizes = Pick<AttentionProductCall, 'name' | 'images' | 'tokens' | 'channels' | 'heads'>;

const shape = ({ images, tokens, channels }: Sizes) => [images, tokens, channels];

function checkHeads({ name, channels, heads }: Sizes): void {
  if (channels % heads !== 0) throw new EngineError(`${name}: ${channels} channels cannot be shared by ${heads} heads`);
}

export const attentionProduct = declareCall<AttentionProductCall>('attentionProduct', {
  sizes: ['images', 'tokens', 'channels', 'heads'],
  tensors: {
    query: read('real', shape),
    key: read('real', shape),
    value: read('real', shape),
    output: write('real', shape),
  },
  settings: { scale: float32(({ scale }) => scale) },
  check: checkHeads,
});

/**
 * Gradient per image and head, with s the scale: `δQ = s · δO (Vᵀ K)`, `δK = V (s · δOᵀ Q)`, `δV = K (s · Qᵀ δO)`. Replaces what the three
 * gradients hold.
 */
export interface AttentionProductGradientCall {
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

export const attentionProductGradient = declareCall<AttentionProductGradientCall>('attentionProductGradient', {
  sizes: ['images', 'tokens', 'channels', 'heads'],
  tensors: {
    query: read('real', shape),
    key: read('real', shape),
    value: read('real', shape),
    outputGradient: read('real', shape),
    queryGradient: write('real', shape),
    keyGradient: write('real', shape),
    valueGradient: write('real', shape),
  },
  settings: { scale: float32(({ scale }) => scale) },
  check: checkHeads,
});
