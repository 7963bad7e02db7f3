/**
 * Neurons behind a batch normalisation, and the gradient of leaky integrate-and-fire neurons by a surrogate. The gradient goes four neurons at a time: forwards through time for the
 * membranes, which wait in scratch, then backwards. Membranes are computed as in `neuron.ts`, bit for bit. The sigmoid's
 * exponential is 2ⁿ times a polynomial (its Taylor series, relative error below 10⁻⁶ up to exponents of ten).
 */
import { NeuronGradientWord as Word, NormalisedNeuronWord, SurrogateKind } from '../src/engines/wasm/trainingInstructionSet';
import { charge, firstCharge } from './neuron';
import { claimStart, shareStart } from './threads';
import { addToRun, endRun, normalised, roundChannels, rowsPerRun, scaledAndShifted, standardised } from './trainingBatchNorm';
import { loadLanes, multiplyAdd, storeLanes } from './vectors';

/**
 * 2ˣ for x ≤ 0, and 2⁻¹²⁵ below that: a polynomial of degree 6 on the fraction, the whole part added to the exponent. Adding
 * 1.5 · 2²³ rounds to a whole number and leaves it in the lowest bits.
 */
// @ts-ignore: decorator
@inline
function powerOfTwo(x: v128): v128 {
  // `pmax` is one instruction of the machine; `max`, with its rules for zeros and NaN, is several.
  const bounded = f32x4.pmax(x, f32x4.splat(-125));
  const shifted = f32x4.add(bounded, f32x4.splat(12582912));
  const r = f32x4.sub(bounded, f32x4.sub(shifted, f32x4.splat(12582912)));
  let sum = f32x4.splat(1.5403530393381606e-4);
  sum = multiplyAdd(sum, r, f32x4.splat(1.3333558146428443e-3));
  sum = multiplyAdd(sum, r, f32x4.splat(9.618129107628477e-3));
  sum = multiplyAdd(sum, r, f32x4.splat(5.550410866482158e-2));
  sum = multiplyAdd(sum, r, f32x4.splat(2.402265069591007e-1));
  sum = multiplyAdd(sum, r, f32x4.splat(6.931471805599453e-1));
  sum = multiplyAdd(sum, r, f32x4.splat(1));
  return i32x4.add(sum, i32x4.shl(shifted, 23));
}

/** What `derivative` does to the distance from the threshold first, the same for all neurons: a factor, or how far the rectangle reaches. */
// @ts-ignore: decorator
@inline
export function stretchOf(kind: u32, alpha: f32): v128 {
  if (kind == <u32>SurrogateKind.sigmoid) return f32x4.splat(alpha * -1.4426950408889634);
  if (kind == <u32>SurrogateKind.arctangent) return f32x4.splat(alpha * 1.5707963267948966);
  return f32x4.splat(0.5 / alpha);
}

/** g'(u) times a factor; `stretch` is that of `stretchOf`, `height` alpha times the factor. */
// @ts-ignore: decorator
@inline
export function derivative(kind: u32, stretch: v128, height: v128, u: v128): v128 {
  if (kind == <u32>SurrogateKind.sigmoid) {
    // σ(z)(1 − σ(z)) = e/(1 + e)² with e = exp(−|z|), without cancellation.
    const e = powerOfTwo(f32x4.mul(f32x4.abs(u), stretch));
    const sum = f32x4.add(e, f32x4.splat(1));
    return f32x4.div(f32x4.mul(height, e), f32x4.mul(sum, sum));
  }
  if (kind == <u32>SurrogateKind.arctangent) {
    const z = f32x4.mul(stretch, u);
    return f32x4.div(f32x4.mul(height, f32x4.splat(0.5)), f32x4.add(f32x4.splat(1), f32x4.mul(z, z)));
  }
  return v128.and(height, f32x4.lt(f32x4.abs(u), stretch));
}

/** δx of one time step: nothing to remember, h = x/τ. `height` is alpha/τ. */
// @ts-ignore: decorator
@inline
function passed(
  outputGradient: v128, x: v128, kind: u32, stretch: v128, height: v128, factor: v128, threshold: v128, divide: bool,
): v128 {
  const u = f32x4.sub(firstCharge(x, factor, divide), threshold);
  return f32x4.mul(outputGradient, derivative(kind, stretch, height, u));
}

/** One time step. */
// @ts-ignore: decorator
@inline
function singleStep(instruction: usize, kind: u32, divide: bool, accumulate: bool, first: u32, last: u32): void {
  const factor = f32x4.splat(load<f32>(instruction + Word.factor * 4));
  const threshold = f32x4.splat(load<f32>(instruction + Word.threshold * 4));
  const stretch = stretchOf(kind, load<f32>(instruction + Word.alpha * 4));
  const height = f32x4.splat(load<f32>(instruction + Word.alpha * 4) * load<f32>(instruction + Word.inflow * 4));
  const input: usize = load<u32>(instruction + Word.input * 4);
  const outputGradient: usize = load<u32>(instruction + Word.outputGradient * 4);
  const inputGradient: usize = load<u32>(instruction + Word.inputGradient * 4);
  for (let at: usize = first * 4; at < last * 4; at += 16) {
    const lanes = last - <u32>(at >>> 2);
    const reached = loadLanes(outputGradient + at, lanes);
    const result = passed(reached, loadLanes(input + at, lanes), kind, stretch, height, factor, threshold, divide);
    storeLanes(inputGradient + at, accumulate ? f32x4.add(loadLanes(inputGradient + at, lanes), result) : result, lanes);
  }
}

/**
 * One time step of neurons behind a batch normalisation, from its input; tasks are rows. Its output, which nobody else reads, need not be written and read again */
// @ts-ignore: decorator
@inline
function normalisedStep(instruction: usize, kind: u32, divide: bool, accumulate: bool, first: u32, last: u32): void {
  const factor = f32x4.splat(load<f32>(instruction + Word.factor * 4));
  const threshold = f32x4.splat(load<f32>(instruction + Word.threshold * 4));
  const stretch = stretchOf(kind, load<f32>(instruction + Word.alpha * 4));
  const height = f32x4.splat(load<f32>(instruction + Word.alpha * 4) * load<f32>(instruction + Word.inflow * 4));
  const mean: usize = load<u32>(instruction + Word.batchMean * 4);
  const inverseDeviation: usize = load<u32>(instruction + Word.batchInverseDeviation * 4);
  const weight: usize = load<u32>(instruction + Word.weight * 4);
  const bias: usize = load<u32>(instruction + Word.bias * 4);
  const rowBytes: usize = load<u32>(instruction + Word.channels * 4) * 4;
  const input: usize = load<u32>(instruction + Word.input * 4);
  const outputGradient: usize = load<u32>(instruction + Word.outputGradient * 4);
  const inputGradient: usize = load<u32>(instruction + Word.inputGradient * 4);
  let place: usize = first * rowBytes;
  for (let row = first; row < last; row++) {
    for (let at: usize = 0; at < rowBytes; at += 16) {
      const lanes = <u32>(rowBytes - at) >>> 2;
      const x = normalised(loadLanes(input + place + at, lanes), at, mean, inverseDeviation, weight, bias);
      const reached = loadLanes(outputGradient + place + at, lanes);
      const result = passed(reached, x, kind, stretch, height, factor, threshold, divide);
      const target = inputGradient + place + at;
      storeLanes(target, accumulate ? f32x4.add(loadLanes(target, lanes), result) : result, lanes);
    }
    place += rowBytes;
  }
}

/**
 * As `normalisedStep`, and leaves the sums of δ and of δ · x̂ for the gradient of the normalisation, as `batchGradientSums` would make
 * them of what is written here, to the bit; tasks are parts. Scratch: the sums of a run.
 */
// @ts-ignore: decorator
@inline
function normalisedStepWithSums(instruction: usize, kind: u32, divide: bool, accumulate: bool, scratch: usize, from: u32, until: u32): void {
  const factor = f32x4.splat(load<f32>(instruction + Word.factor * 4));
  const threshold = f32x4.splat(load<f32>(instruction + Word.threshold * 4));
  const stretch = stretchOf(kind, load<f32>(instruction + Word.alpha * 4));
  const height = f32x4.splat(load<f32>(instruction + Word.alpha * 4) * load<f32>(instruction + Word.inflow * 4));
  const mean: usize = load<u32>(instruction + Word.batchMean * 4);
  const inverseDeviation: usize = load<u32>(instruction + Word.batchInverseDeviation * 4);
  const weight: usize = load<u32>(instruction + Word.weight * 4);
  const bias: usize = load<u32>(instruction + Word.bias * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const rows = load<u32>(instruction + Word.neurons * 4) / channels;
  const input: usize = load<u32>(instruction + Word.input * 4);
  const outputGradient: usize = load<u32>(instruction + Word.outputGradient * 4);
  const inputGradient: usize = load<u32>(instruction + Word.inputGradient * 4);
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
          const x = scaledAndShifted(standard, at, weight, bias);
          const reached = loadLanes(outputGradient + place + at, lanes);
          let value = passed(reached, x, kind, stretch, height, factor, threshold, divide);
          if (accumulate) value = f32x4.add(loadLanes(inputGradient + place + at, lanes), value);
          storeLanes(inputGradient + place + at, value, lanes);
          addToRun(scratch + at, runBytes, value, standard);
        }
        place += rowBytes;
      }
      endRun(scratch, target, channels);
    }
  }
}

/** Chooses the loop that has no question left to ask. */
// @ts-ignore: decorator
@inline
function withSumsOf(instruction: usize, kind: u32, scratch: usize, from: u32, until: u32): void {
  const divide = load<u32>(instruction + Word.divide * 4) != 0;
  if (load<u32>(instruction + Word.accumulate * 4) != 0) normalisedStepWithSums(instruction, kind, divide, true, scratch, from, until);
  else normalisedStepWithSums(instruction, kind, divide, false, scratch, from, until);
}

// @ts-ignore: decorator
@inline
function singleStepOf(instruction: usize, kind: u32, first: u32, last: u32): void {
  const divide = load<u32>(instruction + Word.divide * 4) != 0;
  if (load<u32>(instruction + Word.batchMean * 4) != 0) {
    if (load<u32>(instruction + Word.accumulate * 4) != 0) normalisedStep(instruction, kind, divide, true, first, last);
    else normalisedStep(instruction, kind, divide, false, first, last);
    return;
  }
  if (load<u32>(instruction + Word.accumulate * 4) != 0) singleStep(instruction, kind, divide, true, first, last);
  else singleStep(instruction, kind, divide, false, first, last);
}

export function neuronGradient(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const neurons = load<u32>(instruction + Word.neurons * 4);
  const kind = load<u32>(instruction + Word.surrogate * 4);
  if (load<u32>(instruction + Word.parts * 4) != 0) {
    if (kind == <u32>SurrogateKind.sigmoid) withSumsOf(instruction, SurrogateKind.sigmoid, scratch, from, until);
    else if (kind == <u32>SurrogateKind.arctangent) withSumsOf(instruction, SurrogateKind.arctangent, scratch, from, until);
    else withSumsOf(instruction, SurrogateKind.rectangular, scratch, from, until);
    return;
  }
  // Whole rows behind a normalisation, else whole cache lines.
  const byRows = load<u32>(instruction + Word.batchMean * 4) != 0;
  const unit: u32 = byRows ? 1 : 16;
  const all = byRows ? neurons / load<u32>(instruction + Word.channels * 4) : neurons;
  const units = (all + unit - 1) / unit;
  const first = min<u32>(all, claimStart(units, from) * unit);
  const last = min<u32>(all, claimStart(units, until) * unit);
  if (load<u32>(instruction + Word.timeSteps * 4) > 1) {
    if (kind == <u32>SurrogateKind.sigmoid) severalSteps(instruction, scratch, SurrogateKind.sigmoid, first, last);
    else if (kind == <u32>SurrogateKind.arctangent) severalSteps(instruction, scratch, SurrogateKind.arctangent, first, last);
    else severalSteps(instruction, scratch, SurrogateKind.rectangular, first, last);
  } else {
    if (kind == <u32>SurrogateKind.sigmoid) singleStepOf(instruction, SurrogateKind.sigmoid, first, last);
    else if (kind == <u32>SurrogateKind.arctangent) singleStepOf(instruction, SurrogateKind.arctangent, first, last);
    else singleStepOf(instruction, SurrogateKind.rectangular, first, last);
  }
}

/** Scratch: four membranes per time step. */
// @ts-ignore: decorator
@inline
function severalSteps(instruction: usize, scratch: usize, kind: u32, first: u32, last: u32): void {
  const timeSteps = load<u32>(instruction + Word.timeSteps * 4);
  const neurons = load<u32>(instruction + Word.neurons * 4);
  const accumulate = load<u32>(instruction + Word.accumulate * 4) != 0;
  const factor = f32x4.splat(load<f32>(instruction + Word.factor * 4));
  const divide = load<u32>(instruction + Word.divide * 4) != 0;
  const threshold = f32x4.splat(load<f32>(instruction + Word.threshold * 4));
  const inflow = f32x4.splat(load<f32>(instruction + Word.inflow * 4));
  const decay = f32x4.splat(load<f32>(instruction + Word.decay * 4));
  const stretch = stretchOf(kind, load<f32>(instruction + Word.alpha * 4));
  const alpha = f32x4.splat(load<f32>(instruction + Word.alpha * 4));
  const detachReset = load<u32>(instruction + Word.detachReset * 4) != 0;
  const input: usize = load<u32>(instruction + Word.input * 4);
  const outputGradient: usize = load<u32>(instruction + Word.outputGradient * 4);
  const inputGradient: usize = load<u32>(instruction + Word.inputGradient * 4);
  const step: usize = neurons * 4;
  for (let neuron = first; neuron < last; neuron += 4) {
    const lanes = last - neuron;
    let at: usize = neuron * 4;
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
      const beforeReset = f32x4.add(f32x4.mul(reachesSpike, derivative(kind, stretch, alpha, f32x4.sub(h, threshold))), stays);
      const result = f32x4.mul(beforeReset, inflow);
      storeLanes(inputGradient + at, accumulate ? f32x4.add(loadLanes(inputGradient + at, lanes), result) : result, lanes);
      afterReset = f32x4.mul(beforeReset, decay);
    }
  }
}

/** Which of four channels fire, all bits set. */
// @ts-ignore: decorator
@inline
function firing(
  input: usize, lanes: u32, at: usize, mean: usize, inverseDeviation: usize, weight: usize, bias: usize, factor: v128, threshold: v128, divide: bool,
): v128 {
  const x = normalised(loadLanes(input + at, lanes), at, mean, inverseDeviation, weight, bias);
  return f32x4.ge(firstCharge(x, factor, divide), threshold);
}

/** Tasks are positions: 16 spikes at a time, as in `neuron.ts`. */
// @ts-ignore: decorator
@inline
function normalisedPositions(instruction: usize, divide: bool, first: u32, last: u32): void {
  const channels = load<u32>(instruction + NormalisedNeuronWord.channels * 4);
  const factor = f32x4.splat(load<f32>(instruction + NormalisedNeuronWord.factor * 4));
  const threshold = f32x4.splat(load<f32>(instruction + NormalisedNeuronWord.threshold * 4));
  const mean: usize = load<u32>(instruction + NormalisedNeuronWord.batchMean * 4);
  const inverseDeviation: usize = load<u32>(instruction + NormalisedNeuronWord.batchInverseDeviation * 4);
  const weight: usize = load<u32>(instruction + NormalisedNeuronWord.weight * 4);
  const bias: usize = load<u32>(instruction + NormalisedNeuronWord.bias * 4);
  const rowBytes: usize = channels * 4;
  const wordBytes: usize = ((channels + 31) >>> 5) * 4;
  const whole = channels & ~15;
  let input: usize = load<u32>(instruction + NormalisedNeuronWord.input * 4) + first * rowBytes;
  let output: usize = load<u32>(instruction + NormalisedNeuronWord.output * 4) + first * wordBytes;
  for (let position = first; position < last; position++) {
    for (let channel: u32 = 0; channel < whole; channel += 16) {
      const at: usize = channel * 4;
      const s0 = firing(input, 4, at, mean, inverseDeviation, weight, bias, factor, threshold, divide);
      const s1 = firing(input, 4, at + 16, mean, inverseDeviation, weight, bias, factor, threshold, divide);
      const s2 = firing(input, 4, at + 32, mean, inverseDeviation, weight, bias, factor, threshold, divide);
      const s3 = firing(input, 4, at + 48, mean, inverseDeviation, weight, bias, factor, threshold, divide);
      const spikes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(s0, s1), i16x8.narrow_i32x4_s(s2, s3));
      store<u16>(output + (channel >>> 3), <u16>i8x16.bitmask(spikes));
    }
    // Fewer than 16 channels are left, and words end with bits of no channel: those are zero.
    for (let channel = whole; channel < <u32>(wordBytes * 8); channel += 16) {
      let bits: u32 = 0;
      for (let four = channel; four < min<u32>(channel + 16, channels); four += 4) {
        const lanes = channels - four;
        const fired = firing(input, lanes, four * 4, mean, inverseDeviation, weight, bias, factor, threshold, divide);
        const valid: u32 = lanes >= 4 ? 15 : (1 << lanes) - 1;
        bits |= (i32x4.bitmask(fired) & valid) << (four - channel);
      }
      store<u16>(output + (channel >>> 3), <u16>bits);
    }
    input += rowBytes;
    output += wordBytes;
  }
}

/**
 * One time step of neurons behind a batch normalisation, from its input: its output, which nobody else reads, is neither written nor
 * read.
 */
export function normalisedNeurons(instruction: usize, from: u32, until: u32): void {
  const positions = load<u32>(instruction + NormalisedNeuronWord.positions * 4);
  const first = claimStart(positions, from);
  const last = claimStart(positions, until);
  if (load<u32>(instruction + NormalisedNeuronWord.divide * 4) != 0) normalisedPositions(instruction, true, first, last);
  else normalisedPositions(instruction, false, first, last);
}
