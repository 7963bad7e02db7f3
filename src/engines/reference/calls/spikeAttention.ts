/**
 * The products of spike-driven self-attention, `scale · Q (Kᵀ V)` per image and head (SDSA-3 of Meta-SpikeFormer). Not the
 * neuron behind them. Spikes are unpacked into bytes and multiplied as matrices of 0 and 1, so nothing here knows tricks
 * with bits that a faster engine may play; forward, all sums are integers and exact. The gradient is that of the product,
 * written beside `SpikeAttentionGradientCall`.
 */
import type { SpikeAttentionCall, SpikeAttentionGradientCall } from '../../calls/spikeAttention.js';
import { spikeWords } from '../../tensor.js';
import { realView, spikeView } from '../memory.js';

/** How images, tokens, channels and heads lie. */
type AttentionSizes = Pick<SpikeAttentionCall, 'name' | 'images' | 'tokens' | 'channels' | 'heads'>;

export function spikeAttention(call: SpikeAttentionCall): () => void {
  const { name, images, tokens, channels, heads } = call;
  const headChannels = channels / heads;
  const query = spikeView(name, call.query);
  const key = spikeView(name, call.key);
  const value = spikeView(name, call.value);
  const output = realView(name, call.output);
  const scale = Math.fround(call.scale);
  const q = new Uint8Array(tokens * headChannels);
  const k = new Uint8Array(tokens * headChannels);
  const v = new Uint8Array(tokens * headChannels);
  const coincidences = new Float64Array(headChannels * headChannels);

  return () => {
    for (let image = 0; image < images; image++) {
      for (let head = 0; head < heads; head++) {
        unpackHead(query, q, call, image, head);
        unpackHead(key, k, call, image, head);
        unpackHead(value, v, call, image, head);
        countCoincidences(k, v, tokens, headChannels, coincidences);
        for (let token = 0; token < tokens; token++) {
          for (let column = 0; column < headChannels; column++) {
            let sum = 0;
            for (let row = 0; row < headChannels; row++) {
              sum += q[token * headChannels + row]! * coincidences[row * headChannels + column]!;
            }
            output[(image * tokens + token) * channels + head * headChannels + column] = scale * sum;
          }
        }
      }
    }
  };
}

export function spikeAttentionGradient(call: SpikeAttentionGradientCall): () => void {
  const { name, images, tokens, channels, heads } = call;
  const size = channels / heads;
  const query = spikeView(name, call.query);
  const key = spikeView(name, call.key);
  const value = spikeView(name, call.value);
  const outputGradient = realView(name, call.outputGradient);
  const queryGradient = realView(name, call.queryGradient);
  const keyGradient = realView(name, call.keyGradient);
  const valueGradient = realView(name, call.valueGradient);
  const scale = Math.fround(call.scale);
  const q = new Uint8Array(tokens * size);
  const k = new Uint8Array(tokens * size);
  const v = new Uint8Array(tokens * size);
  const headGradient = new Float64Array(tokens * size);
  const coincidences = new Float64Array(size * size);
  const coincidencesGradient = new Float64Array(size * size);

  return () => {
    for (let image = 0; image < images; image++) {
      for (let head = 0; head < heads; head++) {
        unpackHead(query, q, call, image, head);
        unpackHead(key, k, call, image, head);
        unpackHead(value, v, call, image, head);
        scaleHead(outputGradient, headGradient, call, image, head, scale);
        countCoincidences(k, v, tokens, size, coincidences);
        multiplyTransposed(q, headGradient, tokens, size, coincidencesGradient);
        for (let token = 0; token < tokens; token++) {
          const first = (image * tokens + token) * channels + head * size;
          for (let i = 0; i < size; i++) {
            let querySum = 0;
            let keySum = 0;
            let valueSum = 0;
            for (let j = 0; j < size; j++) {
              querySum += headGradient[token * size + j]! * coincidences[i * size + j]!;
              keySum += v[token * size + j]! * coincidencesGradient[i * size + j]!;
              valueSum += k[token * size + j]! * coincidencesGradient[j * size + i]!;
            }
            queryGradient[first + i] = querySum;
            keyGradient[first + i] = keySum;
            valueGradient[first + i] = valueSum;
          }
        }
      }
    }
  };
}

/** `scale · δO` of one head of one image, `[tokens, headChannels]`. */
function scaleHead(
  outputGradient: Float32Array,
  headGradient: Float64Array,
  call: AttentionSizes,
  image: number,
  head: number,
  scale: number,
): void {
  const { tokens, channels, heads } = call;
  const size = channels / heads;
  for (let token = 0; token < tokens; token++) {
    const first = (image * tokens + token) * channels + head * size;
    for (let i = 0; i < size; i++) headGradient[token * size + i] = scale * outputGradient[first + i]!;
  }
}

/** `product = Sᵀ G` for spikes S and real numbers G, both `[tokens, size]`. */
function multiplyTransposed(
  spikes: Uint8Array,
  reals: Float64Array,
  tokens: number,
  size: number,
  product: Float64Array,
): void {
  product.fill(0);
  for (let token = 0; token < tokens; token++) {
    for (let row = 0; row < size; row++) {
      if (spikes[token * size + row] === 0) continue;
      for (let column = 0; column < size; column++) {
        const index = row * size + column;
        product[index] = product[index]! + reals[token * size + column]!;
      }
    }
  }
}

/** Spikes of one head of one image as bytes, `[tokens, headChannels]`. */
function unpackHead(spikes: Uint32Array, bytes: Uint8Array, call: AttentionSizes, image: number, head: number): void {
  const { tokens, channels, heads } = call;
  const headChannels = channels / heads;
  const words = spikeWords(channels);
  for (let token = 0; token < tokens; token++) {
    for (let i = 0; i < headChannels; i++) {
      const channel = head * headChannels + i;
      const word = spikes[(image * tokens + token) * words + (channel >>> 5)]!;
      bytes[token * headChannels + i] = (word >>> (channel & 31)) & 1;
    }
  }
}

/** `counts = Kᵀ V`: at how many tokens channel `row` of K and channel `column` of V fire together. */
function countCoincidences(k: Uint8Array, v: Uint8Array, tokens: number, size: number, counts: Float64Array): void {
  counts.fill(0);
  for (let token = 0; token < tokens; token++) {
    for (let row = 0; row < size; row++) {
      if (k[token * size + row] === 0) continue;
      for (let column = 0; column < size; column++) {
        const index = row * size + column;
        counts[index] = counts[index]! + v[token * size + column]!;
      }
    }
  }
}
