/**
 * Leaky integrate-and-fire neurons with hard reset, real numbers in, packed spikes out:
 * `h = v + (x − v)/τ`, `s = h ≥ θ`, `v = (1 − s)·h`. Membranes of 16 channels stay in registers over all time steps; a
 * comparison and a bit mask make 16 spikes at once. Bit for bit what PyTorch's float32 gives: the quotient by τ is a
 * product only when τ is a power of two.
 */
import { ConvolutionWord, NeuronWord as Word } from '../src/engines/wasm/instructionSet';
import { claimStart } from './threads';
import { loadLanes } from './vectors';

// @ts-ignore: decorator
@inline
export function charge(membrane: v128, input: v128, factor: v128, divide: bool): v128 {
  const difference = f32x4.sub(input, membrane);
  return f32x4.add(membrane, divide ? f32x4.div(difference, factor) : f32x4.mul(difference, factor));
}

/** The same of an empty membrane: of the first time step. */
// @ts-ignore: decorator
@inline
export function firstCharge(input: v128, factor: v128, divide: bool): v128 {
  return divide ? f32x4.div(input, factor) : f32x4.mul(input, factor);
}

// @ts-ignore: decorator
@inline
function neurons16(
  input: usize, inputStep: usize, output: usize, outputStep: usize, membrane: usize, timeSteps: u32, factor: v128, threshold: v128, divide: bool,
): void {
  let v0 = f32x4.splat(0);
  let v1 = f32x4.splat(0);
  let v2 = f32x4.splat(0);
  let v3 = f32x4.splat(0);
  if (membrane != 0) {
    v0 = v128.load(membrane);
    v1 = v128.load(membrane, 16);
    v2 = v128.load(membrane, 32);
    v3 = v128.load(membrane, 48);
  }
  for (let step: u32 = 0; step < timeSteps; step++) {
    const h0 = charge(v0, v128.load(input), factor, divide);
    const h1 = charge(v1, v128.load(input, 16), factor, divide);
    const h2 = charge(v2, v128.load(input, 32), factor, divide);
    const h3 = charge(v3, v128.load(input, 48), factor, divide);
    const s0 = f32x4.ge(h0, threshold);
    const s1 = f32x4.ge(h1, threshold);
    const s2 = f32x4.ge(h2, threshold);
    const s3 = f32x4.ge(h3, threshold);
    v0 = v128.andnot(h0, s0);
    v1 = v128.andnot(h1, s1);
    v2 = v128.andnot(h2, s2);
    v3 = v128.andnot(h3, s3);
    // All-ones masks narrow to all-ones bytes, in order.
    const spikes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(s0, s1), i16x8.narrow_i32x4_s(s2, s3));
    store<u16>(output, <u16>i8x16.bitmask(spikes));
    input += inputStep;
    output += outputStep;
  }
  if (membrane == 0) return;
  v128.store(membrane, v0);
  v128.store(membrane, v1, 16);
  v128.store(membrane, v2, 32);
  v128.store(membrane, v3, 48);
}

/** Fewer than 16 channels; writes all 16 bits, the unused ones zero. */
function neuronsTail(
  input: usize, inputStep: usize, output: usize, outputStep: usize, membranes: usize, timeSteps: u32, channels: u32, factor: f32, threshold: f32, divide: bool,
): void {
  for (let step: u32 = 0; step < timeSteps; step++) store<u16>(output + step * outputStep, 0);
  for (let channel: u32 = 0; channel < channels; channel++) {
    let membrane: f32 = membranes != 0 ? load<f32>(membranes + channel * 4) : 0;
    for (let step: u32 = 0; step < timeSteps; step++) {
      const difference = load<f32>(input + step * inputStep + channel * 4) - membrane;
      const h = membrane + (divide ? difference / factor : difference * factor);
      const fires = h >= threshold;
      membrane = fires ? 0 : h;
      const target = output + step * outputStep;
      store<u16>(target, <u16>(load<u16>(target) | (<u32>fires << channel)));
    }
    if (membranes != 0) store<f32>(membranes + channel * 4, membrane);
  }
}

export function leakyIntegrateAndFire(instruction: usize, from: u32, until: u32): void {
  const timeSteps = load<u32>(instruction + Word.timeSteps * 4);
  const positions = load<u32>(instruction + Word.positions * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const scalarFactor = load<f32>(instruction + Word.factor * 4);
  const scalarThreshold = load<f32>(instruction + Word.threshold * 4);
  const divide = load<u32>(instruction + Word.divide * 4) != 0;
  const positionBytes = channels * 4;
  const wordBytes = ((channels + 31) >>> 5) * 4;
  const inputStep: usize = load<u32>(instruction + Word.inputTimeSteps * 4) == 1 ? 0 : positions * positionBytes;
  const outputStep: usize = positions * wordBytes;
  const whole = channels >>> 4;
  const rest = channels & 15;
  const halves = wordBytes >>> 1;
  const factor = f32x4.splat(scalarFactor);
  const threshold = f32x4.splat(scalarThreshold);
  const first = claimStart(positions, from);
  const last = claimStart(positions, until);
  let input: usize = load<u32>(instruction + Word.input * 4) + first * positionBytes;
  let output: usize = load<u32>(instruction + Word.output * 4) + first * wordBytes;
  const membranes: usize = load<u32>(instruction + Word.membrane * 4);
  const membraneStep: usize = membranes != 0 ? 64 : 0;
  let membrane = membranes != 0 ? membranes + first * positionBytes : 0;
  for (let position = first; position < last; position++) {
    for (let half: u32 = 0; half < whole; half++) {
      if (divide) neurons16(input + half * 64, inputStep, output + half * 2, outputStep, membrane + half * membraneStep, timeSteps, factor, threshold, true);
      else neurons16(input + half * 64, inputStep, output + half * 2, outputStep, membrane + half * membraneStep, timeSteps, factor, threshold, false);
    }
    let half = whole;
    if (rest != 0) {
      neuronsTail(input + half * 64, inputStep, output + half * 2, outputStep, membrane + half * membraneStep, timeSteps, rest, scalarFactor, scalarThreshold, divide);
      half++;
    }
    if (half < halves) {
      for (let step: u32 = 0; step < timeSteps; step++) store<u16>(output + half * 2 + step * outputStep, 0);
    }
    input += positionBytes;
    output += wordBytes;
    if (membranes != 0) membrane += positionBytes;
  }
}

/** Eight channels over all time steps, membranes empty at first; a byte of spikes for each. */
// @ts-ignore: decorator
@inline
function neurons8(
  input: usize, inputStep: usize, output: usize, outputStep: usize, timeSteps: u32, channels: u32, factor: v128, threshold: v128, divide: bool,
): void {
  let v0 = f32x4.splat(0);
  let v1 = f32x4.splat(0);
  const valid = (<u32>1 << channels) - 1;
  for (let step: u32 = 0; step < timeSteps; step++) {
    const h0 = charge(v0, loadLanes(input, channels), factor, divide);
    const h1 = channels > 4 ? charge(v1, loadLanes(input + 16, channels - 4), factor, divide) : v1;
    const s0 = f32x4.ge(h0, threshold);
    const s1 = f32x4.ge(h1, threshold);
    v0 = v128.andnot(h0, s0);
    v1 = v128.andnot(h1, s1);
    store<u8>(output, <u8>((i32x4.bitmask(s0) | (i32x4.bitmask(s1) << 4)) & valid));
    input += inputStep;
    output += outputStep;
  }
}

/** Sixteen channels at the only time step: two bytes of spikes. */
// @ts-ignore: decorator
@inline
function neuronsOnce16(input: usize, output: usize, factor: v128, threshold: v128, divide: bool): void {
  const s0 = f32x4.ge(firstCharge(v128.load(input), factor, divide), threshold);
  const s1 = f32x4.ge(firstCharge(v128.load(input, 16), factor, divide), threshold);
  const s2 = f32x4.ge(firstCharge(v128.load(input, 32), factor, divide), threshold);
  const s3 = f32x4.ge(firstCharge(v128.load(input, 48), factor, divide), threshold);
  const spikes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(s0, s1), i16x8.narrow_i32x4_s(s2, s3));
  store<u16>(output, <u16>i8x16.bitmask(spikes));
}

// @ts-ignore: decorator
@inline
function fireChannels(
  instruction: usize, input: usize, inputStep: usize, pixelBytes: usize, output: usize, outputStep: usize, wordBytes: usize, padding: usize,
  width: u32, count: u32, timeSteps: u32, divide: bool,
): void {
  const factor = f32x4.splat(load<f32>(instruction + ConvolutionWord.factor * 4));
  const threshold = f32x4.splat(load<f32>(instruction + ConvolutionWord.threshold * 4));
  const whole = width & ~7;
  const bytes: usize = (width + 7) >>> 3;
  const once = timeSteps == 1 ? width & ~15 : 0;
  for (let position: u32 = 0; position < count; position++) {
    for (let channel: u32 = 0; channel < once; channel += 16) {
      neuronsOnce16(input + channel * 4, output + (channel >>> 3), factor, threshold, divide);
    }
    for (let channel: u32 = once; channel < whole; channel += 8) {
      neurons8(input + channel * 4, inputStep, output + (channel >>> 3), outputStep, timeSteps, 8, factor, threshold, divide);
    }
    if (whole != width) {
      neurons8(input + whole * 4, inputStep, output + (whole >>> 3), outputStep, timeSteps, width - whole, factor, threshold, divide);
    }
    for (let byte = bytes; byte < bytes + padding; byte++) {
      for (let step: u32 = 0; step < timeSteps; step++) store<u8>(output + byte + step * outputStep, 0);
    }
    input += pixelBytes;
    output += wordBytes;
  }
}

/**
 * Neurons that a convolution feeds, for `count` positions of each time step from `first` on and `width` of its channels, whose currents it has just written at `input`
 * (positions and time steps so many bytes apart); a multiple of eight channels unless they are the last. Bit for bit as `leakyIntegrateAndFire`.
 */
export function fire(
  instruction: usize, input: usize, inputStep: usize, positionBytes: usize, firstChannel: u32, width: u32, first: u32, count: u32, perStep: u32,
): void {
  const channels = load<u32>(instruction + ConvolutionWord.outputChannels * 4);
  const timeSteps = load<u32>(instruction + ConvolutionWord.timeSteps * 4);
  const wordBytes: usize = ((channels + 31) >>> 5) * 4;
  const output = <usize>load<u32>(instruction + ConvolutionWord.neurons * 4) + first * wordBytes + (firstChannel >>> 3);
  const padding: usize = firstChannel + width == channels ? wordBytes - ((channels + 7) >>> 3) : 0;
  const outputStep = perStep * wordBytes;
  if (load<u32>(instruction + ConvolutionWord.divide * 4) != 0) {
    fireChannels(instruction, input, inputStep, positionBytes, output, outputStep, wordBytes, padding, width, count, timeSteps, true);
  } else {
    fireChannels(instruction, input, inputStep, positionBytes, output, outputStep, wordBytes, padding, width, count, timeSteps, false);
  }
}
