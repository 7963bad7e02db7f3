/**
 * Resampling of maps and its gradient (`src/engines/calls/resize.ts`). Places are computed in whole numbers, so that they are the same everywhere; the gradient is
 * gathered pixel by pixel of the input, whose row stays in the first cache, so that no two threads write the same place.
 */
import { claimStart } from './threads';
import { loadLanes, storeLanes } from './vectors';

enum Word {
  input = 1,
  output,
  images,
  inputHeight,
  inputWidth,
  outputHeight,
  outputWidth,
  channels,
  bilinear,
}

enum GradientWord {
  outputGradient = 1,
  inputGradient,
  images,
  inputHeight,
  inputWidth,
  outputHeight,
  outputWidth,
  channels,
  bilinear,
  accumulate,
}

/** 2·b·s of pixel `at` of b, where s is its place among a pixels, not below 0. */
// @ts-ignore: decorator
@inline
function placeOf(at: u32, a: u32, b: u32): u64 {
  const end = <u64>(2 * at + 1) * a;
  return end > b ? end - b : 0;
}

/** The pixel before the place of pixel `at`, or the nearest. */
// @ts-ignore: decorator
@inline
function lowerOf(at: u32, a: u32, b: u32, bilinear: bool): u32 {
  return bilinear ? <u32>(placeOf(at, a, b) / (<u64>b << 1)) : <u32>((<u64>at * a) / b);
}

/** The weight of the pixel behind it. */
// @ts-ignore: decorator
@inline
function shareOf(at: u32, a: u32, b: u32): f32 {
  return <f32>(placeOf(at, a, b) % (<u64>b << 1)) / <f32>(<u64>b << 1);
}

// @ts-ignore: decorator
@inline
function ceilingOf(numerator: i64, denominator: i64): u32 {
  return numerator <= 0 ? 0 : <u32>((numerator + denominator - 1) / denominator);
}

/** The first pixel of b that pixel `at` of a is part of; those of its neighbours may be before it. */
// @ts-ignore: decorator
@inline
function firstReader(at: u32, a: u32, b: u32, bilinear: bool): u32 {
  if (!bilinear) return ceilingOf(<i64>at * b, a);
  return at < 2 ? 0 : ceilingOf(<i64>b * (2 * <i64>at - 1) - a, 2 * <i64>a);
}

/** One behind the last pixel of b that pixel `at` of a is part of. */
// @ts-ignore: decorator
@inline
function endOfReaders(at: u32, a: u32, b: u32, bilinear: bool): u32 {
  if (!bilinear) return ceilingOf((<i64>at + 1) * b, a);
  return min<u32>(b, ceilingOf(<i64>b * (2 * <i64>at + 3) - a, 2 * <i64>a));
}

/** The weight of pixel `pixel` of a in pixel `at` of b, one of its readers. */
// @ts-ignore: decorator
@inline
function weightIn(at: u32, pixel: u32, a: u32, b: u32, bilinear: bool): f32 {
  if (!bilinear) return 1;
  const lower = lowerOf(at, a, b, true);
  const share = shareOf(at, a, b);
  let weight: f32 = lower == pixel ? 1 - share : 0;
  if (min<u32>(lower + 1, a - 1) == pixel) weight += share;
  return weight;
}

/** Tasks are rows of the output. */
export function resize(instruction: usize, from: u32, until: u32): void {
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const pixelBytes: usize = load<u32>(instruction + Word.channels * 4) * 4;
  const bilinear = load<u32>(instruction + Word.bilinear * 4) != 0;
  const tasks = load<u32>(instruction + Word.images * 4) * outputHeight;
  const first = claimStart(tasks, from);
  const last = claimStart(tasks, until);
  let output: usize = load<u32>(instruction + Word.output * 4) + first * outputWidth * pixelBytes;
  for (let task = first; task < last; task++) {
    const y = task % outputHeight;
    const image: usize =
      load<u32>(instruction + Word.input * 4) + (task / outputHeight) * inputHeight * inputWidth * pixelBytes;
    const row = lowerOf(y, inputHeight, outputHeight, bilinear);
    const upper = image + row * inputWidth * pixelBytes;
    const lower = image + min<u32>(row + 1, inputHeight - 1) * inputWidth * pixelBytes;
    const share = bilinear ? shareOf(y, inputHeight, outputHeight) : 0;
    for (let x: u32 = 0; x < outputWidth; x++) {
      const column = lowerOf(x, inputWidth, outputWidth, bilinear);
      const left: usize = column * pixelBytes;
      if (bilinear) {
        const right: usize = min<u32>(column + 1, inputWidth - 1) * pixelBytes;
        mix(output, upper, lower, left, right, share, shareOf(x, inputWidth, outputWidth), pixelBytes);
      } else {
        memory.copy(output, upper + left, pixelBytes);
      }
      output += pixelBytes;
    }
  }
}

/** A pixel out of four. */
function mix(
  target: usize,
  upper: usize,
  lower: usize,
  left: usize,
  right: usize,
  down: f32,
  across: f32,
  pixelBytes: usize,
): void {
  const upperLeft = f32x4.splat((1 - down) * (1 - across));
  const upperRight = f32x4.splat((1 - down) * across);
  const lowerLeft = f32x4.splat(down * (1 - across));
  const lowerRight = f32x4.splat(down * across);
  for (let at: usize = 0; at < pixelBytes; at += 16) {
    const lanes = <u32>(pixelBytes - at) >>> 2;
    const above = f32x4.add(
      f32x4.mul(upperLeft, loadLanes(upper + left + at, lanes)),
      f32x4.mul(upperRight, loadLanes(upper + right + at, lanes)),
    );
    const below = f32x4.add(
      f32x4.mul(lowerLeft, loadLanes(lower + left + at, lanes)),
      f32x4.mul(lowerRight, loadLanes(lower + right + at, lanes)),
    );
    storeLanes(target + at, f32x4.add(above, below), lanes);
  }
}

/** Tasks are rows of the input. */
export function resizeGradient(instruction: usize, from: u32, until: u32): void {
  const inputHeight = load<u32>(instruction + GradientWord.inputHeight * 4);
  const inputWidth = load<u32>(instruction + GradientWord.inputWidth * 4);
  const outputHeight = load<u32>(instruction + GradientWord.outputHeight * 4);
  const outputWidth = load<u32>(instruction + GradientWord.outputWidth * 4);
  const pixelBytes: usize = load<u32>(instruction + GradientWord.channels * 4) * 4;
  const bilinear = load<u32>(instruction + GradientWord.bilinear * 4) != 0;
  const accumulate = load<u32>(instruction + GradientWord.accumulate * 4) != 0;
  const tasks = load<u32>(instruction + GradientWord.images * 4) * inputHeight;
  const first = claimStart(tasks, from);
  const last = claimStart(tasks, until);
  let target: usize = load<u32>(instruction + GradientWord.inputGradient * 4) + first * inputWidth * pixelBytes;
  for (let task = first; task < last; task++) {
    const y = task % inputHeight;
    const image: usize =
      load<u32>(instruction + GradientWord.outputGradient * 4) +
      (task / inputHeight) * outputHeight * outputWidth * pixelBytes;
    const top = firstReader(y, inputHeight, outputHeight, bilinear);
    const bottom = endOfReaders(y, inputHeight, outputHeight, bilinear);
    for (let x: u32 = 0; x < inputWidth; x++) {
      if (!accumulate) memory.fill(target, 0, pixelBytes);
      const left = firstReader(x, inputWidth, outputWidth, bilinear);
      const right = endOfReaders(x, inputWidth, outputWidth, bilinear);
      for (let row = top; row < bottom; row++) {
        const down = weightIn(row, y, inputHeight, outputHeight, bilinear);
        for (let column = left; column < right; column++) {
          const weight = down * weightIn(column, x, inputWidth, outputWidth, bilinear);
          if (weight != 0) addWeighted(target, image + (row * outputWidth + column) * pixelBytes, weight, pixelBytes);
        }
      }
      target += pixelBytes;
    }
  }
}

function addWeighted(target: usize, source: usize, weight: f32, pixelBytes: usize): void {
  const weights = f32x4.splat(weight);
  for (let at: usize = 0; at < pixelBytes; at += 16) {
    const lanes = <u32>(pixelBytes - at) >>> 2;
    const sum = f32x4.add(loadLanes(target + at, lanes), f32x4.mul(weights, loadLanes(source + at, lanes)));
    storeLanes(target + at, sum, lanes);
  }
}
