/** A factor that is learned, and the gradient (`src/engines/calls/temperature.ts`). */
import { rangeStart } from './elements';
import { loadLanes, storeLanes } from './vectors';

enum Word {
  input = 1,
  logarithm,
  output,
  elements,
  limit,
}

enum GradientWord {
  input = 1,
  logarithm,
  outputGradient,
  inputGradient,
  logarithmGradient,
  elements,
  limit,
  accumulate,
}

// @ts-ignore: decorator
@inline
function factorOf(logarithm: usize): f64 {
  return Math.exp(<f64>load<f32>(logarithm));
}

export function temperature(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const elements = load<u32>(instruction + Word.elements * 4);
  const limit = <f64>load<f32>(instruction + Word.limit * 4);
  const root = f32x4.splat(<f32>Math.sqrt(min(factorOf(load<u32>(instruction + Word.logarithm * 4)), limit)));
  const last = rangeStart(elements, until);
  for (let at = rangeStart(elements, from); at < last; at += 4) {
    const lanes = last - at;
    storeLanes(output + at * 4, f32x4.mul(loadLanes(input + at * 4, lanes), root), lanes);
  }
}

/** Who has the first elements adds up all of them, so that the sum is one order's. */
export function temperatureGradient(instruction: usize, from: u32, until: u32): void {
  const input: usize = load<u32>(instruction + GradientWord.input * 4);
  const arriving: usize = load<u32>(instruction + GradientWord.outputGradient * 4);
  const target: usize = load<u32>(instruction + GradientWord.inputGradient * 4);
  const elements = load<u32>(instruction + GradientWord.elements * 4);
  const limit = <f64>load<f32>(instruction + GradientWord.limit * 4);
  const accumulate = load<u32>(instruction + GradientWord.accumulate * 4) != 0;
  const factor = factorOf(load<u32>(instruction + GradientWord.logarithm * 4));
  const root = <f32>Math.sqrt(min(factor, limit));
  const roots = f32x4.splat(root);
  const first = rangeStart(elements, from);
  const last = rangeStart(elements, until);
  for (let at = first; at < last; at += 4) {
    const lanes = last - at;
    const gradient = f32x4.mul(loadLanes(arriving + at * 4, lanes), roots);
    const place = target + at * 4;
    storeLanes(place, accumulate ? f32x4.add(loadLanes(place, lanes), gradient) : gradient, lanes);
  }
  if (first != 0 || last == 0 || factor > limit) return;
  let sum: f64 = 0;
  for (let at: usize = 0; at < <usize>elements * 4; at += 4)
    sum += <f64>load<f32>(arriving + at) * <f64>load<f32>(input + at);
  const gradient: usize = load<u32>(instruction + GradientWord.logarithmGradient * 4);
  store<f32>(gradient, <f32>(<f64>load<f32>(gradient) + 0.5 * <f64>root * sum));
}
