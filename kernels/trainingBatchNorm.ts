/**
 * Batch normalisation with the statistics of the batch, and its gradient. Sums are float64 (those of gradients begin with a few rows in
 * float32); rows are cut into a fixed number of parts whose sums are added in order. Products are exact in float64, so that the variance may be the mean of the
 * squares less the square of the mean: one pass over memory instead of two.
 */
import { BatchNormWord as Word } from '../src/engines/wasm/trainingInstructionSet';
import { claimStart, shareStart } from './threads';
import { loadLanes, storeLanes } from './vectors';

/** x̂: (value − mean) · inverse deviation of four channels, `at` bytes into each. */
// @ts-ignore: decorator
@inline
export function standardised(value: v128, at: usize, mean: usize, inverseDeviation: usize): v128 {
  return f32x4.mul(f32x4.sub(value, v128.load(mean + at)), v128.load(inverseDeviation + at));
}

/** x̂ · weight + bias. */
// @ts-ignore: decorator
@inline
export function scaledAndShifted(standard: v128, at: usize, weight: usize, bias: usize): v128 {
  return f32x4.add(f32x4.mul(standard, v128.load(weight + at)), v128.load(bias + at));
}

/** Whoever normalises does it by this, to the same bits. */
// @ts-ignore: decorator
@inline
export function normalised(value: v128, at: usize, mean: usize, inverseDeviation: usize, weight: usize, bias: usize): v128 {
  return scaledAndShifted(standardised(value, at, mean, inverseDeviation), at, weight, bias);
}

// @ts-ignore: decorator
@inline
function low(value: v128): v128 {
  return f64x2.promote_low_f32x4(value);
}

// @ts-ignore: decorator
@inline
function high(value: v128): v128 {
  return f64x2.promote_low_f32x4(i8x16.shuffle(value, value, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
}

/** Channels rounded up to whole vectors; partial sums are that wide. */
// @ts-ignore: decorator
@inline
export function roundChannels(channels: u32): u32 {
  return (channels + 3) & ~3;
}

/** Rows whose sums are kept in registers before they are added to memory: a channel's cache lines are visited while they are near. */
const rowsPerSweep: u32 = 32;

// @ts-ignore: decorator
@inline
function addSums(target: usize, first: v128, second: v128): void {
  v128.store(target, f64x2.add(v128.load(target), first));
  v128.store(target, f64x2.add(v128.load(target, 16), second), 16);
}

/**
 * Rows of gradients that are added up in float32 before their sum is added in float64: gradients are rounded numbers, a few more
 * roundings are lost among thousands of them, and hardly any work is left to do in float64.
 */
export const rowsPerRun: u32 = 16;

/** The sums of a run, `[2][channels]`, go to those of its part and begin again at zero. */
export function endRun(run: usize, sums: usize, channels: u32): void {
  const numbers: u32 = 2 * roundChannels(channels);
  for (let number: u32 = 0; number < numbers; number += 4) {
    const sum = v128.load(run + number * 4);
    addSums(sums + number * 8, low(sum), high(sum));
    v128.store(run + number * 4, f32x4.splat(0));
  }
}

/** δ and δ · x̂ of four channels, added to a run. */
// @ts-ignore: decorator
@inline
export function addToRun(run: usize, runBytes: usize, gradient: v128, standard: v128): void {
  v128.store(run, f32x4.add(v128.load(run), gradient));
  v128.store(run + runBytes, f32x4.add(v128.load(run + runBytes), f32x4.mul(gradient, standard)));
}

/** Sums and sums of squares; tasks are parts. Sums: `[part][2][channels]`. */
export function batchStatistics(instruction: usize, from: u32, until: u32): void {
  const rows = load<u32>(instruction + Word.rows * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const input: usize = load<u32>(instruction + Word.input * 4);
  const sums: usize = load<u32>(instruction + Word.sums * 4);
  const parts = load<u32>(instruction + Word.parts * 4);
  const stride: usize = channels * 4;
  const sumBytes: usize = roundChannels(channels) * 8;
  const lastPart = claimStart(parts, until);
  for (let part = claimStart(parts, from); part < lastPart; part++) {
    const last = shareStart(rows, part + 1, parts);
    const target = sums + part * 2 * sumBytes;
    memory.fill(target, 0, 2 * sumBytes);
    for (let first = shareStart(rows, part, parts); first < last; first += rowsPerSweep) {
      const count = min<u32>(rowsPerSweep, last - first);
      for (let channel: u32 = 0; channel < channels; channel += 4) {
        const lanes = channels - channel;
        let source = input + (first * channels + channel) * 4;
        let sum0 = f64x2.splat(0);
        let sum1 = f64x2.splat(0);
        let square0 = f64x2.splat(0);
        let square1 = f64x2.splat(0);
        for (let row: u32 = 0; row < count; row++) {
          const value = loadLanes(source, lanes);
          const value0 = low(value);
          const value1 = high(value);
          sum0 = f64x2.add(sum0, value0);
          sum1 = f64x2.add(sum1, value1);
          square0 = f64x2.add(square0, f64x2.mul(value0, value0));
          square1 = f64x2.add(square1, f64x2.mul(value1, value1));
          source += stride;
        }
        addSums(target + channel * 8, sum0, sum1);
        addSums(target + sumBytes + channel * 8, square0, square1);
      }
    }
  }
}

/** The sum of a channel over all parts, `offset` bytes into each; parts are `partBytes` apart. */
function total(sums: usize, parts: u32, partBytes: usize): f64 {
  let sum: f64 = 0;
  for (let part: u32 = 0; part < parts; part++) {
    sum += load<f64>(sums);
    sums += partBytes;
  }
  return sum;
}

/** Makes mean, inverse deviation and running statistics of the sums; tasks are channels. */
export function finishStatistics(instruction: usize, from: u32, until: u32): void {
  const rows = <f64>load<u32>(instruction + Word.rows * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const sums: usize = load<u32>(instruction + Word.sums * 4);
  const parts = load<u32>(instruction + Word.parts * 4);
  const epsilon = load<f64>(instruction + Word.epsilon * 4);
  const momentum = load<f64>(instruction + Word.momentum * 4);
  const batchMean: usize = load<u32>(instruction + Word.batchMean * 4);
  const batchInverseDeviation: usize = load<u32>(instruction + Word.batchInverseDeviation * 4);
  const runningMean: usize = load<u32>(instruction + Word.runningMean * 4);
  const runningVariance: usize = load<u32>(instruction + Word.runningVariance * 4);
  const sumBytes: usize = roundChannels(channels) * 8;
  const last = claimStart(channels, until);
  for (let channel = claimStart(channels, from); channel < last; channel++) {
    const mean = total(sums + channel * 8, parts, 2 * sumBytes) / rows;
    const square = total(sums + sumBytes + channel * 8, parts, 2 * sumBytes) / rows;
    const variance = max<f64>(0, square - mean * mean);
    const at: usize = channel * 4;
    store<f32>(batchMean + at, <f32>mean);
    store<f32>(batchInverseDeviation + at, <f32>(1 / sqrt(variance + epsilon)));
    const unbiased = (variance * rows) / (rows - 1);
    store<f32>(runningMean + at, <f32>((1 - momentum) * load<f32>(runningMean + at) + momentum * mean));
    store<f32>(runningVariance + at, <f32>((1 - momentum) * load<f32>(runningVariance + at) + momentum * unbiased));
  }
}

/** output = (input − mean) · inverse deviation · weight + bias; tasks are rows. */
export function normalise(instruction: usize, from: u32, until: u32): void {
  const rows = load<u32>(instruction + Word.rows * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const mean: usize = load<u32>(instruction + Word.batchMean * 4);
  const inverseDeviation: usize = load<u32>(instruction + Word.batchInverseDeviation * 4);
  const weight: usize = load<u32>(instruction + Word.weight * 4);
  const bias: usize = load<u32>(instruction + Word.bias * 4);
  const rowBytes: usize = channels * 4;
  const first = claimStart(rows, from);
  const count = claimStart(rows, until) - first;
  const input = <usize>load<u32>(instruction + Word.input * 4) + first * rowBytes;
  const output = <usize>load<u32>(instruction + Word.output * 4) + first * rowBytes;
  // Row by row, parameters loaded again for each: as fast as blocks of rows that keep them in registers, and simpler.
  let place: usize = 0;
  for (let row: u32 = 0; row < count; row++) {
    for (let at: usize = 0; at < rowBytes; at += 16) {
      const lanes = <u32>(rowBytes - at) >>> 2;
      const value = loadLanes(input + place + at, lanes);
      storeLanes(output + place + at, normalised(value, at, mean, inverseDeviation, weight, bias), lanes);
    }
    place += rowBytes;
  }
}

/** Sums of δy and of δy · x̂ per channel; tasks are parts. Sums: `[part][2][channels]`. Scratch: the sums of a run. */
export function batchGradientSums(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const rows = load<u32>(instruction + Word.rows * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const input: usize = load<u32>(instruction + Word.input * 4);
  const gradient: usize = load<u32>(instruction + Word.outputGradient * 4);
  const mean: usize = load<u32>(instruction + Word.batchMean * 4);
  const inverseDeviation: usize = load<u32>(instruction + Word.batchInverseDeviation * 4);
  const sums: usize = load<u32>(instruction + Word.sums * 4);
  const parts = load<u32>(instruction + Word.parts * 4);
  const rowBytes: usize = channels * 4;
  const runBytes: usize = roundChannels(channels) * 4;
  const lastPart = claimStart(parts, until);
  memory.fill(scratch, 0, 2 * runBytes);
  for (let part = claimStart(parts, from); part < lastPart; part++) {
    const last = shareStart(rows, part + 1, parts);
    const target = sums + part * 4 * runBytes;
    memory.fill(target, 0, 4 * runBytes);
    for (let first = shareStart(rows, part, parts); first < last; first += rowsPerRun) {
      const end = min<u32>(first + rowsPerRun, last);
      let place: usize = first * rowBytes;
      for (let row = first; row < end; row++) {
        for (let at: usize = 0; at < rowBytes; at += 16) {
          const lanes = <u32>(rowBytes - at) >>> 2;
          const standard = standardised(loadLanes(input + place + at, lanes), at, mean, inverseDeviation);
          addToRun(scratch + at, runBytes, loadLanes(gradient + place + at, lanes), standard);
        }
        place += rowBytes;
      }
      endRun(scratch, target, channels);
    }
  }
}

/** Adds to the gradients of the parameters and leaves both sums divided by the rows, `[2][channels]`; tasks are channels. */
export function finishGradientSums(instruction: usize, from: u32, until: u32): void {
  const rows = <f64>load<u32>(instruction + Word.rows * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const sums: usize = load<u32>(instruction + Word.sums * 4);
  const parts = load<u32>(instruction + Word.parts * 4);
  const means: usize = load<u32>(instruction + Word.means * 4);
  const weightGradient: usize = load<u32>(instruction + Word.weightGradient * 4);
  const biasGradient: usize = load<u32>(instruction + Word.biasGradient * 4);
  const sumBytes: usize = roundChannels(channels) * 8;
  const last = claimStart(channels, until);
  for (let channel = claimStart(channels, from); channel < last; channel++) {
    const sum = total(sums + channel * 8, parts, 2 * sumBytes);
    const product = total(sums + sumBytes + channel * 8, parts, 2 * sumBytes);
    const at: usize = channel * 4;
    store<f32>(biasGradient + at, <f32>(<f64>load<f32>(biasGradient + at) + sum));
    store<f32>(weightGradient + at, <f32>(<f64>load<f32>(weightGradient + at) + product));
    store<f32>(means + at, <f32>(sum / rows));
    store<f32>(means + roundChannels(channels) * 4 + at, <f32>(product / rows));
  }
}

/** δx = weight · inverse deviation · (δy − mean δy − x̂ · mean (δy · x̂)); tasks are rows. */
export function batchGradient(instruction: usize, from: u32, until: u32): void {
  const rows = load<u32>(instruction + Word.rows * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const mean: usize = load<u32>(instruction + Word.batchMean * 4);
  const inverseDeviation: usize = load<u32>(instruction + Word.batchInverseDeviation * 4);
  const weight: usize = load<u32>(instruction + Word.weight * 4);
  const means: usize = load<u32>(instruction + Word.means * 4);
  const products = means + roundChannels(channels) * 4;
  const rowBytes: usize = channels * 4;
  const first = claimStart(rows, from);
  const count = claimStart(rows, until) - first;
  const input = <usize>load<u32>(instruction + Word.input * 4) + first * rowBytes;
  const gradient = <usize>load<u32>(instruction + Word.outputGradient * 4) + first * rowBytes;
  const output = <usize>load<u32>(instruction + Word.output * 4) + first * rowBytes;
  let place: usize = 0;
  for (let row: u32 = 0; row < count; row++) {
    for (let at: usize = 0; at < rowBytes; at += 16) {
      const lanes = <u32>(rowBytes - at) >>> 2;
      const standard = standardised(loadLanes(input + place + at, lanes), at, mean, inverseDeviation);
      const centred = f32x4.sub(loadLanes(gradient + place + at, lanes), v128.load(means + at));
      const factor = f32x4.mul(v128.load(weight + at), v128.load(inverseDeviation + at));
      storeLanes(output + place + at, f32x4.mul(factor, f32x4.sub(centred, f32x4.mul(standard, v128.load(products + at)))), lanes);
    }
    place += rowBytes;
  }
}

/** What the running statistics make of 0, per channel. */
export function borderValues(instruction: usize, from: u32, until: u32): void {
  const channels = load<u32>(instruction + Word.channels * 4);
  const epsilon = load<f64>(instruction + Word.epsilon * 4);
  const weight: usize = load<u32>(instruction + Word.weight * 4);
  const bias: usize = load<u32>(instruction + Word.bias * 4);
  const runningMean: usize = load<u32>(instruction + Word.runningMean * 4);
  const runningVariance: usize = load<u32>(instruction + Word.runningVariance * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const last = claimStart(channels, until);
  for (let channel = claimStart(channels, from); channel < last; channel++) {
    const at: usize = channel * 4;
    const scale = <f64>load<f32>(weight + at) / sqrt(<f64>load<f32>(runningVariance + at) + epsilon);
    store<f32>(output + at, <f32>(<f64>load<f32>(bias + at) - <f64>load<f32>(runningMean + at) * scale));
  }
}

/** Sums of the rows of `input` per channel, float64; tasks are parts. Sums: `[part][channels]`. */
export function columnSums(instruction: usize, from: u32, until: u32): void {
  const rows = load<u32>(instruction + Word.rows * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const input: usize = load<u32>(instruction + Word.input * 4);
  const sums: usize = load<u32>(instruction + Word.sums * 4);
  const parts = load<u32>(instruction + Word.parts * 4);
  const sumBytes: usize = roundChannels(channels) * 8;
  const last = claimStart(parts, until);
  for (let part = claimStart(parts, from); part < last; part++) {
    const first = shareStart(rows, part, parts);
    const count = shareStart(rows, part + 1, parts) - first;
    for (let channel: u32 = 0; channel < channels; channel += 4) {
      const lanes = channels - channel;
      let source = input + (first * channels + channel) * 4;
      let sum0 = f64x2.splat(0);
      let sum1 = f64x2.splat(0);
      for (let row: u32 = 0; row < count; row++) {
        const value = loadLanes(source, lanes);
        sum0 = f64x2.add(sum0, low(value));
        sum1 = f64x2.add(sum1, high(value));
        source += channels * 4;
      }
      v128.store(sums + part * sumBytes + channel * 8, sum0);
      v128.store(sums + part * sumBytes + channel * 8, sum1, 16);
    }
  }
}

/** Adds the sums of all parts to `output`; tasks are channels. */
export function addColumnSums(instruction: usize, from: u32, until: u32): void {
  const channels = load<u32>(instruction + Word.channels * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const sums: usize = load<u32>(instruction + Word.sums * 4);
  const parts = load<u32>(instruction + Word.parts * 4);
  const last = claimStart(channels, until);
  for (let channel = claimStart(channels, from); channel < last; channel++) {
    const sum = total(sums + channel * 8, parts, roundChannels(channels) * 8);
    store<f32>(output + channel * 4, <f32>(<f64>load<f32>(output + channel * 4) + sum));
  }
}
