/** The gradients of means, the inside of padded maps, and zeros: training's kernels that go once over their data. */
import { ElementWord as Word } from '../src/engines/wasm/instructionSet';
import { rangeStart } from './elements';
import { claimStart } from './threads';
import { loadLanes, storeLanes } from './vectors';

/** output[i, p, c] = input[i, c] / positions; tasks are output rows. */
export function spatialMeanGradient(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const positions = load<u32>(instruction + Word.positions * 4);
  const rowBytes: usize = load<u32>(instruction + Word.channels * 4) * 4;
  const divisor = f32x4.splat(<f32>positions);
  const rows = load<u32>(instruction + Word.rows * 4) * positions;
  const last = claimStart(rows, until);
  for (let row = claimStart(rows, from); row < last; row++) {
    const source = input + (row / positions) * rowBytes;
    const target = output + row * rowBytes;
    for (let at: usize = 0; at < rowBytes; at += 16) {
      const lanes = <u32>(rowBytes - at) >>> 2;
      storeLanes(target + at, f32x4.div(loadLanes(source + at, lanes), divisor), lanes);
    }
  }
}

/** output[t, j] = input[j] / timeSteps. */
export function timeMeanGradient(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const elements = load<u32>(instruction + Word.elements * 4);
  const timeSteps = load<u32>(instruction + Word.timeSteps * 4);
  const divisor = f32x4.splat(<f32>timeSteps);
  const end = rangeStart(elements, until);
  for (let at = rangeStart(elements, from); at < end; at += 4) {
    const lanes = end - at;
    const value = f32x4.div(loadLanes(input + at * 4, lanes), divisor);
    for (let step: u32 = 0; step < timeSteps; step++) storeLanes(output + (step * elements + at) * 4, value, lanes);
  }
}

/** The inside of padded maps; `inputHeight` and `inputWidth` are the output's. Tasks are output rows. */
export function crop(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const height = load<u32>(instruction + Word.inputHeight * 4);
  const width = load<u32>(instruction + Word.inputWidth * 4);
  const padding = load<u32>(instruction + Word.padding * 4);
  const pixelBytes: usize = load<u32>(instruction + Word.channels * 4) * 4;
  const rows = load<u32>(instruction + Word.rows * 4) * height;
  const last = claimStart(rows, until);
  for (let row = claimStart(rows, from); row < last; row++) {
    const paddedRow = (row / height) * (height + 2 * padding) + (row % height) + padding;
    const source = input + (paddedRow * (width + 2 * padding) + padding) * pixelBytes;
    memory.copy(output + row * width * pixelBytes, source, width * pixelBytes);
  }
}

export function zero(instruction: usize, from: u32, until: u32): void {
  const output: usize = load<u32>(instruction + Word.output * 4);
  const elements = load<u32>(instruction + Word.elements * 4);
  const first = rangeStart(elements, from);
  const last = rangeStart(elements, until);
  memory.fill(output + first * 4, 0, (last - first) * 4);
}

/** output += second, one number for all elements. */
export function addConstant(instruction: usize, from: u32, until: u32): void {
  const output: usize = load<u32>(instruction + Word.output * 4);
  const constant = v128.load_splat<u32>(load<u32>(instruction + Word.second * 4));
  const elements = load<u32>(instruction + Word.elements * 4);
  const end = rangeStart(elements, until);
  for (let at = rangeStart(elements, from); at < end; at += 4) {
    const lanes = end - at;
    storeLanes(output + at * 4, f32x4.add(loadLanes(output + at * 4, lanes), constant), lanes);
  }
}
