/**
 * NeuroBench's metrics (Yik et al., "The NeuroBench framework for benchmarking neuromorphic computing algorithms and systems", Nature Communications 2025; harness 2.0) for the network
 * as it is trained: footprint, connection sparsity, activation sparsity, effective operations. An operation is effective when neither the activation nor the weight
 * is zero; of a layer whose inputs are all 0 or 1 it is an accumulate, of any other a multiply-accumulate. The benchmark sees convolutions and linear layers, no products
 * of attention; those stand apart here. RepConv is not merged in it, so its inner convolutions multiply.
 */
import { type ConvolutionGeometry, spikeWords } from '../engines/kernels.js';
import type { Parameters } from '../graph/graph.js';
import type { CountedLayer } from './layers.js';
import { additionsOfConvolution } from './synapticOperations.js';

export interface NeuroBenchOperations {
  /** Per image, over all time steps. */
  readonly effectiveMacs: number;
  readonly effectiveAcs: number;
  /** As if no activation and no weight were zero. */
  readonly dense: number;
}

/** Bytes of all parameters and running statistics in float32; one 64-bit count of batches per batch norm, as PyTorch keeps, included. */
export function footprintBytes(parameters: Parameters): number {
  let bytes = 0;
  for (const [name, { length }] of parameters) bytes += 4 * length + (name.endsWith('.running_var') ? 8 : 0);
  return bytes;
}

/** Share of weights of convolutions and linear layers that are zero. */
export function connectionSparsity(layers: readonly CountedLayer[], parameters: Parameters): number {
  let [zeros, all] = [0, 0];
  for (const layer of layers) {
    const weights = weightsOf(layer, parameters);
    if (!weights) continue;
    all += weights.length;
    zeros += zerosIn(weights);
  }
  return all === 0 ? 0 : zeros / all;
}

export function weightsOf(layer: CountedLayer, parameters: Parameters): Float32Array | undefined {
  return layer.kind === 'attention' ? undefined : parameters.get(`${layer.parameterPrefix}.weight`);
}

function zerosIn(weights: Float32Array): number {
  let zeros = 0;
  for (const weight of weights) if (weight === 0) zeros++;
  return zeros;
}

/** An input channel at a tap, and how many output channels have a weight of zero there. */
export interface MissingConnections {
  readonly tapY: number;
  readonly tapX: number;
  readonly channel: number;
  readonly count: number;
}

/**
 * Effective operations of one image and time step: pairs of an activation and a weight that are both not zero. All pairs of active inputs, less those that meet a weight of
 * zero: trained weights have few of them.
 *
 * @param active Which inputs are not zero, packed as spikes are: channels last, 32 to a word.
 */
export function effectiveOperations(
  active: Uint32Array,
  geometry: ConvolutionGeometry,
  missing: readonly MissingConnections[],
): number {
  let reached = additionsOfConvolution(active, geometry);
  for (const connection of missing) reached -= connection.count * activeUnderTap(active, geometry, connection);
  return reached;
}

/** Over how many active inputs of a channel the tap lies, all windows taken together. */
function activeUnderTap(
  active: Uint32Array,
  g: ConvolutionGeometry,
  { tapY, tapX, channel }: MissingConnections,
): number {
  const perPixel = spikeWords(g.inputChannels);
  const bit = channel & 31;
  let count = 0;
  for (let outputY = 0; outputY < g.outputHeight; outputY++) {
    const y = outputY * g.strideHeight - g.paddingHeight + tapY;
    if (y < 0 || y >= g.inputHeight) continue;
    for (let outputX = 0; outputX < g.outputWidth; outputX++) {
      const x = outputX * g.strideWidth - g.paddingWidth + tapX;
      if (x < 0 || x >= g.inputWidth) continue;
      count += (active[(y * g.inputWidth + x) * perPixel + (channel >> 5)]! >>> bit) & 1;
    }
  }
  return count;
}

export function missingConnectionsOf(g: ConvolutionGeometry, weights: Float32Array): readonly MissingConnections[] {
  if (zerosIn(weights) === 0) return [];
  const taps = g.kernelHeight * g.kernelWidth;
  const perGroup = g.inputChannels / g.groups;
  const counts = new Uint32Array(taps * g.inputChannels);
  for (let output = 0; output < g.outputChannels; output++) {
    const first = Math.floor(output / (g.outputChannels / g.groups)) * perGroup;
    for (let input = 0; input < perGroup; input++)
      for (let tap = 0; tap < taps; tap++)
        if (weights[(output * perGroup + input) * taps + tap] === 0) counts[tap * g.inputChannels + first + input]!++;
  }
  return Array.from(counts, (count, index) => {
    const tap = Math.floor(index / g.inputChannels);
    return {
      tapY: Math.floor(tap / g.kernelWidth),
      tapX: tap % g.kernelWidth,
      channel: index % g.inputChannels,
      count,
    };
  }).filter(({ count }) => count > 0);
}

/** Which channels have a weight that is not zero at a tap of a depthwise convolution: `[tap][word]`, packed as spikes are. */
export function channelsByTap(g: ConvolutionGeometry, weights: Float32Array): Uint32Array {
  const taps = g.kernelHeight * g.kernelWidth;
  const perPixel = spikeWords(g.inputChannels);
  const masks = new Uint32Array(taps * perPixel);
  for (let channel = 0; channel < g.inputChannels; channel++)
    for (let tap = 0; tap < taps; tap++)
      if (weights[channel * taps + tap] !== 0) masks[tap * perPixel + (channel >> 5)]! |= 1 << (channel & 31);
  return masks;
}

/**
 * Where a depthwise convolution without bias makes something else than zero: at least one spike under a weight. (That weights of different taps cancel to
 * exactly zero is not considered.) Of channels without a zero weight that is any spike under the window, found along rows and then along columns; the few others are looked
 * at tap by tap.
 *
 * @param masks From `channelsByTap`.
 */
export function reachedBySpikes(spikes: Uint32Array, geometry: ConvolutionGeometry, masks: Uint32Array): Uint32Array {
  const g = geometry;
  const perPixel = spikeWords(g.inputChannels);
  const across = spikesAcross(spikes, g, perPixel);
  const reached = new Uint32Array(g.outputHeight * g.outputWidth * perPixel);
  const row = g.outputWidth * perPixel;
  for (let y = 0; y < g.outputHeight; y++) {
    const start = y * g.strideHeight - g.paddingHeight;
    for (let inputY = Math.max(0, start); inputY < Math.min(g.inputHeight, start + g.kernelHeight); inputY++)
      for (let at = 0; at < row; at++) reached[y * row + at]! |= across[inputY * row + at]!;
  }
  for (let word = 0; word < perPixel; word++) {
    let [every, some] = [0xffffffff, 0];
    for (let mask = word; mask < masks.length; mask += perPixel) {
      every &= masks[mask]!;
      some |= masks[mask]!;
    }
    const partial = some & ~every;
    for (let at = word; at < reached.length; at += perPixel) {
      reached[at]! &= every;
      if (partial !== 0) reached[at]! |= partial & reachedTapByTap(spikes, g, masks, perPixel, at);
    }
  }
  return reached;
}

/** Any spike under the window's columns, for every row of the input: `[inputHeight][outputWidth][word]`. */
function spikesAcross(spikes: Uint32Array, g: ConvolutionGeometry, perPixel: number): Uint32Array {
  const across = new Uint32Array(g.inputHeight * g.outputWidth * perPixel);
  for (let y = 0; y < g.inputHeight; y++)
    for (let x = 0; x < g.outputWidth; x++) {
      const to = (y * g.outputWidth + x) * perPixel;
      const start = x * g.strideWidth - g.paddingWidth;
      const end = Math.min(g.inputWidth, start + g.kernelWidth);
      for (let inputX = Math.max(0, start); inputX < end; inputX++) {
        const from = (y * g.inputWidth + inputX) * perPixel;
        for (let word = 0; word < perPixel; word++) across[to + word]! |= spikes[from + word]!;
      }
    }
  return across;
}

/** One word of one output pixel, with every tap's own mask. */
function reachedTapByTap(
  spikes: Uint32Array,
  g: ConvolutionGeometry,
  masks: Uint32Array,
  perPixel: number,
  at: number,
): number {
  const word = at % perPixel;
  const pixel = (at - word) / perPixel;
  const [x, y] = [pixel % g.outputWidth, Math.floor(pixel / g.outputWidth)];
  let reached = 0;
  for (let ky = 0; ky < g.kernelHeight; ky++) {
    const inputY = y * g.strideHeight - g.paddingHeight + ky;
    if (inputY < 0 || inputY >= g.inputHeight) continue;
    for (let kx = 0; kx < g.kernelWidth; kx++) {
      const inputX = x * g.strideWidth - g.paddingWidth + kx;
      if (inputX < 0 || inputX >= g.inputWidth) continue;
      const mask = masks[(ky * g.kernelWidth + kx) * perPixel + word]!;
      reached |= spikes[(inputY * g.inputWidth + inputX) * perPixel + word]! & mask;
    }
  }
  return reached;
}

/** Which numbers of an image `[C, H, W]` are not zero, packed as spikes are. */
export function activeInputs(image: Float32Array, channels: number, positions: number): Uint32Array {
  const perPixel = spikeWords(channels);
  const active = new Uint32Array(positions * perPixel);
  for (let channel = 0; channel < channels; channel++)
    for (let position = 0; position < positions; position++)
      if (image[channel * positions + position] !== 0)
        active[position * perPixel + (channel >> 5)]! |= 1 << (channel & 31);
  return active;
}

/** All inputs of a layer as active. */
export function allActive(geometry: ConvolutionGeometry): Uint32Array {
  const { inputChannels: channels, inputHeight, inputWidth } = geometry;
  const perPixel = spikeWords(channels);
  const rest = channels & 31;
  return new Uint32Array(inputHeight * inputWidth * perPixel).map((_, word) =>
    word % perPixel === perPixel - 1 && rest !== 0 ? (1 << rest) - 1 : 0xffffffff,
  );
}
