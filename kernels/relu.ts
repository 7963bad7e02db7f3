/** Rectified linear units, `max(0, x)`, and their gradient. */
import { rangeStart } from './elements';
import { loadLanes, storeLanes } from './vectors';

enum Word {
  input = 1,
  output = 2,
  elements = 3,
}

export function relu(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const elements = load<u32>(instruction + Word.elements * 4);
  const last = rangeStart(elements, until);
  for (let at = rangeStart(elements, from); at < last; at += 4) {
    const lanes = last - at;
    // Not `pmax`: what is no number must stay seen.
    storeLanes(output + at * 4, f32x4.max(f32x4.splat(0), loadLanes(input + at * 4, lanes)), lanes);
  }
}

enum GradientWord {
  input = 1,
  outputGradient = 2,
  inputGradient = 3,
  elements = 4,
  accumulate = 5,
}

export function reluGradient(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + GradientWord.input * 4);
  const outputGradient: usize = load<u32>(instruction + GradientWord.outputGradient * 4);
  const inputGradient: usize = load<u32>(instruction + GradientWord.inputGradient * 4);
  const elements = load<u32>(instruction + GradientWord.elements * 4);
  const accumulate = load<u32>(instruction + GradientWord.accumulate * 4) != 0;
  const last = rangeStart(elements, until);
  for (let at = rangeStart(elements, from); at < last; at += 4) {
    const lanes = last - at;
    const passes = f32x4.gt(loadLanes(input + at * 4, lanes), f32x4.splat(0));
    const gradient = v128.and(loadLanes(outputGradient + at * 4, lanes), passes);
    const target = inputGradient + at * 4;
    storeLanes(target, accumulate ? f32x4.add(loadLanes(target, lanes), gradient) : gradient, lanes);
  }
}
