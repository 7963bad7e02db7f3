/**
 * The edge between the field's layout (channels first, PyTorch) and ours (channels last): conversions of tensors that a caller hands
 * in or asks for. Values that are the same at every time step are written out T times, as the authors' modules give them.
 */
import { spikeWords } from '../engines/kernels.js';
import { elementCount, type Shape } from '../graph/shape.js';

/** `[..., C, H, W] → [..., H, W, C]`, for `images` images; into `result`, of as many numbers, where one is given. */
export function toChannelsLast(
  values: Float32Array,
  images: number,
  channels: number,
  positions: number,
  result: Float32Array = new Float32Array(values.length),
): Float32Array {
  for (let image = 0; image < images; image++) {
    const start = image * channels * positions;
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < positions; p++) result[start + p * channels + c] = values[start + c * positions + p]!;
    }
  }
  return result;
}

/** Where the first number stands that is infinite or NaN, or −1. */
export function firstNonFinite(values: Float32Array): number {
  // A sum is finite unless a number is not (those of float32 cannot overflow a float64 sum): one pass without branches or calls.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return Number.isFinite(sum) ? -1 : values.findIndex((value) => !Number.isFinite(value));
}

/** Images (T·B), channels and positions of `[T, B, H, W, C]`, `[T, B, N, C]` or `[T, B, C]`. */
function fold(shape: Shape): { readonly images: number; readonly channels: number; readonly positions: number } {
  const images = shape[0]! * shape[1]!;
  const channels = shape[shape.length - 1]!;
  return { images, channels, positions: elementCount(shape) / images / channels };
}

/** `[T, B, H, W, C]` as `[T, B, C, H, W]`, `[T, B, N, C]` as `[T, B, C, N]`; `[T, B, C]` stays. */
export function channelsFirstShape(shape: Shape): Shape {
  return [...shape.slice(0, 2), shape[shape.length - 1]!, ...shape.slice(2, -1)];
}

/** Real values, channels last, to channels first; a value with T = 1 is written `timeSteps` times. */
export function realToChannelsFirst(
  values: Float32Array,
  shape: Shape,
  timeSteps: number,
): { readonly shape: Shape; readonly data: Float32Array } {
  const { images, channels, positions } = fold(shape);
  const once = new Float32Array(values.length);
  for (let image = 0; image < images; image++) {
    const start = image * channels * positions;
    for (let p = 0; p < positions; p++) {
      for (let c = 0; c < channels; c++) once[start + c * positions + p] = values[start + p * channels + c]!;
    }
  }
  const repeats = timeSteps / shape[0]!;
  const data = repeats === 1 ? once : new Float32Array(once.length * repeats);
  if (repeats > 1) for (let t = 0; t < repeats; t++) data.set(once, t * once.length);
  return { shape: channelsFirstShape([timeSteps, ...shape.slice(1)]), data };
}

/** Whether a neuron fires, in packed spikes; positions are counted over time steps and images too. */
export function fires(words: Uint32Array, channels: number, position: number, channel: number): boolean {
  return ((words[position * spikeWords(channels) + (channel >>> 5)]! >>> (channel & 31)) & 1) === 1;
}

/** Packed spikes as bits in C-order of the channels-first shape, most significant bit first (NumPy's `packbits`). */
export function spikesToBits(words: Uint32Array, shape: Shape): { readonly shape: Shape; readonly bits: Uint8Array } {
  const { images, channels, positions } = fold(shape);
  const bits = new Uint8Array(Math.ceil(elementCount(shape) / 8));
  let index = 0;
  for (let image = 0; image < images; image++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < positions; p++, index++) {
        if (fires(words, channels, image * positions + p, c))
          bits[index >>> 3] = bits[index >>> 3]! | (0x80 >>> (index & 7));
      }
    }
  }
  return { shape: channelsFirstShape(shape), bits };
}

/** Set bits in packed spikes. */
export function countSpikes(words: Uint32Array): number {
  let count = 0;
  for (const word of words) count += bitCount(word);
  return count;
}

/** Bits of a word that are set. */
export function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
