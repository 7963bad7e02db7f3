/**
 * The products of spike-driven self-attention, `scale · Q (Kᵀ V)` per image and head (SDSA-3 of Meta-SpikeFormer). Not the
 * neuron behind them. Spikes are unpacked into bytes and multiplied as matrices of 0 and 1, so nothing here knows tricks
 * with bits that a faster engine may play; all sums are integers and exact.
 */
import { EngineError } from '../errors.js';
import { type SpikeAttentionCall, spikeWords } from '../kernels.js';
import { expectApart, expectSize, expectWhole, realView, spikeView } from './memory.js';

/** Checks the call and returns what runs it. Throws EngineError. */
export function spikeAttention(call: SpikeAttentionCall): () => void {
  checkAttention(call);
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

/** Spikes of one head of one image as bytes, `[tokens, headChannels]`. */
function unpackHead(
  spikes: Uint32Array,
  bytes: Uint8Array,
  call: SpikeAttentionCall,
  image: number,
  head: number,
): void {
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

function checkAttention(call: SpikeAttentionCall): void {
  const { name, images, tokens, channels, heads } = call;
  expectWhole(name, { images, tokens, channels, heads });
  if (channels % heads !== 0) throw new EngineError(`${name}: ${channels} channels cannot be shared by ${heads} heads`);
  const count = images * tokens * channels;
  expectSize(name, 'query', call.query, count, channels);
  expectSize(name, 'key', call.key, count, channels);
  expectSize(name, 'value', call.value, count, channels);
  expectSize(name, 'output', call.output, count, channels);
  expectApart(name, call.output, [call.query, call.key, call.value]);
}
