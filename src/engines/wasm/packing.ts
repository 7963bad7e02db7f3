/**
 * Weights in the order in which the kernels read them. Every function takes weights as PyTorch stores them,
 * `[outputChannels, inputChannels / groups, kernelHeight, kernelWidth]`, and fills a piece of wasm memory.
 */
import type { ConvolutionGeometry } from '../kernels.js';
import { Width } from './instructionSet.js';

/** Patterns of four spikes with two spikes or more. */
const patterns = 11;

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** Numbers in one row of a chunk: 24, or what a layer with fewer output channels needs. */
export function rowWidth(outputChannels: number): number {
  return Math.min(Width.chunk, roundUp(outputChannels, 4));
}

function tapsOf(geometry: ConvolutionGeometry): number {
  return geometry.kernelHeight * geometry.kernelWidth;
}

function chunksOf(geometry: ConvolutionGeometry): number {
  return Math.ceil(geometry.outputChannels / Width.chunk);
}

/** Rows of one chunk that are the weights of one input channel and tap. */
function singleRows(geometry: ConvolutionGeometry): number {
  return tapsOf(geometry) * geometry.inputChannels;
}

/** Rows of one chunk that are sums: 11 for every four input channels of a tap. */
function tableRows(geometry: ConvolutionGeometry): number {
  return tapsOf(geometry) * Math.ceil(geometry.inputChannels / 4) * patterns;
}

/** Rows of one chunk of output channels in the spike-fed convolution. */
export function chunkRows(geometry: ConvolutionGeometry, tables: boolean): number {
  return singleRows(geometry) + (tables ? tableRows(geometry) : 0);
}

/** Numbers of all chunks. */
export function spikeRowsLength(geometry: ConvolutionGeometry, tables: boolean): number {
  return chunksOf(geometry) * chunkRows(geometry, tables) * rowWidth(geometry.outputChannels);
}

/**
 * Per chunk of output channels `[tap][inputChannel][24]`, output channels beyond the last being zero; then, with tables,
 * `[tap][four input channels][pattern 3, 5, 6, 7, 9…15][24]`: the sums of the rows that a pattern selects.
 */
export function packSpikeRows(
  target: Float32Array,
  weight: Float32Array,
  geometry: ConvolutionGeometry,
  tables: boolean,
): void {
  const chunkLength = chunkRows(geometry, tables) * rowWidth(geometry.outputChannels);
  for (let chunk = 0; chunk < chunksOf(geometry); chunk++) {
    const part = target.subarray(chunk * chunkLength, (chunk + 1) * chunkLength);
    fillSingles(part, weight, geometry, chunk * Width.chunk);
    if (tables) fillTables(part, geometry);
  }
}

function fillSingles(
  part: Float32Array,
  weight: Float32Array,
  geometry: ConvolutionGeometry,
  firstOutput: number,
): void {
  const { inputChannels, outputChannels } = geometry;
  const width = rowWidth(outputChannels);
  const taps = tapsOf(geometry);
  const lanes = Math.min(width, outputChannels - firstOutput);
  part.fill(0, 0, singleRows(geometry) * width);
  for (let lane = 0; lane < lanes; lane++) {
    for (let input = 0; input < inputChannels; input++) {
      const source = ((firstOutput + lane) * inputChannels + input) * taps;
      for (let tap = 0; tap < taps; tap++) {
        part[(tap * inputChannels + input) * width + lane] = weight[source + tap]!;
      }
    }
  }
}

/** Makes each sum from that of the pattern without its highest spike, plus that spike's row. */
function fillTables(part: Float32Array, geometry: ConvolutionGeometry): void {
  const { inputChannels } = geometry;
  const width = rowWidth(geometry.outputChannels);
  // Where each pattern's row starts; patterns with channels beyond the last are never looked up and stay zero.
  const starts = new Int32Array(16);
  let at = singleRows(geometry) * width;
  part.fill(0, at);
  for (let tap = 0; tap < tapsOf(geometry); tap++) {
    for (let first = 0; first < inputChannels; first += 4) {
      const present = Math.min(4, inputChannels - first);
      for (let pattern = 1; pattern < 16; pattern++) {
        const highest = 31 - Math.clz32(pattern);
        const single = (tap * inputChannels + first + highest) * width;
        const others = pattern & ~(1 << highest);
        starts[pattern] = others === 0 ? single : at;
        if (others === 0) continue;
        const sum = starts[others]!;
        if (highest < present) {
          for (let lane = 0; lane < width; lane++) part[at + lane] = part[sum + lane]! + part[single + lane]!;
        }
        at += width;
      }
    }
  }
}

export function panelsLength(geometry: ConvolutionGeometry): number {
  return roundUp(geometry.outputChannels, Width.panel) * tapsOf(geometry) * geometry.inputChannels;
}

/** `[panel][tap][inputChannel][8]`; output channels beyond the last are zero. */
export function packPanels(target: Float32Array, weight: Float32Array, geometry: ConvolutionGeometry): void {
  const { inputChannels, outputChannels } = geometry;
  const taps = tapsOf(geometry);
  target.fill(0);
  for (let output = 0; output < outputChannels; output++) {
    const panel = Math.floor(output / Width.panel) * Width.panel * taps * inputChannels + (output % Width.panel);
    for (let input = 0; input < inputChannels; input++) {
      const source = (output * inputChannels + input) * taps;
      for (let tap = 0; tap < taps; tap++) {
        target[panel + (tap * inputChannels + input) * Width.panel] = weight[source + tap]!;
      }
    }
  }
}

export function depthwiseLength(geometry: ConvolutionGeometry): number {
  return roundUp(geometry.outputChannels, Width.depthwise) * tapsOf(geometry);
}

/** `[sixteen channels][tap][16]`. */
export function packDepthwise(target: Float32Array, weight: Float32Array, geometry: ConvolutionGeometry): void {
  const taps = tapsOf(geometry);
  target.fill(0);
  for (let channel = 0; channel < geometry.outputChannels; channel++) {
    const line = Math.floor(channel / Width.depthwise) * Width.depthwise * taps + (channel % Width.depthwise);
    for (let tap = 0; tap < taps; tap++) target[line + tap * Width.depthwise] = weight[channel * taps + tap]!;
  }
}
