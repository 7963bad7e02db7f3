/**
 * A 1×1 convolution of stride 1 on real numbers in 16-bit integers: approximate, for `precision: 'i16'` only. Every position's inputs become integers of
 * a scale of its own, once per block and before the panels pass over them; weights are integers with a scale per output channel since they were packed
 * (`quantise.ts`, which also says why no sum leaves 32 bits). One instruction multiplies eight pairs and adds neighbours; with the addition that follows it
 * takes as long as a fused multiply-add of four numbers: 35 G multiply-accumulates a second and thread (AMD EPYC, Zen 3), where `denseConvolution` has 23, and 30 before the rows of a
 * tile were interleaved: with an address for each, V8 spends more instructions on addresses than on products. Two steps in one turn of the loop spill (27), and one load of
 * four pairs with shuffles is slower.
 */
import { IntegerConvolution, Width, ConvolutionWord as Word } from '../src/engines/wasm/instructionSet';
import { finish, positionsOf } from './denseConvolution';
import { claimStart, isPrepared, shareStart } from './threads';
import { interleaveFours, loadLanes, multiplyAdd } from './vectors';

const tile: u32 = Width.tile;
/** Two input channels of a panel. */
const pairBytes: u32 = Width.panel * 4;
/** The same of a tile's rows. */
const pairBytesOfTile: u32 = tile * 4;
/** Below it a reciprocal could be infinite; a position with nothing larger counts as zeros. */
const leastInput: f32 = 1e-30;
/** 1.5 · 2²³: added to a number up to 2²² it leaves the nearest integer in the low bits (to even where two are as near). */
const rounder: f32 = 12582912;
const rounderBits: i32 = 0x4b400000;

/** The largest magnitude of a row. Compared as integers, whose order is the same, so that infinity and NaN come out on top. */
function largestOf(row: usize, channels: u32): f32 {
  const magnitude = i32x4.splat(0x7fffffff);
  let largest = i32x4.splat(0);
  for (let channel: u32 = 0; channel < channels; channel += 4) {
    const values = loadLanes(row + channel * 4, channels - channel);
    largest = i32x4.max_s(largest, v128.and(values, magnitude));
  }
  const low = max<i32>(i32x4.extract_lane(largest, 0), i32x4.extract_lane(largest, 1));
  const high = max<i32>(i32x4.extract_lane(largest, 2), i32x4.extract_lane(largest, 3));
  return reinterpret<f32>(max<i32>(low, high));
}

// @ts-ignore: decorator
@inline
function nearestIntegers(values: v128, inverse: v128): v128 {
  const sum = f32x4.add(f32x4.mul(values, inverse), f32x4.splat(rounder));
  return i32x4.sub(sum, i32x4.splat(rounderBits));
}

/** Eight channels of a row as integers, the last of them zeros where fewer are left. */
// @ts-ignore: decorator
@inline
function roundEight(row: usize, inverse: v128, channels: u32): v128 {
  const low = nearestIntegers(loadLanes(row, channels), inverse);
  const high = channels > 4 ? nearestIntegers(loadLanes(row + 16, channels - 4), inverse) : i32x4.splat(0);
  return i16x8.narrow_i32x4_s(low, high);
}

/** Finds what one step of a row is worth and stores it; returns steps per unit. A row with infinity or NaN is worth as much. */
// @ts-ignore: decorator
@inline
function scaleRow(scale: usize, row: usize, channels: u32): v128 {
  const largest = largestOf(row, channels);
  store<f32>(scale, largest / <f32>IntegerConvolution.inputLevels);
  return f32x4.splat(largest > leastInput ? <f32>IntegerConvolution.inputLevels / largest : 0);
}

/** Writes the `count` rows of a tile as integers, interleaved, zeros up to whole eights of channels; where it has fewer than four, its last row stands for the others. */
function roundTile(target: usize, scales: usize, input: usize, channels: u32, count: u32): void {
  const stride: usize = channels * 4;
  const row0 = input;
  const row1 = count > 1 ? row0 + stride : row0;
  const row2 = count > 2 ? row1 + stride : row1;
  const row3 = count > 3 ? row2 + stride : row2;
  const inverse0 = scaleRow(scales, row0, channels);
  const inverse1 = scaleRow(scales + 4, row1, channels);
  const inverse2 = scaleRow(scales + 8, row2, channels);
  const inverse3 = scaleRow(scales + 12, row3, channels);
  const whole = channels & ~7;
  for (let channel: usize = 0; channel < whole; channel += 8) {
    const at = channel * 4;
    interleaveFours(
      target, roundEight(row0 + at, inverse0, 8), roundEight(row1 + at, inverse1, 8), roundEight(row2 + at, inverse2, 8), roundEight(row3 + at, inverse3, 8),
    );
    target += 64;
  }
  const rest = channels - whole;
  if (rest != 0) {
    const at: usize = whole * 4;
    interleaveFours(
      target, roundEight(row0 + at, inverse0, rest), roundEight(row1 + at, inverse1, rest), roundEight(row2 + at, inverse2, rest), roundEight(row3 + at, inverse3, rest),
    );
  }
}

/** Sums of one position back as numbers, plus bias and residual. */
// @ts-ignore: decorator
@inline
function finishSums(low: v128, high: v128, scale: usize, scales: usize, bias: usize, output: usize, residual: usize, channels: u32): void {
  const position = v128.load_splat<u32>(scale);
  finish(
    multiplyAdd(f32x4.convert_i32x4_s(low), f32x4.mul(position, v128.load(scales)), v128.load(bias)),
    multiplyAdd(f32x4.convert_i32x4_s(high), f32x4.mul(position, v128.load(scales, 16)), v128.load(bias, 16)),
    output, residual, channels,
  );
}

/** Four rows times one panel; the first `count` results are kept. */
// @ts-ignore: decorator
@inline
function multiplyTile(
  rows: usize, rowBytes: usize, rowScales: usize, panel: usize, scales: usize, bias: usize, output: usize, stride: usize,
  residual: usize, position: u32, residualPositions: u32, channels: u32, count: u32,
): void {
  let low0 = i32x4.splat(0);
  let low1 = low0;
  let low2 = low0;
  let low3 = low0;
  let high0 = low0;
  let high1 = low0;
  let high2 = low0;
  let high3 = low0;
  const end = rows + rowBytes * tile;
  while (rows < end) {
    const weightLow = v128.load(panel);
    const weightHigh = v128.load(panel, 16);
    const x0 = v128.load_splat<u32>(rows);
    low0 = i32x4.add(low0, i32x4.dot_i16x8_s(x0, weightLow));
    high0 = i32x4.add(high0, i32x4.dot_i16x8_s(x0, weightHigh));
    const x1 = v128.load_splat<u32>(rows, 4);
    low1 = i32x4.add(low1, i32x4.dot_i16x8_s(x1, weightLow));
    high1 = i32x4.add(high1, i32x4.dot_i16x8_s(x1, weightHigh));
    const x2 = v128.load_splat<u32>(rows, 8);
    low2 = i32x4.add(low2, i32x4.dot_i16x8_s(x2, weightLow));
    high2 = i32x4.add(high2, i32x4.dot_i16x8_s(x2, weightHigh));
    const x3 = v128.load_splat<u32>(rows, 12);
    low3 = i32x4.add(low3, i32x4.dot_i16x8_s(x3, weightLow));
    high3 = i32x4.add(high3, i32x4.dot_i16x8_s(x3, weightHigh));
    panel += pairBytes;
    rows += pairBytesOfTile;
  }
  const has = residual != 0;
  const at0 = has ? residual + (position % residualPositions) * stride : 0;
  finishSums(low0, high0, rowScales, scales, bias, output, at0, channels);
  if (count < 2) return;
  const at1 = has ? residual + ((position + 1) % residualPositions) * stride : 0;
  finishSums(low1, high1, rowScales + 4, scales, bias, output + stride, at1, channels);
  if (count < 3) return;
  const at2 = has ? residual + ((position + 2) % residualPositions) * stride : 0;
  finishSums(low2, high2, rowScales + 8, scales, bias, output + stride * 2, at2, channels);
  if (count < 4) return;
  const at3 = has ? residual + ((position + 3) % residualPositions) * stride : 0;
  finishSums(low3, high3, rowScales + 12, scales, bias, output + stride * 3, at3, channels);
}

/** One panel of output channels for positions [first, last), whose integers lie at `rows` and whose scales lie at `rowScales`. */
function multiplyPanel(instruction: usize, rows: usize, rowScales: usize, rowBytes: usize, panelIndex: u32, first: u32, last: u32): void {
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const residualPositions = load<u32>(instruction + Word.residualPositions * 4);
  const stride: usize = outputChannels * 4;
  const firstChannel = panelIndex * Width.panel;
  const channels = min<u32>(Width.panel, outputChannels - firstChannel);
  const panel = <usize>load<u32>(instruction + Word.weights * 4) + panelIndex * rowBytes * Width.panel;
  const scales: usize = load<u32>(instruction + Word.scales * 4) + firstChannel * 4;
  const bias: usize = load<u32>(instruction + Word.bias * 4) + firstChannel * 4;
  const output: usize = load<u32>(instruction + Word.output * 4) + firstChannel * 4;
  let residual: usize = load<u32>(instruction + Word.residual * 4);
  if (residual != 0) residual += firstChannel * 4;
  for (let position = first; position < last; position += tile) {
    multiplyTile(
      rows + (position - first) * rowBytes, rowBytes, rowScales + (position - first) * 4, panel, scales, bias,
      output + position * stride, stride, residual, position, residualPositions, channels, min<u32>(tile, last - position),
    );
  }
}

/**
 * Tasks are (block of positions, panel of channels), blocks outermost; blocks are whole tiles but for the end of the last. Scratch: the integers of a
 * block's positions, then their scales. Where a block is shared both threads round it, which costs about as much as two panels.
 */
export function integerConvolution(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const positions = positionsOf(instruction);
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const input: usize = load<u32>(instruction + Word.input * 4);
  const rowBytes: usize = ((inputChannels + 7) & ~7) * 2;
  const tiles = (positions + tile - 1) / tile;
  const blocks = load<u32>(instruction + Word.blocks * 4);
  const panels = (load<u32>(instruction + Word.outputChannels * 4) + Width.panel - 1) / Width.panel;
  const end = claimStart(blocks * panels, until);
  let task = claimStart(blocks * panels, from);
  while (task < end) {
    const block = task / panels;
    const firstTile = shareStart(tiles, block, blocks);
    const endTile = shareStart(tiles, block + 1, blocks);
    const first = firstTile * tile;
    const last = min<u32>(positions, endTile * tile);
    const rowScales = scratch + (endTile - firstTile) * tile * rowBytes;
    if (!isPrepared(scratch, block)) {
      for (let position = first; position < last; position += tile) {
        const row = input + <usize>position * inputChannels * 4;
        roundTile(scratch + (position - first) * rowBytes, rowScales + (position - first) * 4, row, inputChannels, min<u32>(tile, last - position));
      }
    }
    const blockEnd = min<u32>(end, (block + 1) * panels);
    for (; task < blockEnd; task++) multiplyPanel(instruction, scratch, rowScales, rowBytes, task - block * panels, first, last);
  }
}
