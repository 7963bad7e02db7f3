/**
 * Integrate-and-fire neurons with hard reset, real numbers in, packed spikes out: `h = v + x`, `s = h ≥ θ`, `v = (1 − s)·h`; and their gradient by a
 * surrogate. As `neuron.ts` and `trainingNeuron.ts` have leaky ones, four channels at a time.
 */
import { NeuronWord as Word } from '../src/engines/wasm/instructionSet';
import { NeuronGradientWord as GradientWord, SurrogateKind } from '../src/engines/wasm/trainingInstructionSet';
import { claimStart } from './threads';
import { derivative, stretchOf } from './trainingNeuron';
import { loadLanes, storeLanes } from './vectors';

/** Up to four channels of a position over all time steps: their bits, or'ed into a byte of each step. */
// @ts-ignore: decorator
@inline
function neurons4(
  input: usize, inputStep: usize, output: usize, outputStep: usize, membrane: usize, timeSteps: u32, lanes: u32, shift: u32, threshold: v128,
): void {
  const valid: u32 = lanes >= 4 ? 15 : (1 << lanes) - 1;
  let v = membrane != 0 ? loadLanes(membrane, lanes) : f32x4.splat(0);
  for (let step: u32 = 0; step < timeSteps; step++) {
    const h = f32x4.add(v, loadLanes(input, lanes));
    const fires = f32x4.ge(h, threshold);
    v = v128.andnot(h, fires);
    store<u8>(output, <u8>(load<u8>(output) | ((i32x4.bitmask(fires) & valid) << shift)));
    input += inputStep;
    output += outputStep;
  }
  if (membrane != 0) storeLanes(membrane, v, lanes);
}

export function integrateAndFire(instruction: usize, from: u32, until: u32): void {
  const timeSteps = load<u32>(instruction + Word.timeSteps * 4);
  const positions = load<u32>(instruction + Word.positions * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const threshold = f32x4.splat(load<f32>(instruction + Word.threshold * 4));
  const positionBytes: usize = channels * 4;
  const wordBytes: usize = ((channels + 31) >>> 5) * 4;
  const inputStep: usize = load<u32>(instruction + Word.inputTimeSteps * 4) == 1 ? 0 : positions * positionBytes;
  const outputStep: usize = positions * wordBytes;
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const membranes: usize = load<u32>(instruction + Word.membrane * 4);
  const last = claimStart(positions, until);
  for (let position = claimStart(positions, from); position < last; position++) {
    const target = output + position * wordBytes;
    for (let step: u32 = 0; step < timeSteps; step++) memory.fill(target + step * outputStep, 0, wordBytes);
    const source = input + position * positionBytes;
    const membrane = membranes != 0 ? membranes + position * positionBytes : 0;
    for (let channel: u32 = 0; channel < channels; channel += 4) {
      const own = membrane != 0 ? membrane + channel * 4 : 0;
      neurons4(source + channel * 4, inputStep, target + (channel >>> 3), outputStep, own, timeSteps, channels - channel, channel & 7, threshold);
    }
  }
}

/** Scratch: four membranes per time step. */
// @ts-ignore: decorator
@inline
function gradientOf(instruction: usize, scratch: usize, kind: u32, first: u32, last: u32): void {
  const timeSteps = load<u32>(instruction + GradientWord.timeSteps * 4);
  const step: usize = load<u32>(instruction + GradientWord.neurons * 4) * 4;
  const accumulate = load<u32>(instruction + GradientWord.accumulate * 4) != 0;
  const detachReset = load<u32>(instruction + GradientWord.detachReset * 4) != 0;
  const threshold = f32x4.splat(load<f32>(instruction + GradientWord.threshold * 4));
  const stretch = stretchOf(kind, load<f32>(instruction + GradientWord.alpha * 4));
  const alpha = f32x4.splat(load<f32>(instruction + GradientWord.alpha * 4));
  const input: usize = load<u32>(instruction + GradientWord.input * 4);
  const outputGradient: usize = load<u32>(instruction + GradientWord.outputGradient * 4);
  const inputGradient: usize = load<u32>(instruction + GradientWord.inputGradient * 4);
  for (let neuron = first; neuron < last; neuron += 4) {
    const lanes = last - neuron;
    let at: usize = neuron * 4;
    let membrane = f32x4.splat(0);
    for (let time: u32 = 0; time < timeSteps; time++) {
      const h = f32x4.add(membrane, loadLanes(input + at, lanes));
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
      afterReset = f32x4.add(f32x4.mul(reachesSpike, derivative(kind, stretch, alpha, f32x4.sub(h, threshold))), stays);
      storeLanes(inputGradient + at, accumulate ? f32x4.add(loadLanes(inputGradient + at, lanes), afterReset) : afterReset, lanes);
    }
  }
}

export function integrateAndFireGradient(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const neurons = load<u32>(instruction + GradientWord.neurons * 4);
  // Whole cache lines.
  const units = (neurons + 15) >>> 4;
  const first = min<u32>(neurons, claimStart(units, from) << 4);
  const last = min<u32>(neurons, claimStart(units, until) << 4);
  const kind = load<u32>(instruction + GradientWord.surrogate * 4);
  if (kind == <u32>SurrogateKind.sigmoid) gradientOf(instruction, scratch, SurrogateKind.sigmoid, first, last);
  else if (kind == <u32>SurrogateKind.arctangent) gradientOf(instruction, scratch, SurrogateKind.arctangent, first, last);
  else gradientOf(instruction, scratch, SurrogateKind.rectangular, first, last);
}
