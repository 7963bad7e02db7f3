/**
 * Gradient of leaky integrate-and-fire neurons by a surrogate, four neurons at a time: forwards through time for the
 * membranes, which wait in scratch, then backwards. Membranes are computed as in `neuron.ts`, bit for bit. The sigmoid's
 * exponential is 2ⁿ times a polynomial (the Taylor series on ±ln 2/2, relative error below 2·10⁻⁷).
 */
import { NeuronGradientWord as Word, SurrogateKind } from '../src/engines/wasm/trainingInstructionSet';
import { charge } from './neuron';
import { shareStart } from './threads';
import { loadLanes, storeLanes } from './vectors';

/** eˣ for x ≤ 0; 0 where it would be subnormal. */
// @ts-ignore: decorator
@inline
function exponential(x: v128): v128 {
  const bounded = f32x4.max(x, f32x4.splat(-87));
  const n = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(1.44269504)));
  // ln 2 in two parts, the first with few enough bits that its product with n is exact.
  const first = f32x4.sub(bounded, f32x4.mul(n, f32x4.splat(0.693359375)));
  const r = f32x4.add(first, f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  let sum = f32x4.splat(1.0 / 5040);
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 720));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 120));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 24));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 6));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(0.5));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.and(f32x4.mul(sum, power), f32x4.ge(x, f32x4.splat(-87)));
}

/** g'(u). */
// @ts-ignore: decorator
@inline
function derivative(kind: u32, alpha: v128, u: v128): v128 {
  if (kind == <u32>SurrogateKind.sigmoid) {
    // σ(z)(1 − σ(z)) = e/(1 + e)² with e = exp(−|z|), without cancellation.
    const e = exponential(f32x4.neg(f32x4.abs(f32x4.mul(alpha, u))));
    const sum = f32x4.add(e, f32x4.splat(1));
    return f32x4.div(f32x4.mul(alpha, e), f32x4.mul(sum, sum));
  }
  if (kind == <u32>SurrogateKind.arctangent) {
    const z = f32x4.mul(f32x4.mul(f32x4.splat(1.5707963267948966), alpha), u);
    const half = f32x4.mul(alpha, f32x4.splat(0.5));
    return f32x4.div(half, f32x4.add(f32x4.splat(1), f32x4.mul(z, z)));
  }
  const reach = f32x4.div(f32x4.splat(0.5), alpha);
  return v128.and(alpha, f32x4.lt(f32x4.abs(u), reach));
}

/** Scratch: four membranes per time step. */
export function neuronGradient(instruction: usize, scratch: usize, thread: u32, threads: u32): void {
  const timeSteps = load<u32>(instruction + Word.timeSteps * 4);
  const neurons = load<u32>(instruction + Word.neurons * 4);
  const accumulate = load<u32>(instruction + Word.accumulate * 4) != 0;
  const factor = f32x4.splat(load<f32>(instruction + Word.factor * 4));
  const divide = load<u32>(instruction + Word.divide * 4) != 0;
  const threshold = f32x4.splat(load<f32>(instruction + Word.threshold * 4));
  const inflow = f32x4.splat(load<f32>(instruction + Word.inflow * 4));
  const decay = f32x4.splat(load<f32>(instruction + Word.decay * 4));
  const kind = load<u32>(instruction + Word.surrogate * 4);
  const alpha = f32x4.splat(load<f32>(instruction + Word.alpha * 4));
  const detachReset = load<u32>(instruction + Word.detachReset * 4) != 0;
  const input: usize = load<u32>(instruction + Word.input * 4);
  const outputGradient: usize = load<u32>(instruction + Word.outputGradient * 4);
  const inputGradient: usize = load<u32>(instruction + Word.inputGradient * 4);
  const step: usize = neurons * 4;
  const vectors = (neurons + 3) >>> 2;
  const last = shareStart(vectors, thread + 1, threads);
  for (let vector = shareStart(vectors, thread, threads); vector < last; vector++) {
    const lanes = neurons - vector * 4;
    let at: usize = vector * 16;
    let membrane = f32x4.splat(0);
    for (let time: u32 = 0; time < timeSteps; time++) {
      const h = charge(membrane, loadLanes(input + at, lanes), factor, divide);
      v128.store(scratch + time * 16, h);
      membrane = v128.andnot(h, f32x4.ge(h, threshold));
      at += step;
    }
    let afterReset = f32x4.splat(0);
    for (let time = timeSteps; time > 0; time--) {
      at -= step;
      const h = v128.load(scratch + (time - 1) * 16);
      let reachesSpike = loadLanes(outputGradient + at, lanes);
      if (!detachReset) reachesSpike = f32x4.sub(reachesSpike, f32x4.mul(afterReset, h));
      const stays = v128.andnot(afterReset, f32x4.ge(h, threshold));
      const beforeReset = f32x4.add(f32x4.mul(reachesSpike, derivative(kind, alpha, f32x4.sub(h, threshold))), stays);
      const result = f32x4.mul(beforeReset, inflow);
      storeLanes(inputGradient + at, accumulate ? f32x4.add(loadLanes(inputGradient + at, lanes), result) : result, lanes);
      afterReset = f32x4.mul(beforeReset, decay);
    }
  }
}
