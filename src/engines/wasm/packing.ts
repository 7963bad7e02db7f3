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

/** How the rows of a spike-fed convolution are written: six registers of float32, or four of bytes. */
export interface RowFormat {
  /** Output channels of a chunk. */
  readonly chunk: number;
  /** Numbers in a register. */
  readonly lanes: number;
  readonly bytesPerNumber: number;
}

export const floatRows: RowFormat = { chunk: Width.chunk, lanes: 4, bytesPerNumber: 4 };
export const byteRows: RowFormat = { chunk: Width.byteChunk, lanes: 16, bytesPerNumber: 1 };
/** Added to the lower byte of every lane of a row of bytes. */
const byteExcess = 128;

/** Numbers in one row of a chunk: all of a chunk's, or what a layer with fewer output channels needs. */
export function rowWidth(outputChannels: number, format = floatRows): number {
  return Math.min(format.chunk, roundUp(outputChannels, format.lanes));
}

function tapsOf(geometry: ConvolutionGeometry): number {
  return geometry.kernelHeight * geometry.kernelWidth;
}

function chunksOf(geometry: ConvolutionGeometry, format: RowFormat): number {
  return Math.ceil(geometry.outputChannels / format.chunk);
}

/** Rows of one tap of one chunk: the weights of each input channel, then 11 sums for every four of them. */
function tapRows(geometry: ConvolutionGeometry, tables: boolean): number {
  const { inputChannels } = geometry;
  return inputChannels + (tables ? Math.ceil(inputChannels / 4) * patterns : 0);
}

/** Bytes of one tap of one chunk of output channels in the spike-fed convolution. */
export function tapBytes(geometry: ConvolutionGeometry, tables: boolean, format = floatRows): number {
  return tapRows(geometry, tables) * rowWidth(geometry.outputChannels, format) * format.bytesPerNumber;
}

/** Numbers of all chunks. */
export function spikeRowsLength(geometry: ConvolutionGeometry, tables: boolean, format = floatRows): number {
  const numbers = tapRows(geometry, tables) * rowWidth(geometry.outputChannels, format);
  return chunksOf(geometry, format) * tapsOf(geometry) * numbers;
}

/**
 * Per chunk of output channels and tap: `[inputChannel][chunk]`, output channels beyond the last being zero; then, with
 * tables, `[four input channels][pattern 3, 5, 6, 7, 9…15][chunk]`: the sums of the rows that a pattern selects.
 */
export function packSpikeRows(
  target: Float32Array,
  weight: Float32Array,
  geometry: ConvolutionGeometry,
  tables: boolean,
): void {
  const { outputChannels } = geometry;
  const width = rowWidth(outputChannels);
  const length = tapRows(geometry, tables) * width;
  let start = 0;
  for (let firstOutput = 0; firstOutput < outputChannels; firstOutput += floatRows.chunk) {
    for (let tap = 0; tap < tapsOf(geometry); tap++) {
      const part = target.subarray(start, start + length);
      part.fill(0);
      fillRows(part, weight, geometry, firstOutput, tap, width);
      if (tables) fillTables(part, geometry.inputChannels, width, 0);
      start += length;
    }
  }
}

function fillRows(
  part: Float32Array,
  weight: Float32Array,
  geometry: ConvolutionGeometry,
  firstOutput: number,
  tap: number,
  width: number,
): void {
  const { inputChannels, outputChannels } = geometry;
  const taps = tapsOf(geometry);
  const lanes = Math.min(width, outputChannels - firstOutput);
  for (let lane = 0; lane < lanes; lane++) {
    let source = (firstOutput + lane) * inputChannels * taps + tap;
    for (let input = 0; input < inputChannels; input++) {
      part[input * width + lane] = weight[source]!;
      source += taps;
    }
  }
}

/**
 * As `packSpikeRows`, in bytes: of every sixteen output channels the first eight in the lower bytes of 16-bit lanes, 128 added, and the other eight in the upper
 * bytes, signed (`kernels/spikeByteRows.ts`). Channels beyond the last are zero weights. With tables the sums of four neighbouring weights must be within ±127.
 */
export function packByteRows(
  target: Uint8Array,
  weight: Int8Array,
  geometry: ConvolutionGeometry,
  tables: boolean,
): void {
  const { inputChannels, outputChannels } = geometry;
  const taps = tapsOf(geometry);
  const width = rowWidth(outputChannels, byteRows);
  const length = tapRows(geometry, tables) * width;
  // Even bytes are the lower ones: wasm is little-endian.
  for (let at = 0; at < target.length; at += 2) {
    target[at] = byteExcess;
    target[at + 1] = 0;
  }
  for (let output = 0; output < outputChannels; output++) {
    const chunk = Math.floor(output / byteRows.chunk);
    const lane = output % 16;
    const place = (output % byteRows.chunk) - lane + 2 * (lane % 8) + (lane < 8 ? 0 : 1);
    const excess = lane < 8 ? byteExcess : 0;
    for (let tap = 0; tap < taps; tap++) {
      const start = (chunk * taps + tap) * length + place;
      for (let input = 0; input < inputChannels; input++) {
        // Wraps to a byte where it is negative.
        target[start + input * width] = weight[(output * inputChannels + input) * taps + tap]! + excess;
      }
    }
  }
  if (!tables) return;
  for (let start = 0; start < target.length; start += length)
    fillTables(target.subarray(start, start + length), inputChannels, width, byteExcess);
}

/** Makes each sum from that of the pattern without its highest spike, plus that spike's row. What stands in every even number beside the weight, `excess`, is there once. */
function fillTables(part: Float32Array | Uint8Array, inputChannels: number, width: number, excess: number): void {
  // Where each pattern's row starts; patterns with channels beyond the last are never looked up and stay zero.
  const starts = new Int32Array(16);
  let at = inputChannels * width;
  for (let first = 0; first < inputChannels; first += 4) {
    const present = Math.min(4, inputChannels - first);
    for (let pattern = 1; pattern < 16; pattern++) {
      const highest = 31 - Math.clz32(pattern);
      const single = (first + highest) * width;
      const others = pattern & ~(1 << highest);
      starts[pattern] = others === 0 ? single : at;
      if (others === 0) continue;
      const sum = starts[others]!;
      if (highest < present) {
        for (let lane = 0; lane < width; lane += 2) {
          part[at + lane] = part[sum + lane]! + part[single + lane]! - excess;
          part[at + lane + 1] = part[sum + lane + 1]! + part[single + lane + 1]!;
        }
      }
      at += width;
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

/** Input channels of a row or panel of the convolution in integers: a register holds eight. */
export function integerRowLength({ inputChannels }: ConvolutionGeometry): number {
  return roundUp(inputChannels, 8);
}

export function integerPanelsLength(geometry: ConvolutionGeometry): number {
  return roundUp(geometry.outputChannels, Width.panel) * integerRowLength(geometry);
}

/** `[panel][two input channels][8][2]`, of a 1×1 kernel; channels beyond the last are zero. */
export function packIntegerPanels(target: Int16Array, weight: Int16Array, geometry: ConvolutionGeometry): void {
  const { inputChannels, outputChannels } = geometry;
  const rowLength = integerRowLength(geometry);
  target.fill(0);
  for (let output = 0; output < outputChannels; output++) {
    const lane = output % Width.panel;
    const panel = (output - lane) * rowLength + 2 * lane;
    for (let input = 0; input < inputChannels; input++) {
      const pair = input >> 1;
      target[panel + pair * 2 * Width.panel + (input & 1)] = weight[output * inputChannels + input]!;
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
