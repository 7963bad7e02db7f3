/** The largest number of each window, and its gradient (`src/engines/calls/maxPool.ts`). */
import { claimStart } from './threads';
import { loadLanes, storeLanes } from './vectors';

enum Word {
  input = 1,
  output,
  images,
  inputHeight,
  inputWidth,
  channels,
  kernel,
  stride,
  padding,
}

enum GradientWord {
  input = 1,
  outputGradient,
  inputGradient,
  images,
  inputHeight,
  inputWidth,
  channels,
  kernel,
  stride,
  padding,
  accumulate,
}

// @ts-ignore: decorator
@inline
function pooledSize(size: u32, kernel: u32, stride: u32, padding: u32): u32 {
  return (size + 2 * padding - kernel) / stride + 1;
}

/** The first pixel of a window that lies in the map. */
// @ts-ignore: decorator
@inline
function windowStart(at: u32, stride: u32, padding: u32): u32 {
  return at * stride > padding ? at * stride - padding : 0;
}

/** One behind its last pixel. */
// @ts-ignore: decorator
@inline
function windowEnd(at: u32, kernel: u32, stride: u32, padding: u32, size: u32): u32 {
  return min<u32>(size, at * stride + kernel - padding);
}

/** Tasks are rows of the output. */
export function maxPool(instruction: usize, from: u32, until: u32): void {
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const kernel = load<u32>(instruction + Word.kernel * 4);
  const stride = load<u32>(instruction + Word.stride * 4);
  const padding = load<u32>(instruction + Word.padding * 4);
  const pixelBytes: usize = load<u32>(instruction + Word.channels * 4) * 4;
  const height = pooledSize(inputHeight, kernel, stride, padding);
  const width = pooledSize(inputWidth, kernel, stride, padding);
  const tasks = load<u32>(instruction + Word.images * 4) * height;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const y = task % height;
    const image: usize = load<u32>(instruction + Word.input * 4) + (task / height) * inputHeight * inputWidth * pixelBytes;
    const top = windowStart(y, stride, padding);
    const bottom = windowEnd(y, kernel, stride, padding, inputHeight);
    let output: usize = load<u32>(instruction + Word.output * 4) + task * width * pixelBytes;
    for (let x: u32 = 0; x < width; x++) {
      const left = windowStart(x, stride, padding);
      const right = windowEnd(x, kernel, stride, padding, inputWidth);
      for (let at: usize = 0; at < pixelBytes; at += 16) {
        const lanes = <u32>(pixelBytes - at) >>> 2;
        let largest = f32x4.splat(-Infinity);
        for (let row = top; row < bottom; row++) {
          let source = image + (row * inputWidth + left) * pixelBytes + at;
          for (let column = left; column < right; column++) {
            // What is no number must stay seen.
            largest = f32x4.max(largest, loadLanes(source, lanes));
            source += pixelBytes;
          }
        }
        storeLanes(output + at, largest, lanes);
      }
      output += pixelBytes;
    }
  }
}

/** Tasks are cache lines of channels of an image: windows overlap, and their sums are taken in the order of the output. */
export function maxPoolGradient(instruction: usize, from: u32, until: u32): void {
  const inputHeight = load<u32>(instruction + GradientWord.inputHeight * 4);
  const inputWidth = load<u32>(instruction + GradientWord.inputWidth * 4);
  const channels = load<u32>(instruction + GradientWord.channels * 4);
  const kernel = load<u32>(instruction + GradientWord.kernel * 4);
  const stride = load<u32>(instruction + GradientWord.stride * 4);
  const padding = load<u32>(instruction + GradientWord.padding * 4);
  const accumulate = load<u32>(instruction + GradientWord.accumulate * 4) != 0;
  const pixelBytes: usize = channels * 4;
  const pixels: usize = inputHeight * inputWidth;
  const height = pooledSize(inputHeight, kernel, stride, padding);
  const width = pooledSize(inputWidth, kernel, stride, padding);
  const lines = (channels + 15) >>> 4;
  const tasks = load<u32>(instruction + GradientWord.images * 4) * lines;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const image = task / lines;
    const firstChannel = (task % lines) << 4;
    const lastChannel = min<u32>(channels, firstChannel + 16);
    for (let channel = firstChannel; channel < lastChannel; channel += 4) {
      const lanes = lastChannel - channel;
      const input: usize = load<u32>(instruction + GradientWord.input * 4) + image * pixels * pixelBytes + channel * 4;
      const target: usize =
        load<u32>(instruction + GradientWord.inputGradient * 4) + image * pixels * pixelBytes + channel * 4;
      let arriving: usize =
        load<u32>(instruction + GradientWord.outputGradient * 4) + image * height * width * pixelBytes + channel * 4;
      if (!accumulate)
        for (let pixel: usize = 0; pixel < pixels; pixel++)
          storeLanes(target + pixel * pixelBytes, f32x4.splat(0), lanes);
      for (let y: u32 = 0; y < height; y++) {
        const top = windowStart(y, stride, padding);
        const bottom = windowEnd(y, kernel, stride, padding, inputHeight);
        for (let x: u32 = 0; x < width; x++) {
          const left = windowStart(x, stride, padding);
          const right = windowEnd(x, kernel, stride, padding, inputWidth);
          const places = largestOf(input, top, bottom, left, right, inputWidth, pixelBytes, lanes);
          const gradient = loadLanes(arriving, lanes);
          for (let row = top; row < bottom; row++) {
            for (let column = left; column < right; column++) {
              const pixel = row * inputWidth + column;
              const here = i32x4.eq(places, i32x4.splat(pixel));
              if (!v128.any_true(here)) continue;
              const place = target + pixel * pixelBytes;
              storeLanes(place, f32x4.add(loadLanes(place, lanes), v128.and(gradient, here)), lanes);
            }
          }
          arriving += pixelBytes;
        }
      }
    }
  }
}

/** Which pixel holds the first of the largest numbers of a window, for four channels. */
function largestOf(
  input: usize,
  top: u32,
  bottom: u32,
  left: u32,
  right: u32,
  inputWidth: u32,
  pixelBytes: usize,
  lanes: u32,
): v128 {
  let largest = f32x4.splat(-Infinity);
  let places = i32x4.splat(top * inputWidth + left);
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const pixel = row * inputWidth + column;
      const value = loadLanes(input + pixel * pixelBytes, lanes);
      const larger = v128.or(f32x4.gt(value, largest), f32x4.ne(value, value));
      largest = v128.bitselect(value, largest, larger);
      places = v128.bitselect(i32x4.splat(pixel), places, larger);
    }
  }
  return places;
}
