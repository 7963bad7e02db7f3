/**
 * Operations that really happen, counted from the spikes that really flowed: a spike reaches as many outputs as there are windows over its pixel,
 * fewer at the border of a padded convolution. Exact: sums of whole numbers, no rate and no mean.
 */
import { type ConvolutionGeometry, spikeWords } from '../engines/kernels.js';
import { bitCount } from '../runtime/layout.js';

/** Windows over each row of pixels (or column): how many outputs along this axis a spike reaches. */
export function windowsOver(
  input: number,
  output: number,
  kernel: number,
  stride: number,
  padding: number,
): Uint32Array {
  const windows = new Uint32Array(input);
  for (let position = 0; position < output; position++) {
    const start = position * stride - padding;
    for (let pixel = Math.max(0, start); pixel < Math.min(input, start + kernel); pixel++) windows[pixel]!++;
  }
  return windows;
}

/**
 * Additions that the spikes of one image and time step cause in a convolution.
 *
 * @param words Packed spikes of the input map, channels last, 32 to a word.
 */
export function additionsOfConvolution(words: Uint32Array, geometry: ConvolutionGeometry): number {
  const g = geometry;
  const perPixel = spikeWords(g.inputChannels);
  const rows = windowsOver(g.inputHeight, g.outputHeight, g.kernelHeight, g.strideHeight, g.paddingHeight);
  const columns = windowsOver(g.inputWidth, g.outputWidth, g.kernelWidth, g.strideWidth, g.paddingWidth);
  let reached = 0;
  let at = 0;
  for (let y = 0; y < g.inputHeight; y++) {
    for (let x = 0; x < g.inputWidth; x++) {
      let spikes = 0;
      for (let word = 0; word < perPixel; word++) spikes += bitCount(words[at++]!);
      reached += spikes * rows[y]! * columns[x]!;
    }
  }
  return reached * (g.outputChannels / g.groups);
}

/** Multiplications of a convolution on real numbers for one image: taps that lie within the map. */
export function multiplicationsOfConvolution(geometry: ConvolutionGeometry): number {
  const g = geometry;
  const sum = (values: Uint32Array) => values.reduce((a, b) => a + b, 0);
  const rows = sum(windowsOver(g.inputHeight, g.outputHeight, g.kernelHeight, g.strideHeight, g.paddingHeight));
  const columns = sum(windowsOver(g.inputWidth, g.outputWidth, g.kernelWidth, g.strideWidth, g.paddingWidth));
  return (rows * columns * g.inputChannels * g.outputChannels) / g.groups;
}

export interface AttentionAdditions {
  /** Coincidences of key and value: additions of 1 into Kᵀ V. */
  readonly counting: number;
  /** Rows of Kᵀ V that spikes of the query add. */
  readonly selecting: number;
}

/** Additions of both products of SDSA-3 for one image and time step; words as above, `[tokens, channels]`. */
export function additionsOfAttention(
  query: Uint32Array,
  key: Uint32Array,
  value: Uint32Array,
  { tokens, channels, heads }: { readonly tokens: number; readonly channels: number; readonly heads: number },
): AttentionAdditions {
  const width = channels / heads;
  const perToken = spikeWords(channels);
  let [counting, selecting] = [0, 0];
  for (let token = 0; token < tokens; token++) {
    for (let head = 0; head < heads; head++) {
      const [from, to] = [head * width, (head + 1) * width];
      const start = token * perToken;
      counting += bitsBetween(key, start, from, to) * bitsBetween(value, start, from, to);
      selecting += bitsBetween(query, start, from, to) * width;
    }
  }
  return { counting, selecting };
}

/** Set bits from channel `from` to before `to` of the words that begin at `start`. */
function bitsBetween(words: Uint32Array, start: number, from: number, to: number): number {
  let count = 0;
  for (let word = from >> 5; word <= (to - 1) >> 5; word++) {
    const low = Math.max(0, from - 32 * word);
    const high = Math.min(32, to - 32 * word);
    const mask = high - low === 32 ? 0xffffffff : ((1 << (high - low)) - 1) << low;
    count += bitCount(words[start + word]! & mask);
  }
  return count;
}
