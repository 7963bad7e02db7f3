/** Rows scaled to length 1, and the gradient (`src/engines/calls/unitRows.ts`). Rows are few and short: plain loops in float64. */
import { claimStart } from './threads';

enum Word {
  input = 1,
  output,
  rows,
  channels,
}

enum GradientWord {
  input = 1,
  outputGradient,
  inputGradient,
  rows,
  channels,
  accumulate,
}

const shortestRow: f64 = 1e-12;

// @ts-ignore: decorator
@inline
function number(address: usize): f64 {
  return <f64>load<f32>(address);
}

function lengthOf(start: usize, end: usize): f64 {
  let sum: f64 = 0;
  for (let at = start; at < end; at += 4) sum += number(at) * number(at);
  return Math.sqrt(sum);
}

/** Tasks are rows. */
export function unitRows(instruction: usize, from: u32, until: u32): void {
  const rowBytes: usize = load<u32>(instruction + Word.channels * 4) * 4;
  const rows = load<u32>(instruction + Word.rows * 4);
  const last = claimStart(rows, until);
  for (let row = claimStart(rows, from); row < last; row++) {
    const input: usize = load<u32>(instruction + Word.input * 4) + row * rowBytes;
    const output: usize = load<u32>(instruction + Word.output * 4) + row * rowBytes;
    const divisor = max(lengthOf(input, input + rowBytes), shortestRow);
    for (let at: usize = 0; at < rowBytes; at += 4) store<f32>(output + at, <f32>(number(input + at) / divisor));
  }
}

/** Tasks are rows. */
export function unitRowsGradient(instruction: usize, from: u32, until: u32): void {
  const rowBytes: usize = load<u32>(instruction + GradientWord.channels * 4) * 4;
  const rows = load<u32>(instruction + GradientWord.rows * 4);
  const accumulate = load<u32>(instruction + GradientWord.accumulate * 4) != 0;
  const last = claimStart(rows, until);
  for (let row = claimStart(rows, from); row < last; row++) {
    const input: usize = load<u32>(instruction + GradientWord.input * 4) + row * rowBytes;
    const arriving: usize = load<u32>(instruction + GradientWord.outputGradient * 4) + row * rowBytes;
    const target: usize = load<u32>(instruction + GradientWord.inputGradient * 4) + row * rowBytes;
    const length = lengthOf(input, input + rowBytes);
    const divisor = max(length, shortestRow);
    let along: f64 = 0;
    if (length >= shortestRow)
      for (let at: usize = 0; at < rowBytes; at += 4) along += (number(input + at) / divisor) * number(arriving + at);
    for (let at: usize = 0; at < rowBytes; at += 4) {
      const gradient = (number(arriving + at) - (number(input + at) / divisor) * along) / divisor;
      store<f32>(target + at, <f32>(accumulate ? number(target + at) + gradient : gradient));
    }
  }
}
