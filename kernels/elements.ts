/**
 * Kernels that go once over their data: sums, scaling, padding, means, repetition. All are bound by memory, so they are
 * cut into equal ranges and otherwise kept simple. Reductions add in index order, whatever the number of threads.
 */
import { ElementWord as Word } from '../src/engines/wasm/instructionSet';
import { claimStart } from './threads';
import { loadLanes, storeLanes } from './vectors';

/** The first element of a claim that begins at `at`: a multiple of 16 (a cache line), or the end. */
// @ts-ignore: decorator
@inline
export function rangeStart(elements: u32, at: u32): u32 {
  return min<u32>(elements, claimStart((elements + 15) >>> 4, at) << 4);
}

/** output = a + b, each index taken modulo the addend's own length. */
export function add(instruction: usize, from: u32, until: u32): void {
  const a: usize = load<u32>(instruction + Word.input * 4);
  const b: usize = load<u32>(instruction + Word.second * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const elements = load<u32>(instruction + Word.elements * 4);
  const aElements = load<u32>(instruction + Word.inputElements * 4);
  const bElements = load<u32>(instruction + Word.secondElements * 4);
  const end = rangeStart(elements, until);
  let at = rangeStart(elements, from);
  while (at < end) {
    const aAt = at % aElements;
    const bAt = at % bElements;
    const run = min<u32>(end - at, min<u32>(aElements - aAt, bElements - bAt));
    addRun(a + aAt * 4, b + bAt * 4, output + at * 4, run);
    at += run;
  }
}

function addRun(a: usize, b: usize, output: usize, elements: u32): void {
  let at: u32 = 0;
  for (; at + 4 <= elements; at += 4) {
    const offset: usize = at * 4;
    v128.store(output + offset, f32x4.add(v128.load(a + offset), v128.load(b + offset)));
  }
  for (; at < elements; at++) store<f32>(output + at * 4, load<f32>(a + at * 4) + load<f32>(b + at * 4));
}

export function scaleShift(instruction: usize, from: u32, until: u32): void {
  const rows = load<u32>(instruction + Word.rows * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const scale: usize = load<u32>(instruction + Word.second * 4);
  const shift: usize = load<u32>(instruction + Word.third * 4);
  const rowBytes: usize = channels * 4;
  const first = claimStart(rows, from);
  const last = claimStart(rows, until);
  let input: usize = load<u32>(instruction + Word.input * 4) + first * rowBytes;
  let output: usize = load<u32>(instruction + Word.output * 4) + first * rowBytes;
  for (let row = first; row < last; row++) {
    for (let at: usize = 0; at < rowBytes; at += 16) {
      const lanes = <u32>(rowBytes - at) >>> 2;
      const scaled = f32x4.mul(loadLanes(input + at, lanes), loadLanes(scale + at, lanes));
      storeLanes(output + at, f32x4.add(scaled, loadLanes(shift + at, lanes)), lanes);
    }
    input += rowBytes;
    output += rowBytes;
  }
}

/** Surrounds each image with pixels that hold the given values; cut by rows of the output. */
export function pad(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const values: usize = load<u32>(instruction + Word.second * 4);
  const images = load<u32>(instruction + Word.rows * 4);
  const height = load<u32>(instruction + Word.inputHeight * 4);
  const width = load<u32>(instruction + Word.inputWidth * 4);
  const padding = load<u32>(instruction + Word.padding * 4);
  const pixelBytes: usize = load<u32>(instruction + Word.channels * 4) * 4;
  const outputHeight = height + 2 * padding;
  const outputWidth = width + 2 * padding;
  const rows = images * outputHeight;
  const last = claimStart(rows, until);
  for (let row = claimStart(rows, from); row < last; row++) {
    const target = output + row * outputWidth * pixelBytes;
    const image = row / outputHeight;
    const y = row % outputHeight;
    if (y < padding || y >= height + padding) {
      fillPixels(target, outputWidth, values, pixelBytes);
    } else {
      fillPixels(target, padding, values, pixelBytes);
      memory.copy(target + padding * pixelBytes, input + (image * height + y - padding) * width * pixelBytes, width * pixelBytes);
      fillPixels(target + (padding + width) * pixelBytes, padding, values, pixelBytes);
    }
  }
}

function fillPixels(target: usize, count: u32, values: usize, pixelBytes: usize): void {
  for (let pixel: u32 = 0; pixel < count; pixel++) memory.copy(target + pixel * pixelBytes, values, pixelBytes);
}

/** output[i, c] = mean over p of input[i, p, c]; cut by images and cache lines of channels. */
export function spatialMean(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const images = load<u32>(instruction + Word.rows * 4);
  const positions = load<u32>(instruction + Word.positions * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const lines = (channels + 15) >>> 4;
  const divisor = f32x4.splat(<f32>positions);
  const tasks = images * lines;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const image = task / lines;
    const firstChannel = (task % lines) << 4;
    const lastChannel = min<u32>(channels, firstChannel + 16);
    for (let channel = firstChannel; channel < lastChannel; channel += 4) {
      const lanes = lastChannel - channel;
      let source = input + (image * positions * channels + channel) * 4;
      let sum = f32x4.splat(0);
      for (let position: u32 = 0; position < positions; position++) {
        sum = f32x4.add(sum, loadLanes(source, lanes));
        source += channels * 4;
      }
      storeLanes(output + (image * channels + channel) * 4, f32x4.div(sum, divisor), lanes);
    }
  }
}

/** output[j] = mean over t of input[t, j]. */
export function timeMean(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const elements = load<u32>(instruction + Word.elements * 4);
  const timeSteps = load<u32>(instruction + Word.timeSteps * 4);
  const divisor = f32x4.splat(<f32>timeSteps);
  const end = rangeStart(elements, until);
  for (let at = rangeStart(elements, from); at < end; at += 4) {
    const lanes = end - at;
    let sum = f32x4.splat(0);
    for (let step: u32 = 0; step < timeSteps; step++) {
      sum = f32x4.add(sum, loadLanes(input + (step * elements + at) * 4, lanes));
    }
    storeLanes(output + at * 4, f32x4.div(sum, divisor), lanes);
  }
}

/** Writes the input over and over until the output is full. Elements are 32-bit words, numbers or spikes alike. */
export function repeat(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const elements = load<u32>(instruction + Word.elements * 4);
  const inputElements = load<u32>(instruction + Word.inputElements * 4);
  const end = rangeStart(elements, until);
  let at = rangeStart(elements, from);
  while (at < end) {
    const inputAt = at % inputElements;
    const run = min<u32>(end - at, inputElements - inputAt);
    memory.copy(output + at * 4, input + inputAt * 4, run * 4);
    at += run;
  }
}
