/**
 * The account of energy from recorded spikes, image by image in TypeScript: what the engines' counting has to equal to the unit. It shares neither classes of pixels nor
 * kernels with them.
 */

import { expect } from 'vitest';
import type { FieldTensor, Model, PackedSpikes } from '../../src/api/model.js';
import { type CountedLayer, countedLayers } from '../../src/energy/layers.js';
import { channelsByTap, weightsOf } from '../../src/energy/neuroBench.js';
import { type ConvolutionGeometry, spikeWords } from '../../src/engines/kernels.js';
import { bitCount, countSpikes } from '../../src/runtime/layout.js';

/** Windows over each row of pixels (or column). */
function windowsOver(input: number, output: number, kernel: number, stride: number, padding: number): Uint32Array {
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
function additionsOfConvolution(words: Uint32Array, geometry: ConvolutionGeometry): number {
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

interface AttentionAdditions {
  /** Coincidences of key and value: additions of 1 into Kᵀ V. */
  readonly counting: number;
  /** Rows of Kᵀ V that spikes of the query add. */
  readonly selecting: number;
}

/** Additions of both products of SDSA-3 for one image and time step; words as above, `[tokens, channels]`. */
function additionsOfAttention(
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

/** An input channel at a tap, and how many output channels have a weight of zero there. */
interface MissingConnections {
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
function effectiveOperations(
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

function missingConnectionsOf(g: ConvolutionGeometry, weights: Float32Array): readonly MissingConnections[] {
  if (!weights.includes(0)) return [];
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

/**
 * Where a depthwise convolution without bias makes something else than zero: at least one spike under a weight. (That weights of different taps cancel to
 * exactly zero is not considered.) Of channels without a zero weight that is any spike under the window, found along rows and then along columns; the few others are looked
 * at tap by tap.
 *
 * @param masks From `channelsByTap`.
 */
function reachedBySpikes(spikes: Uint32Array, geometry: ConvolutionGeometry, masks: Uint32Array): Uint32Array {
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
function activeInputs(image: Float32Array, channels: number, positions: number): Uint32Array {
  const perPixel = spikeWords(channels);
  const active = new Uint32Array(positions * perPixel);
  for (let channel = 0; channel < channels; channel++)
    for (let position = 0; position < positions; position++)
      if (image[channel * positions + position] !== 0)
        active[position * perPixel + (channel >> 5)]! |= 1 << (channel & 31);
  return active;
}

/** All inputs of a layer as active. */
function allActive(geometry: ConvolutionGeometry): Uint32Array {
  const { inputChannels: channels, inputHeight, inputWidth } = geometry;
  const perPixel = spikeWords(channels);
  const rest = channels & 31;
  return new Uint32Array(inputHeight * inputWidth * perPixel).map((_, word) =>
    word % perPixel === perPixel - 1 && rest !== 0 ? (1 << rest) - 1 : 0xffffffff,
  );
}

/** The sums that a run of the model has to count. */
export interface WordCounts {
  readonly spikes: Record<string, number[]>;
  readonly additions: Record<string, number[]>;
  readonly effectiveAcs: number;
  readonly effectiveMacs: number;
}

export function countWords(model: Model, input: FieldTensor, recorded: ReadonlyMap<string, PackedSpikes>): WordCounts {
  const { timeSteps } = model.configuration;
  const [batch, size] = [input.shape.at(-4)!, input.shape.slice(-2) as [number, number]];
  const graph = model.graph;
  const merged = countedLayers(graph, size).filter(({ spikeFed }) => spikeFed);
  const trained = countedLayers(graph, size, 'trained').filter(({ kind }) => kind !== 'attention');
  const steps = () => new Array<number>(timeSteps).fill(0);
  const spikes: Record<string, number[]> = {};
  const additions = Object.fromEntries(merged.map(({ name }) => [name, steps()]));
  let [effectiveAcs, effectiveMacs] = [0, 0];
  for (let t = 0; t < timeSteps; t++)
    for (let image = 0; image < batch; image++) {
      const wordsOf = (source: string): Uint32Array => {
        const found = recorded.get(source);
        if (!found) return gatedWords(graph.nodes.find(({ name }) => name === source)!.inputs.map(wordsOf));
        const { words } = found;
        const length = words.length / (timeSteps * batch);
        return words.subarray((t * batch + image) * length, (t * batch + image + 1) * length);
      };
      for (const name of recorded.keys()) {
        spikes[name] ??= steps();
        spikes[name][t]! += countSpikes(wordsOf(name));
      }
      for (const layer of merged) additions[layer.name]![t]! += additionsOf(layer, wordsOf);
      for (const layer of trained) {
        const found = effectiveOf(layer, trained, model, pixelsOf(input, t, image), wordsOf);
        if (layer.spikeFed) effectiveAcs += found;
        else effectiveMacs += found;
      }
    }
  return { spikes, additions, effectiveAcs, effectiveMacs };
}

type WordsOf = (source: string) => Uint32Array;

/** Words of all tokens, and a token of words that lets them through. */
function gatedWords([words, gates]: readonly Uint32Array[]): Uint32Array {
  return words!.map((word, i) => word & gates![i % gates!.length]!);
}

function additionsOf(layer: CountedLayer, wordsOf: WordsOf): number {
  if (layer.geometry) return additionsOfConvolution(wordsOf(layer.sources[0]!), layer.geometry);
  const { tokens, channels } = layer.attention!;
  const words = layer.sources.map(wordsOf);
  // SDSA-1: nothing but bits that are set in K and in V.
  if (words.length === 2) {
    expect(words[0]!.length).toBe(tokens * spikeWords(channels));
    return countSpikes(words[0]!.map((word, i) => word & words[1]![i]!));
  }
  const [query, key, value] = words as [Uint32Array, Uint32Array, Uint32Array];
  const { counting, selecting } = additionsOfAttention(query, key, value, layer.attention!);
  return counting + selecting;
}

function effectiveOf(
  layer: CountedLayer,
  trained: readonly CountedLayer[],
  model: Model,
  pixels: Float32Array,
  wordsOf: WordsOf,
): number {
  const geometry = layer.geometry!;
  const missing = missingConnectionsOf(geometry, weightsOf(layer, model.parameters)!);
  const [source] = layer.sources;
  if (layer.spikeFed) return effectiveOperations(wordsOf(source!), geometry, missing);
  if (source === undefined) {
    const active = activeInputs(pixels, geometry.inputChannels, geometry.inputHeight * geometry.inputWidth);
    return effectiveOperations(active, geometry, missing);
  }
  const before = trained.find(({ name }) => name === layer.input);
  if (!before?.spikeFed || before.geometry!.groups === 1)
    return effectiveOperations(allActive(geometry), geometry, missing);
  const masks = channelsByTap(before.geometry!, weightsOf(before, model.parameters)!);
  return effectiveOperations(reachedBySpikes(wordsOf(source), before.geometry!, masks), geometry, missing);
}

function pixelsOf({ shape, data }: FieldTensor, timeStep: number, image: number): Float32Array {
  const length = shape.slice(-3).reduce((a, b) => a * b, 1);
  const index = shape.length === 5 ? timeStep * shape.at(-4)! + image : image;
  return data.subarray(index * length, (index + 1) * length);
}
