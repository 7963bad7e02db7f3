/**
 * The second pass of the convolution on spikes for weights of eight bits and sums of sixteen (precision i16). A row of 64 output channels is one cache line:
 * in each 16-bit lane two weights, that of channel j + 8 in the upper byte, signed, and that of channel j in the lower, 128 added so that it is never
 * negative. Two additions per register serve sixteen channels: of the lanes as they are, and of their upper bytes (shifted down). A sum of n lanes
 * as they are, modulo 2¹⁶, is 256 · U + L, with U the sum of the upper bytes and L that of the lower; so L = sum − 256 · U, modulo 2¹⁶, which is L itself
 * as long as L < 2¹⁶. Of L, 128 · n is the bias.
 *
 * No pattern of spikes overflows: after at most 255 rows |U| ≤ 127 · 255 < 2¹⁵, 0 ≤ L ≤ 255 · 255 < 2¹⁶, and |L − 128 · n| ≤ 128 · 255 < 2¹⁵; then the sums are widened into
 * float32 and begin again. Measured, one thread (AMD EPYC, Zen 3), additions in the cache: 37 to 44 G a second, where rows of 16-bit weights have 24: there are half as many
 * loads, and loads are what limits both.
 *
 * Rows of tables are sums of up to four weights that are within ±127 themselves, and have the bias of 128 once: for the sums a row is a row.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { leastPositionsToTouch, touchSegment } from './spikeRows';
import { loadLanes, neverAt, storeLanes } from './vectors';

/** Entries of 255 rows in a list. */
const mostBytes: usize = 255 * 4;
/** Where, in a thread's lookup tables, sums of one position wait that have been widened (256 bytes). */
const resting: usize = 640;

/** 128 for each of a list's rows: `bytes` are those of its entries. */
// @ts-ignore: decorator
@inline
function excessOf(bytes: usize): v128 {
  return i16x8.splat(<i16>(bytes << 5));
}

/** Sums of sixteen channels, as they come from one register of rows, in float32 and scaled; `at` picks four of them. */
// @ts-ignore: decorator
@inline
function scaledSums(raw: v128, upper: v128, excess: v128, scales: usize, at: u32): v128 {
  const sums = at < 2 ? i16x8.sub(i16x8.sub(raw, i16x8.shl(upper, 8)), excess) : upper;
  const wide = (at & 1) == 0 ? i32x4.extend_low_i16x8_s(sums) : i32x4.extend_high_i16x8_s(sums);
  return f32x4.mul(f32x4.convert_i32x4_s(wide), v128.load(scales + at * 16));
}

/** target = source + sums · scale, sixteen channels. */
// @ts-ignore: decorator
@inline
function widen(raw: v128, upper: v128, excess: v128, source: usize, scales: usize, target: usize): void {
  const sum0 = f32x4.add(v128.load(source), scaledSums(raw, upper, excess, scales, 0));
  const sum1 = f32x4.add(v128.load(source, 16), scaledSums(raw, upper, excess, scales, 1));
  const sum2 = f32x4.add(v128.load(source, 32), scaledSums(raw, upper, excess, scales, 2));
  const sum3 = f32x4.add(v128.load(source, 48), scaledSums(raw, upper, excess, scales, 3));
  v128.store(target, sum0);
  v128.store(target, sum1, 16);
  v128.store(target, sum2, 32);
  v128.store(target, sum3, 48);
}

/** As `widen`, and another addend. */
// @ts-ignore: decorator
@inline
function widenWith(raw: v128, upper: v128, excess: v128, source: usize, scales: usize, other: usize, target: usize): void {
  const sum0 = f32x4.add(v128.load(source), scaledSums(raw, upper, excess, scales, 0));
  const sum1 = f32x4.add(v128.load(source, 16), scaledSums(raw, upper, excess, scales, 1));
  const sum2 = f32x4.add(v128.load(source, 32), scaledSums(raw, upper, excess, scales, 2));
  const sum3 = f32x4.add(v128.load(source, 48), scaledSums(raw, upper, excess, scales, 3));
  v128.store(target, f32x4.add(sum0, v128.load(other)));
  v128.store(target, f32x4.add(sum1, v128.load(other, 16)), 16);
  v128.store(target, f32x4.add(sum2, v128.load(other, 32)), 32);
  v128.store(target, f32x4.add(sum3, v128.load(other, 48)), 48);
}

/** As `sumRows6` and its like, for as many registers of sixteen channels. The widest takes four rows a turn: V8 looks in every turn whether it should stop. */
function sumBytes4(
  table: usize, starts: usize, startStride: usize, count: u32, initial: usize, initialStride: usize, output: usize, outputStride: usize,
  residual: usize, residualAt: u32, residualPositions: u32, scales: usize, resting: usize,
): void {
  for (let position: u32 = 0; position < count; position++) {
    let source = initial;
    let entry: usize = load<u32>(starts);
    const end: usize = load<u32>(starts, 4);
    while (true) {
      const stop = min<usize>(end, entry + mostBytes);
      const excess = excessOf(stop - entry);
      let raw0 = i16x8.splat(0);
      let upper0 = i16x8.splat(0);
      let raw1 = i16x8.splat(0);
      let upper1 = i16x8.splat(0);
      let raw2 = i16x8.splat(0);
      let upper2 = i16x8.splat(0);
      let raw3 = i16x8.splat(0);
      let upper3 = i16x8.splat(0);
      for (; entry + 12 < stop; entry += 16) {
        {
          const row = table + load<u32>(entry);
          const pair0 = v128.load(row);
          raw0 = i16x8.add(raw0, pair0);
          upper0 = i16x8.add(upper0, i16x8.shr_s(pair0, 8));
          const pair1 = v128.load(row, 16);
          raw1 = i16x8.add(raw1, pair1);
          upper1 = i16x8.add(upper1, i16x8.shr_s(pair1, 8));
          const pair2 = v128.load(row, 32);
          raw2 = i16x8.add(raw2, pair2);
          upper2 = i16x8.add(upper2, i16x8.shr_s(pair2, 8));
          const pair3 = v128.load(row, 48);
          raw3 = i16x8.add(raw3, pair3);
          upper3 = i16x8.add(upper3, i16x8.shr_s(pair3, 8));
          if (neverAt(row)) break;
        }
        {
          const row = table + load<u32>(entry, 4);
          const pair0 = v128.load(row);
          raw0 = i16x8.add(raw0, pair0);
          upper0 = i16x8.add(upper0, i16x8.shr_s(pair0, 8));
          const pair1 = v128.load(row, 16);
          raw1 = i16x8.add(raw1, pair1);
          upper1 = i16x8.add(upper1, i16x8.shr_s(pair1, 8));
          const pair2 = v128.load(row, 32);
          raw2 = i16x8.add(raw2, pair2);
          upper2 = i16x8.add(upper2, i16x8.shr_s(pair2, 8));
          const pair3 = v128.load(row, 48);
          raw3 = i16x8.add(raw3, pair3);
          upper3 = i16x8.add(upper3, i16x8.shr_s(pair3, 8));
          if (neverAt(row)) break;
        }
        {
          const row = table + load<u32>(entry, 8);
          const pair0 = v128.load(row);
          raw0 = i16x8.add(raw0, pair0);
          upper0 = i16x8.add(upper0, i16x8.shr_s(pair0, 8));
          const pair1 = v128.load(row, 16);
          raw1 = i16x8.add(raw1, pair1);
          upper1 = i16x8.add(upper1, i16x8.shr_s(pair1, 8));
          const pair2 = v128.load(row, 32);
          raw2 = i16x8.add(raw2, pair2);
          upper2 = i16x8.add(upper2, i16x8.shr_s(pair2, 8));
          const pair3 = v128.load(row, 48);
          raw3 = i16x8.add(raw3, pair3);
          upper3 = i16x8.add(upper3, i16x8.shr_s(pair3, 8));
          if (neverAt(row)) break;
        }
        {
          const row = table + load<u32>(entry, 12);
          const pair0 = v128.load(row);
          raw0 = i16x8.add(raw0, pair0);
          upper0 = i16x8.add(upper0, i16x8.shr_s(pair0, 8));
          const pair1 = v128.load(row, 16);
          raw1 = i16x8.add(raw1, pair1);
          upper1 = i16x8.add(upper1, i16x8.shr_s(pair1, 8));
          const pair2 = v128.load(row, 32);
          raw2 = i16x8.add(raw2, pair2);
          upper2 = i16x8.add(upper2, i16x8.shr_s(pair2, 8));
          const pair3 = v128.load(row, 48);
          raw3 = i16x8.add(raw3, pair3);
          upper3 = i16x8.add(upper3, i16x8.shr_s(pair3, 8));
        }
      }
      for (; entry < stop; entry += 4) {
        const row = table + load<u32>(entry);
        const pair0 = v128.load(row);
        raw0 = i16x8.add(raw0, pair0);
        upper0 = i16x8.add(upper0, i16x8.shr_s(pair0, 8));
        const pair1 = v128.load(row, 16);
        raw1 = i16x8.add(raw1, pair1);
        upper1 = i16x8.add(upper1, i16x8.shr_s(pair1, 8));
        const pair2 = v128.load(row, 32);
        raw2 = i16x8.add(raw2, pair2);
        upper2 = i16x8.add(upper2, i16x8.shr_s(pair2, 8));
        const pair3 = v128.load(row, 48);
        raw3 = i16x8.add(raw3, pair3);
        upper3 = i16x8.add(upper3, i16x8.shr_s(pair3, 8));
      }
      if (stop == end && residual != 0) {
        const other = residual + residualAt * outputStride;
        widenWith(raw0, upper0, excess, source + 0, scales + 0, other + 0, output + 0);
        widenWith(raw1, upper1, excess, source + 64, scales + 64, other + 64, output + 64);
        widenWith(raw2, upper2, excess, source + 128, scales + 128, other + 128, output + 128);
        widenWith(raw3, upper3, excess, source + 192, scales + 192, other + 192, output + 192);
        break;
      }
      const target = stop == end ? output : resting;
      widen(raw0, upper0, excess, source + 0, scales + 0, target + 0);
      widen(raw1, upper1, excess, source + 64, scales + 64, target + 64);
      widen(raw2, upper2, excess, source + 128, scales + 128, target + 128);
      widen(raw3, upper3, excess, source + 192, scales + 192, target + 192);
      if (stop == end) break;
      source = resting;
    }
    if (residual != 0 && ++residualAt == residualPositions) residualAt = 0;
    initial += initialStride;
    output += outputStride;
    starts += startStride;
  }
}

function sumBytes3(
  table: usize, starts: usize, startStride: usize, count: u32, initial: usize, initialStride: usize, output: usize, outputStride: usize,
  residual: usize, residualAt: u32, residualPositions: u32, scales: usize, resting: usize,
): void {
  for (let position: u32 = 0; position < count; position++) {
    let source = initial;
    let entry: usize = load<u32>(starts);
    const end: usize = load<u32>(starts, 4);
    while (true) {
      const stop = min<usize>(end, entry + mostBytes);
      const excess = excessOf(stop - entry);
      let raw0 = i16x8.splat(0);
      let upper0 = i16x8.splat(0);
      let raw1 = i16x8.splat(0);
      let upper1 = i16x8.splat(0);
      let raw2 = i16x8.splat(0);
      let upper2 = i16x8.splat(0);
      for (; entry < stop; entry += 4) {
        const row = table + load<u32>(entry);
        const pair0 = v128.load(row);
        raw0 = i16x8.add(raw0, pair0);
        upper0 = i16x8.add(upper0, i16x8.shr_s(pair0, 8));
        const pair1 = v128.load(row, 16);
        raw1 = i16x8.add(raw1, pair1);
        upper1 = i16x8.add(upper1, i16x8.shr_s(pair1, 8));
        const pair2 = v128.load(row, 32);
        raw2 = i16x8.add(raw2, pair2);
        upper2 = i16x8.add(upper2, i16x8.shr_s(pair2, 8));
      }
      if (stop == end && residual != 0) {
        const other = residual + residualAt * outputStride;
        widenWith(raw0, upper0, excess, source + 0, scales + 0, other + 0, output + 0);
        widenWith(raw1, upper1, excess, source + 64, scales + 64, other + 64, output + 64);
        widenWith(raw2, upper2, excess, source + 128, scales + 128, other + 128, output + 128);
        break;
      }
      const target = stop == end ? output : resting;
      widen(raw0, upper0, excess, source + 0, scales + 0, target + 0);
      widen(raw1, upper1, excess, source + 64, scales + 64, target + 64);
      widen(raw2, upper2, excess, source + 128, scales + 128, target + 128);
      if (stop == end) break;
      source = resting;
    }
    if (residual != 0 && ++residualAt == residualPositions) residualAt = 0;
    initial += initialStride;
    output += outputStride;
    starts += startStride;
  }
}

function sumBytes2(
  table: usize, starts: usize, startStride: usize, count: u32, initial: usize, initialStride: usize, output: usize, outputStride: usize,
  residual: usize, residualAt: u32, residualPositions: u32, scales: usize, resting: usize,
): void {
  for (let position: u32 = 0; position < count; position++) {
    let source = initial;
    let entry: usize = load<u32>(starts);
    const end: usize = load<u32>(starts, 4);
    while (true) {
      const stop = min<usize>(end, entry + mostBytes);
      const excess = excessOf(stop - entry);
      let raw0 = i16x8.splat(0);
      let upper0 = i16x8.splat(0);
      let raw1 = i16x8.splat(0);
      let upper1 = i16x8.splat(0);
      for (; entry < stop; entry += 4) {
        const row = table + load<u32>(entry);
        const pair0 = v128.load(row);
        raw0 = i16x8.add(raw0, pair0);
        upper0 = i16x8.add(upper0, i16x8.shr_s(pair0, 8));
        const pair1 = v128.load(row, 16);
        raw1 = i16x8.add(raw1, pair1);
        upper1 = i16x8.add(upper1, i16x8.shr_s(pair1, 8));
      }
      if (stop == end && residual != 0) {
        const other = residual + residualAt * outputStride;
        widenWith(raw0, upper0, excess, source + 0, scales + 0, other + 0, output + 0);
        widenWith(raw1, upper1, excess, source + 64, scales + 64, other + 64, output + 64);
        break;
      }
      const target = stop == end ? output : resting;
      widen(raw0, upper0, excess, source + 0, scales + 0, target + 0);
      widen(raw1, upper1, excess, source + 64, scales + 64, target + 64);
      if (stop == end) break;
      source = resting;
    }
    if (residual != 0 && ++residualAt == residualPositions) residualAt = 0;
    initial += initialStride;
    output += outputStride;
    starts += startStride;
  }
}

/** The last one to sixteen channels; bias, sums and scales are padded to sixteen. */
function sumBytes1(
  table: usize, starts: usize, startStride: usize, count: u32, initial: usize, initialStride: usize, output: usize, outputStride: usize,
  residual: usize, residualAt: u32, residualPositions: u32, scales: usize, resting: usize, lanes: u32,
): void {
  for (let position: u32 = 0; position < count; position++) {
    let source = initial;
    let entry: usize = load<u32>(starts);
    const end: usize = load<u32>(starts, 4);
    while (true) {
      const stop = min<usize>(end, entry + mostBytes);
      const excess = excessOf(stop - entry);
      let raw0 = i16x8.splat(0);
      let upper0 = i16x8.splat(0);
      for (; entry < stop; entry += 4) {
        const row = table + load<u32>(entry);
        const pair0 = v128.load(row);
        raw0 = i16x8.add(raw0, pair0);
        upper0 = i16x8.add(upper0, i16x8.shr_s(pair0, 8));
      }
      widen(raw0, upper0, excess, source, scales, resting);
      if (stop == end) break;
      source = resting;
    }
    const other = residual + residualAt * outputStride;
    for (let lane: u32 = 0; lane < lanes; lane += 4) {
      let sum = v128.load(resting + lane * 4);
      if (residual != 0) sum = f32x4.add(sum, loadLanes(other + lane * 4, lanes - lane));
      storeLanes(output + lane * 4, sum, lanes - lane);
    }
    if (residual != 0 && ++residualAt == residualPositions) residualAt = 0;
    initial += initialStride;
    output += outputStride;
    starts += startStride;
  }
}

/** As `sumChunk`, for rows of bytes. */
export function sumByteChunk(
  instruction: usize, lookup: usize, partial: usize, starts: usize, chunk: u32, first: u32, count: u32, output: usize, outputStride: usize,
  touches: bool, withTables: bool, tapsPerSegment: u32, wordsPerSegment: u32, segments: u32,
): void {
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const residual: usize = load<u32>(instruction + Word.residual * 4);
  const residualPositions = load<u32>(instruction + Word.residualPositions * 4);
  const residualAt = residual != 0 ? first % residualPositions : 0;
  const partialStride: usize = <usize>load<u32>(instruction + Word.rowBytes * 4) * 4;
  const firstChannel = chunk * Width.byteChunk;
  const table = <usize>load<u32>(instruction + Word.weights * 4) + <usize>chunk * load<u32>(instruction + Word.chunkBytes * 4);
  const bias: usize = load<u32>(instruction + Word.bias * 4) + firstChannel * 4;
  const scales: usize = load<u32>(instruction + Word.scales * 4) + firstChannel * 4;
  const startStride: usize = segments * 8;
  const width = min<u32>(Width.byteChunk, outputChannels - firstChannel);
  const wait = lookup + resting;
  for (let segment: u32 = 0; segment < segments; segment++) {
    const isLast = segment == segments - 1;
    if (touches && count >= leastPositionsToTouch) touchSegment(instruction, lookup, table, segment, withTables, tapsPerSegment, wordsPerSegment);
    const lists = starts + segment * 8;
    const targetStride = isLast ? outputStride : partialStride;
    const initialStride = segment == 0 ? 0 : partialStride;
    let done: u32 = 0;
    while (done < width) {
      const rest = width - done;
      const offset: usize = done * 4;
      const rows = table + done;
      const initial = (segment == 0 ? bias : partial) + offset;
      const target = (isLast ? output : partial) + offset;
      const other: usize = isLast && residual != 0 ? residual + firstChannel * 4 + offset : 0;
      const scale = scales + offset;
      if (rest == 64) {
        sumBytes4(rows, lists, startStride, count, initial, initialStride, target, targetStride, other, residualAt, residualPositions, scale, wait);
        done += 64;
      } else if (rest >= 48) {
        sumBytes3(rows, lists, startStride, count, initial, initialStride, target, targetStride, other, residualAt, residualPositions, scale, wait);
        done += 48;
      } else if (rest >= 32) {
        sumBytes2(rows, lists, startStride, count, initial, initialStride, target, targetStride, other, residualAt, residualPositions, scale, wait);
        done += 32;
      } else {
        // Sums between segments are padded to sixteen.
        const lanes = isLast ? min<u32>(16, rest) : 16;
        sumBytes1(rows, lists, startStride, count, initial, initialStride, target, targetStride, other, residualAt, residualPositions, scale, wait, lanes);
        done += 16;
      }
    }
  }
}
