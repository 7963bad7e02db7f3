/**
 * Norms of gradients and the step of AdamW (`src/engines/calls/sumOfSquares.ts`, `adamW.ts`): float64 in the order of operations of `src/training/optimizers`, so that the
 * bits are those of the loops there. The step is bound by memory (28 bytes a parameter), the sums by the three cycles that an addition waits for the one before.
 */
import { claimStart } from './threads';

enum SumOfSquaresWord {
  values = 1,
  ranges,
  sums,
  elements,
  parts,
}

enum AdamWWord {
  parameters = 1,
  gradients,
  firstMoment,
  secondMoment,
  decays,
  numbers,
  lines,
}

/** Tasks are parts. */
export function sumOfSquares(instruction: usize, from: u32, until: u32): void {
  const elements = load<u32>(instruction + SumOfSquaresWord.elements * 4);
  const parts = load<u32>(instruction + SumOfSquaresWord.parts * 4);
  const last = claimStart(parts, until);
  for (let part = claimStart(parts, from); part < last; part++) {
    const range: usize = load<u32>(instruction + SumOfSquaresWord.ranges * 4) + part * 8;
    const start = <u64>load<u32>(range) * 16;
    let left = start < elements ? <u32>min<u64>(load<u32>(range, 4), elements - start) : 0;
    let at: usize = load<u32>(instruction + SumOfSquaresWord.values * 4) + <usize>start * 4;
    let sum: f64 = 0;
    for (; left >= 4; left -= 4) {
      const values = v128.load(at);
      const low = f64x2.promote_low_f32x4(values);
      const high = f64x2.promote_low_f32x4(i64x2.shuffle(values, values, 1, 1));
      const lowSquares = f64x2.mul(low, low);
      const highSquares = f64x2.mul(high, high);
      sum += f64x2.extract_lane(lowSquares, 0);
      sum += f64x2.extract_lane(lowSquares, 1);
      sum += f64x2.extract_lane(highSquares, 0);
      sum += f64x2.extract_lane(highSquares, 1);
      at += 16;
    }
    for (; left > 0; left--) {
      const value = <f64>load<f32>(at);
      sum += value * value;
      at += 4;
    }
    store<f64>(load<u32>(instruction + SumOfSquaresWord.sums * 4) + part * 8, sum);
  }
}

/** The upper two of four numbers as float64. */
// @ts-ignore: decorator
@inline
function upper(values: v128): v128 {
  return f64x2.promote_low_f32x4(i64x2.shuffle(values, values, 1, 1));
}

/** Two pairs of float64, rounded to four float32. */
// @ts-ignore: decorator
@inline
function rounded(low: v128, high: v128): v128 {
  return i64x2.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

// @ts-ignore: decorator
@inline
function numberAt(numbers: usize, index: usize): v128 {
  return v128.load64_splat(numbers + index * 8);
}

/** Tasks are lines of 16 elements. */
export function adamW(instruction: usize, from: u32, until: u32): void {
  const numbers: usize = load<u32>(instruction + AdamWWord.numbers * 4);
  const scale = numberAt(numbers, 0);
  const firstDecay = numberAt(numbers, 1);
  const firstShare = numberAt(numbers, 2);
  const secondDecay = numberAt(numbers, 3);
  const secondShare = numberAt(numbers, 4);
  const keep = numberAt(numbers, 5);
  const stepSize = numberAt(numbers, 6);
  const rootScale = numberAt(numbers, 7);
  const epsilon = numberAt(numbers, 8);
  const clips = load<f64>(numbers) < 1;
  const lines = load<u32>(instruction + AdamWWord.lines * 4);
  const parameters: usize = load<u32>(instruction + AdamWWord.parameters * 4);
  const gradients: usize = load<u32>(instruction + AdamWWord.gradients * 4);
  const first: usize = load<u32>(instruction + AdamWWord.firstMoment * 4);
  const second: usize = load<u32>(instruction + AdamWWord.secondMoment * 4);
  const decays: usize = load<u32>(instruction + AdamWWord.decays * 4);
  const end = claimStart(lines, until);
  for (let line = claimStart(lines, from); line < end; line++) {
    const kept = load<f32>(decays + line * 4) == 0 ? f64x2.splat(1) : keep;
    const lineEnd: usize = (<usize>line + 1) * 64;
    for (let at: usize = <usize>line * 64; at < lineEnd; at += 16) {
      let gradient = v128.load(gradients + at);
      if (clips) {
        gradient = rounded(f64x2.mul(scale, f64x2.promote_low_f32x4(gradient)), f64x2.mul(scale, upper(gradient)));
        v128.store(gradients + at, gradient);
      }
      const g0 = f64x2.promote_low_f32x4(gradient);
      const g1 = upper(gradient);
      const m = v128.load(first + at);
      const m0 = f64x2.add(f64x2.mul(firstDecay, f64x2.promote_low_f32x4(m)), f64x2.mul(firstShare, g0));
      const m1 = f64x2.add(f64x2.mul(firstDecay, upper(m)), f64x2.mul(firstShare, g1));
      v128.store(first + at, rounded(m0, m1));
      const v = v128.load(second + at);
      const v0 = f64x2.add(f64x2.mul(secondDecay, f64x2.promote_low_f32x4(v)), f64x2.mul(f64x2.mul(secondShare, g0), g0));
      const v1 = f64x2.add(f64x2.mul(secondDecay, upper(v)), f64x2.mul(f64x2.mul(secondShare, g1), g1));
      v128.store(second + at, rounded(v0, v1));
      const d0 = f64x2.add(f64x2.mul(f64x2.sqrt(v0), rootScale), epsilon);
      const d1 = f64x2.add(f64x2.mul(f64x2.sqrt(v1), rootScale), epsilon);
      const p = v128.load(parameters + at);
      const p0 = f64x2.sub(f64x2.mul(kept, f64x2.promote_low_f32x4(p)), f64x2.div(f64x2.mul(stepSize, m0), d0));
      const p1 = f64x2.sub(f64x2.mul(kept, upper(p)), f64x2.div(f64x2.mul(stepSize, m1), d1));
      v128.store(parameters + at, rounded(p0, p1));
    }
  }
}
