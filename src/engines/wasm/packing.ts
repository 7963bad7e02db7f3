/**
 * Weights in the order in which the kernels read them. Every function takes weights as PyTorch stores them,
 * `[outputChannels, inputChannels / groups, kernelHeight, kernelWidth]`, and fills a piece of wasm memory.
 */
import type { ConvolutionGeometry } from '../kernels.js';
import { Width } from './instructionSet.js';

/** Patterns of four spikes that are not silent. */
const patterns = 15;

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

/** Rows of one chunk, `perTap` for each tap. */
function chunkRows(geometry: ConvolutionGeometry, perTap: number): number {
  return tapsOf(geometry) * perTap;
}

function chunksOf(geometry: ConvolutionGeometry): number {
  return Math.ceil(geometry.outputChannels / Width.chunk);
}

/** Rows that one tap occupies when the rows are the weights themselves. */
export function spikeRowsPerTap(geometry: ConvolutionGeometry): number {
  return geometry.inputChannels;
}

/** Rows that one tap occupies in tables: 15 for every four input channels. */
export function tableRowsPerTap(geometry: ConvolutionGeometry): number {
  return Math.ceil(geometry.inputChannels / 4) * patterns;
}

export function spikeRowsLength(geometry: ConvolutionGeometry): number {
  return chunksOf(geometry) * chunkRows(geometry, spikeRowsPerTap(geometry)) * rowWidth(geometry.outputChannels);
}

export function tablesLength(geometry: ConvolutionGeometry): number {
  return chunksOf(geometry) * chunkRows(geometry, tableRowsPerTap(geometry)) * rowWidth(geometry.outputChannels);
}

/** `[chunk][tap][inputChannel][24]`; output channels beyond the last are zero. */
export function packSpikeRows(target: Float32Array, weight: Float32Array, geometry: ConvolutionGeometry): void {
  const { inputChannels, outputChannels } = geometry;
  const width = rowWidth(outputChannels);
  const taps = tapsOf(geometry);
  target.fill(0);
  for (let output = 0; output < outputChannels; output++) {
    const chunk = Math.floor(output / Width.chunk);
    const lane = output % Width.chunk;
    for (let input = 0; input < inputChannels; input++) {
      const source = (output * inputChannels + input) * taps;
      for (let tap = 0; tap < taps; tap++) {
        target[((chunk * taps + tap) * inputChannels + input) * width + lane] = weight[source + tap]!;
      }
    }
  }
}

/**
 * `[chunk][tap][four input channels][pattern 1…15][24]`: the sums of the rows that a pattern selects, each made from the
 * pattern without its lowest spike.
 */
export function packTables(target: Float32Array, weight: Float32Array, geometry: ConvolutionGeometry): void {
  const { inputChannels, outputChannels } = geometry;
  const width = rowWidth(outputChannels);
  const taps = tapsOf(geometry);
  const groups = Math.ceil(inputChannels / 4);
  const rows = new Float32Array(4 * width);
  let at = 0;
  for (let firstOutput = 0; firstOutput < outputChannels; firstOutput += Width.chunk) {
    const lanes = Math.min(width, outputChannels - firstOutput);
    for (let tap = 0; tap < taps; tap++) {
      for (let group = 0; group < groups; group++) {
        rows.fill(0);
        const inputs = Math.min(4, inputChannels - group * 4);
        for (let input = 0; input < inputs; input++) {
          for (let lane = 0; lane < lanes; lane++) {
            rows[input * width + lane] =
              weight[((firstOutput + lane) * inputChannels + group * 4 + input) * taps + tap]!;
          }
        }
        fillPatterns(target, at, rows, width);
        at += patterns * width;
      }
    }
  }
}

function fillPatterns(target: Float32Array, start: number, rows: Float32Array, width: number): void {
  for (let pattern = 1; pattern <= patterns; pattern++) {
    const row = start + (pattern - 1) * width;
    const lowest = (31 - Math.clz32(pattern & -pattern)) * width;
    const others = pattern & (pattern - 1);
    if (others === 0) {
      for (let lane = 0; lane < width; lane++) target[row + lane] = rows[lowest + lane]!;
    } else {
      const sum = start + (others - 1) * width;
      for (let lane = 0; lane < width; lane++) target[row + lane] = target[sum + lane]! + rows[lowest + lane]!;
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
