/** The products of attention on real numbers, and their gradient: SDSA-3 of a network whose neurons give out numbers. */
import { declareCall, float32, read, write } from './call.js';
import {
  attentionShape,
  checkHeads,
  type SpikeAttentionCall,
  type SpikeAttentionGradientCall,
} from './spikeAttention.js';

/**
 * Per image and head `output = scale · Q (Kᵀ V)`, with Q, K, V `[tokens, channels]` real and each head owning `channels / heads`
 * consecutive channels. `SpikeAttentionCall` is the same for spikes.
 */
export type AttentionProductCall = SpikeAttentionCall;

export const attentionProduct = declareCall<AttentionProductCall>('attentionProduct', {
  sizes: ['images', 'tokens', 'channels', 'heads'],
  tensors: {
    query: read('real', attentionShape),
    key: read('real', attentionShape),
    value: read('real', attentionShape),
    output: write('real', attentionShape),
  },
  settings: { scale: float32(({ scale }) => scale) },
  check: checkHeads,
});

/**
 * Gradient per image and head, with s the scale: `δQ = s · δO (Vᵀ K)`, `δK = V (s · δOᵀ Q)`, `δV = K (s · Qᵀ δO)`. Replaces what the three
 * gradients hold.
 */
export type AttentionProductGradientCall = SpikeAttentionGradientCall;

export const attentionProductGradient = declareCall<AttentionProductGradientCall>('attentionProductGradient', {
  sizes: ['images', 'tokens', 'channels', 'heads'],
  tensors: {
    query: read('real', attentionShape),
    key: read('real', attentionShape),
    value: read('real', attentionShape),
    outputGradient: read('real', attentionShape),
    queryGradient: write('real', attentionShape),
    keyGradient: write('real', attentionShape),
    valueGradient: write('real', attentionShape),
  },
  settings: { scale: float32(({ scale }) => scale) },
  check: checkHeads,
});
