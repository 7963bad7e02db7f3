/**
 * Convolution on real numbers as a matrix product: four positions times eight output channels at once, eight
 * accumulators (6×8 spills). The inputs of a block of positions are first copied, of kernels larger than 1×1 as patches, and four positions interleaved, so that one address serves
 * all four in the loop over them: with an address for each, V8 spends more instructions on addresses than on products. Spikes are written out as zeros and ones on the way: what an
 * engine that knows no spikes does, kept so that the difference can be shown.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { claimStart, isPrepared, shareStart } from './threads';
import { interleaveFours, loadLanes, multiplyAdd, storeLanes } from './vectors';

const panelBytes: u32 = Width.panel * 4;
const tile: u32 = Width.tile;
const numberBytesOfTile: u32 = tile * 4;

/** A row of the stem's kernel is 84 bytes: too few for `memory.copy`, which is a call out of wasm. */
// @ts-ignore: decorator
@inline
function copyNumbers(target: usize, source: usize, byteLength: usize): void {
  let at: usize = 0;
  for (; at + 16 <= byteLength; at += 16) v128.store(target + at, v128.load(source + at));
  for (; at < byteLength; at += 4) store<u32>(target + at, load<u32>(source + at));
}

/** One pixel of packed spikes as `channels` numbers, 0 or 1, four at a time. */
function expandSpikes(target: usize, source: usize, channels: u32): void {
  const lanes = i32x4(1, 2, 4, 8);
  const one = f32x4.splat(1);
  const none = i32x4.splat(0);
  for (let channel: u32 = 0; channel < channels; channel += 4) {
    const bits = load<u32>(source + ((channel >>> 5) << 2)) >>> (channel & 31);
    const fires = i32x4.ne(v128.and(i32x4.splat(bits), lanes), none);
    storeLanes(target + channel * 4, v128.and(fires, one), min<u32>(4, channels - channel));
  }
}

/** Copies the patches under positions [first, last) into rows of kernelHeight · kernelWidth · inputChannels numbers. */
function copyPatches(instruction: usize, target: usize, first: u32, last: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const strideWidth = load<u32>(instruction + Word.strideWidth * 4);
  const paddingHeight = load<u32>(instruction + Word.paddingHeight * 4);
  const paddingWidth = load<u32>(instruction + Word.paddingWidth * 4);
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const spikes = load<u32>(instruction + Word.spikes * 4) != 0;
  const pixelBytes: usize = inputChannels * 4;
  const sourceBytes: usize = spikes ? ((inputChannels + 31) >>> 5) * 4 : pixelBytes;
  for (let position = first; position < last; position++) {
    const x = position % outputWidth;
    const y = (position / outputWidth) % outputHeight;
    const image = position / outputWidth / outputHeight;
    const left = <i32>(x * strideWidth) - <i32>paddingWidth;
    // The kernel's columns [from, to) lie inside the image; to ≥ from even when none does.
    const from = <u32>min<i32>(kernelWidth, max<i32>(0, -left));
    const to = <u32>max<i32>(from, min<i32>(kernelWidth, <i32>inputWidth - left));
    for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
      const row = <u32>(<i32>(y * strideHeight + tapY) - <i32>paddingHeight);
      const inside = row < inputHeight && from != to;
      if (!inside || from != 0 || to != kernelWidth) memory.fill(target, 0, kernelWidth * pixelBytes);
      if (inside) {
        const source = input + ((image * inputHeight + row) * inputWidth + <u32>(left + <i32>from)) * sourceBytes;
        if (!spikes) copyNumbers(target + from * pixelBytes, source, (to - from) * pixelBytes);
        else
          for (let tapX = from; tapX < to; tapX++)
            expandSpikes(target + tapX * pixelBytes, source + (tapX - from) * sourceBytes, inputChannels);
      }
      target += kernelWidth * pixelBytes;
    }
  }
}

/** Of the output, in all images. */
export function positionsOf(instruction: usize): u32 {
  return (
    load<u32>(instruction + Word.images * 4) *
    load<u32>(instruction + Word.outputHeight * 4) *
    load<u32>(instruction + Word.outputWidth * 4)
  );
}

/** Adds the residual where there is one and stores up to eight channels of one position. */
// @ts-ignore: decorator
@inline
export function finish(low: v128, high: v128, output: usize, residual: usize, channels: u32): void {
  if (residual != 0) {
    low = f32x4.add(low, loadLanes(residual, channels));
    if (channels > 4) high = f32x4.add(high, loadLanes(residual + 16, channels - 4));
  }
  storeLanes(output, low, channels);
  if (channels > 4) storeLanes(output + 16, high, channels - 4);
}

/** Writes a number of each of four rows, then the next of each. */
function interleave(target: usize, row0: usize, row1: usize, row2: usize, row3: usize, rowBytes: usize): void {
  const whole = rowBytes & ~15;
  for (let at: usize = 0; at < whole; at += 16) {
    interleaveFours(target, v128.load(row0 + at), v128.load(row1 + at), v128.load(row2 + at), v128.load(row3 + at));
    target += 64;
  }
  for (let at = whole; at < rowBytes; at += 4) {
    store<u32>(target, load<u32>(row0 + at));
    store<u32>(target, load<u32>(row1 + at), 4);
    store<u32>(target, load<u32>(row2 + at), 8);
    store<u32>(target, load<u32>(row3 + at), 12);
    target += 16;
  }
}

/** Brings the rows of positions [first, last) to `target`, interleaved by fours; where the last tile has fewer rows, its last stands for the others. `room` is for four rows. */
function fillTiles(instruction: usize, target: usize, rowBytes: usize, inPlace: bool, room: usize, first: u32, last: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  for (let position = first; position < last; position += tile) {
    const count = min<u32>(tile, last - position);
    if (!inPlace) copyPatches(instruction, room, position, position + count);
    const row0 = inPlace ? input + position * rowBytes : room;
    const row1 = count > 1 ? row0 + rowBytes : row0;
    const row2 = count > 2 ? row1 + rowBytes : row1;
    const row3 = count > 3 ? row2 + rowBytes : row2;
    interleave(target, row0, row1, row2, row3, rowBytes);
    target += rowBytes * tile;
  }
}

/** The four interleaved rows of a tile times one panel. */
// @ts-ignore: decorator
@inline
function multiply4(
  rows: usize, rowBytes: usize, panel: usize, bias: usize, output: usize, outputStride: usize,
  residual0: usize, residual1: usize, residual2: usize, residual3: usize, channels: u32,
): void {
  const biasLow = v128.load(bias);
  const biasHigh = v128.load(bias, 16);
  let low0 = biasLow;
  let low1 = biasLow;
  let low2 = biasLow;
  let low3 = biasLow;
  let high0 = biasHigh;
  let high1 = biasHigh;
  let high2 = biasHigh;
  let high3 = biasHigh;
  const end = rows + rowBytes * tile;
  while (rows < end) {
    const weightLow = v128.load(panel);
    const weightHigh = v128.load(panel, 16);
    const x0 = v128.load_splat<u32>(rows);
    low0 = multiplyAdd(x0, weightLow, low0);
    high0 = multiplyAdd(x0, weightHigh, high0);
    const x1 = v128.load_splat<u32>(rows, 4);
    low1 = multiplyAdd(x1, weightLow, low1);
    high1 = multiplyAdd(x1, weightHigh, high1);
    const x2 = v128.load_splat<u32>(rows, 8);
    low2 = multiplyAdd(x2, weightLow, low2);
    high2 = multiplyAdd(x2, weightHigh, high2);
    const x3 = v128.load_splat<u32>(rows, 12);
    low3 = multiplyAdd(x3, weightLow, low3);
    high3 = multiplyAdd(x3, weightHigh, high3);
    panel += panelBytes;
    rows += numberBytesOfTile;
  }
  finish(low0, high0, output, residual0, channels);
  finish(low1, high1, output + outputStride, residual1, channels);
  finish(low2, high2, output + outputStride * 2, residual2, channels);
  finish(low3, high3, output + outputStride * 3, residual3, channels);
}

/** One row of a tile, which begins at `row`. */
// @ts-ignore: decorator
@inline
function multiply1(row: usize, rowBytes: usize, panel: usize, bias: usize, output: usize, residual: usize, channels: u32): void {
  let low = v128.load(bias);
  let high = v128.load(bias, 16);
  const end = row + rowBytes * tile;
  for (; row < end; row += numberBytesOfTile) {
    const x = v128.load_splat<u32>(row);
    low = multiplyAdd(x, v128.load(panel), low);
    high = multiplyAdd(x, v128.load(panel, 16), high);
    panel += panelBytes;
  }
  finish(low, high, output, residual, channels);
}

/** One panel of output channels for a block of positions whose tiles lie at `rows`. */
function multiplyPanel(instruction: usize, rows: usize, rowBytes: usize, panelIndex: u32, first: u32, last: u32): void {
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const residual: usize = load<u32>(instruction + Word.residual * 4);
  const residualPositions = load<u32>(instruction + Word.residualPositions * 4);
  const stride: usize = outputChannels * 4;
  const firstChannel = panelIndex * Width.panel;
  const channels = min<u32>(Width.panel, outputChannels - firstChannel);
  const panel = <usize>load<u32>(instruction + Word.weights * 4) + panelIndex * rowBytes * Width.panel;
  const bias: usize = load<u32>(instruction + Word.bias * 4) + firstChannel * 4;
  const output: usize = load<u32>(instruction + Word.output * 4) + firstChannel * 4;
  const other = residual + firstChannel * 4;
  let position = first;
  for (; position + 4 <= last; position += 4) {
    let residual0: usize = 0;
    let residual1: usize = 0;
    let residual2: usize = 0;
    let residual3: usize = 0;
    if (residual != 0) {
      residual0 = other + (position % residualPositions) * stride;
      residual1 = other + ((position + 1) % residualPositions) * stride;
      residual2 = other + ((position + 2) % residualPositions) * stride;
      residual3 = other + ((position + 3) % residualPositions) * stride;
    }
    multiply4(
      rows + (position - first) * rowBytes, rowBytes, panel, bias, output + position * stride, stride,
      residual0, residual1, residual2, residual3, channels,
    );
  }
  const left = rows + (position - first) * rowBytes;
  for (let row: u32 = 0; position < last; row++, position++) {
    const residual0 = residual != 0 ? other + (position % residualPositions) * stride : 0;
    multiply1(left + row * 4, rowBytes, panel, bias, output + position * stride, residual0, channels);
  }
}

/** Tasks are (block of positions, panel of channels), blocks outermost; blocks are whole tiles but for the end of the last. Scratch: the tiles of one block, then room for four rows. */
export function denseConvolution(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const positions = positionsOf(instruction);
  const taps = load<u32>(instruction + Word.kernelHeight * 4) * load<u32>(instruction + Word.kernelWidth * 4);
  const rowBytes: usize = taps * load<u32>(instruction + Word.inputChannels * 4) * 4;
  const inPlace =
    taps == 1 &&
    load<u32>(instruction + Word.spikes * 4) == 0 &&
    load<u32>(instruction + Word.strideHeight * 4) == 1 &&
    load<u32>(instruction + Word.strideWidth * 4) == 1 &&
    load<u32>(instruction + Word.paddingHeight * 4) == 0 &&
    load<u32>(instruction + Word.paddingWidth * 4) == 0;
  const blocks = load<u32>(instruction + Word.blocks * 4);
  const tiles = (positions + tile - 1) / tile;
  const panels = (load<u32>(instruction + Word.outputChannels * 4) + Width.panel - 1) / Width.panel;
  const end = claimStart(blocks * panels, until);
  let task = claimStart(blocks * panels, from);
  while (task < end) {
    const block = task / panels;
    const firstTile = shareStart(tiles, block, blocks);
    const endTile = shareStart(tiles, block + 1, blocks);
    const first = firstTile * tile;
    const last = min<u32>(positions, endTile * tile);
    if (!isPrepared(scratch, block)) fillTiles(instruction, scratch, rowBytes, inPlace, scratch + (endTile - firstTile) * tile * rowBytes, first, last);
    const blockEnd = min<u32>(end, (block + 1) * panels);
    for (; task < blockEnd; task++) multiplyPanel(instruction, scratch, rowBytes, task - block * panels, first, last);
  }
}
