/**
 * Depthwise convolution, one filter per channel, on spikes or real numbers, any kernel, stride and padding. Channels go
 * by sixteens, a cache line; the input rows under the kernel are kept in a small ring of zero-padded rows of numbers
 * (spikes become 0 and 1 there, once for all taps), so that the inner loop has neither borders nor bits in it. Four
 * or seven neighbouring outputs share each load of a weight.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { claimStart } from './threads';
import { loadLanes, multiplyAdd, neverAt, storeLanes } from './vectors';

const lineBytes: u32 = Width.depthwise * 4;

/** Bytes of four channels of a pixel. */
const vectorBytes: u32 = 16;

// @ts-ignore: decorator
@inline
function fillZeros(target: usize, pixels: u32, pixelStep: usize, vectorStep: usize): void {
  for (let x: u32 = 0; x < pixels; x++) {
    for (let vector: usize = 0; vector < 4; vector++) v128.store(target + x * pixelStep + vector * vectorStep, f32x4.splat(0));
  }
}

// @ts-ignore: decorator
@inline
function expandNibble(bits: u32, target: usize): void {
  const selectors = i32x4(1, 2, 4, 8);
  const set = i32x4.eq(v128.and(i32x4.splat(bits), selectors), selectors);
  v128.store(target, v128.and(set, f32x4.splat(1)));
}

/**
 * Writes one padded row of sixteen channels; `row` outside the image is a row of zeros. Pixels lie `pixelStep` bytes apart, vectors of four channels `vectorStep`; one is four
 * times the other, or all pixels of a vector follow each other.
 */
export function fillRow(instruction: usize, target: usize, image: u32, row: i32, firstChannel: u32, pixelStep: usize, vectorStep: usize): void {
  const height = load<u32>(instruction + Word.inputHeight * 4);
  const width = load<u32>(instruction + Word.inputWidth * 4);
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const padding = load<u32>(instruction + Word.paddingWidth * 4);
  if (row < 0 || row >= <i32>height) {
    memory.fill(target, 0, (width + 2 * padding) * lineBytes);
    return;
  }
  fillZeros(target, padding, pixelStep, vectorStep);
  target += padding * pixelStep;
  const pixels = (image * height + <u32>row) * width;
  const input: usize = load<u32>(instruction + Word.input * 4);
  if (load<u32>(instruction + Word.spikes * 4) != 0) {
    const pixelBytes: usize = ((channels + 31) >>> 5) * 4;
    let source = input + pixels * pixelBytes + (firstChannel >>> 3);
    for (let x: u32 = 0; x < width; x++) {
      const bits: u32 = load<u16>(source);
      expandNibble(bits, target);
      expandNibble(bits >>> 4, target + vectorStep);
      expandNibble(bits >>> 8, target + vectorStep * 2);
      expandNibble(bits >>> 12, target + vectorStep * 3);
      source += pixelBytes;
      target += pixelStep;
    }
  } else {
    const count = min<u32>(Width.depthwise, channels - firstChannel);
    const pixelBytes: usize = channels * 4;
    let source = input + pixels * pixelBytes + firstChannel * 4;
    if (count == Width.depthwise) {
      for (let x: u32 = 0; x < width; x++) {
        v128.store(target, v128.load(source));
        v128.store(target + vectorStep, v128.load(source, 16));
        v128.store(target + vectorStep * 2, v128.load(source, 32));
        v128.store(target + vectorStep * 3, v128.load(source, 48));
        source += pixelBytes;
        target += pixelStep;
      }
    } else {
      for (let x: u32 = 0; x < width; x++) {
        for (let channel: u32 = 0; channel < count; channel += 4) {
          v128.store(target + (channel >>> 2) * vectorStep, loadLanes(source + channel * 4, count - channel));
        }
        source += pixelBytes;
        target += pixelStep;
      }
    }
  }
  fillZeros(target, padding, pixelStep, vectorStep);
}

// @ts-ignore: decorator
@inline
function finish(sum: v128, at: usize, output: usize, residual: usize, residualOffset: usize, lanes: u32): void {
  const result = residual != 0 ? f32x4.add(sum, loadLanes(residual + residualOffset, lanes)) : sum;
  storeLanes(output + at, result, lanes);
}

/**
 * Seven neighbouring outputs of stride 1, as the maps of this family are 7 · 2ⁿ wide. Two taps beside each other share the pixels under them: eight loads instead of fourteen, every sum
 * still taken in the order of the taps. Three at a time are no faster than one.
 */
// @ts-ignore: decorator
@inline
function compute7(
  window: usize, slotBytes: usize, slot: u32, kernelHeight: u32, kernelWidth: u32, weights: usize, bias: v128,
  output: usize, pixelBytes: usize, residual: usize, lanes: u32,
): void {
  let sum0 = bias;
  let sum1 = bias;
  let sum2 = bias;
  let sum3 = bias;
  let sum4 = bias;
  let sum5 = bias;
  let sum6 = bias;
  let weight = weights;
  for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
    let source = window + slot * slotBytes;
    const pairsEnd = weight + (kernelWidth >>> 1) * (lineBytes * 2);
    for (; weight < pairsEnd; weight += lineBytes * 2) {
      const first = v128.load(weight);
      const second = v128.load(weight, lineBytes);
      const pixel0 = v128.load(source);
      sum0 = multiplyAdd(first, pixel0, sum0);
      const pixel1 = v128.load(source, 16);
      sum0 = multiplyAdd(second, pixel1, sum0);
      sum1 = multiplyAdd(first, pixel1, sum1);
      const pixel2 = v128.load(source, 32);
      sum1 = multiplyAdd(second, pixel2, sum1);
      sum2 = multiplyAdd(first, pixel2, sum2);
      const pixel3 = v128.load(source, 48);
      sum2 = multiplyAdd(second, pixel3, sum2);
      sum3 = multiplyAdd(first, pixel3, sum3);
      if (neverAt(weight)) break;
      const pixel4 = v128.load(source, 64);
      sum3 = multiplyAdd(second, pixel4, sum3);
      sum4 = multiplyAdd(first, pixel4, sum4);
      const pixel5 = v128.load(source, 80);
      sum4 = multiplyAdd(second, pixel5, sum4);
      sum5 = multiplyAdd(first, pixel5, sum5);
      const pixel6 = v128.load(source, 96);
      sum5 = multiplyAdd(second, pixel6, sum5);
      sum6 = multiplyAdd(first, pixel6, sum6);
      const pixel7 = v128.load(source, 112);
      sum6 = multiplyAdd(second, pixel7, sum6);
      source += vectorBytes * 2;
    }
    if ((kernelWidth & 1) != 0) {
      const last = v128.load(weight);
      sum0 = multiplyAdd(last, v128.load(source), sum0);
      sum1 = multiplyAdd(last, v128.load(source, 16), sum1);
      sum2 = multiplyAdd(last, v128.load(source, 32), sum2);
      sum3 = multiplyAdd(last, v128.load(source, 48), sum3);
      sum4 = multiplyAdd(last, v128.load(source, 64), sum4);
      sum5 = multiplyAdd(last, v128.load(source, 80), sum5);
      sum6 = multiplyAdd(last, v128.load(source, 96), sum6);
      weight += lineBytes;
    }
    if (++slot == kernelHeight) slot = 0;
  }
  finish(sum0, 0, output, residual, 0, lanes);
  finish(sum1, pixelBytes, output, residual, pixelBytes, lanes);
  finish(sum2, pixelBytes * 2, output, residual, pixelBytes * 2, lanes);
  finish(sum3, pixelBytes * 3, output, residual, pixelBytes * 3, lanes);
  finish(sum4, pixelBytes * 4, output, residual, pixelBytes * 4, lanes);
  finish(sum5, pixelBytes * 5, output, residual, pixelBytes * 5, lanes);
  finish(sum6, pixelBytes * 6, output, residual, pixelBytes * 6, lanes);
}

/** Four neighbouring outputs of any stride (`step` bytes of a padded row). */
// @ts-ignore: decorator
@inline
function compute4(
  window: usize, slotBytes: usize, slot: u32, step: usize, kernelHeight: u32, kernelWidth: u32, weights: usize, bias: v128,
  output: usize, pixelBytes: usize, residual: usize, lanes: u32,
): void {
  let sum0 = bias;
  let sum1 = bias;
  let sum2 = bias;
  let sum3 = bias;
  let weight = weights;
  for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
    let source = window + slot * slotBytes;
    const weightEnd = weight + kernelWidth * lineBytes;
    for (; weight < weightEnd; weight += lineBytes) {
      const factor = v128.load(weight);
      sum0 = multiplyAdd(factor, v128.load(source), sum0);
      sum1 = multiplyAdd(factor, v128.load(source + step), sum1);
      sum2 = multiplyAdd(factor, v128.load(source + step * 2), sum2);
      sum3 = multiplyAdd(factor, v128.load(source + step * 3), sum3);
      source += vectorBytes;
    }
    if (++slot == kernelHeight) slot = 0;
  }
  finish(sum0, 0, output, residual, 0, lanes);
  finish(sum1, pixelBytes, output, residual, pixelBytes, lanes);
  finish(sum2, pixelBytes * 2, output, residual, pixelBytes * 2, lanes);
  finish(sum3, pixelBytes * 3, output, residual, pixelBytes * 3, lanes);
}

// @ts-ignore: decorator
@inline
function compute1(
  window: usize, slotBytes: usize, slot: u32, kernelHeight: u32, kernelWidth: u32, weights: usize, bias: v128, output: usize, residual: usize, lanes: u32,
): void {
  let sum = bias;
  let weight = weights;
  for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
    let source = window + slot * slotBytes;
    const weightEnd = weight + kernelWidth * lineBytes;
    for (; weight < weightEnd; weight += lineBytes) {
      sum = multiplyAdd(v128.load(weight), v128.load(source), sum);
      source += vectorBytes;
    }
    if (++slot == kernelHeight) slot = 0;
  }
  finish(sum, 0, output, residual, 0, lanes);
}

/**
 * One output row of up to sixteen channels. `slot` is where in the ring the top row lies. All channels of a few outputs before the next ones: what lies under them in the
 * ring then stays in the first cache, which a whole ring of a wide map exceeds. In a row of the ring all pixels of four channels follow each other: 64 bytes apart they would
 * all lie in one bank of that cache, which is read once a cycle.
 */
function computeRow(
  instruction: usize, ring: usize, slotBytes: usize, slot: u32, weights: usize, bias: usize, output: usize, residual: usize, channels: u32,
): void {
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const pixelBytes: usize = load<u32>(instruction + Word.outputChannels * 4) * 4;
  const planeBytes = slotBytes >>> 2;
  const step: usize = load<u32>(instruction + Word.strideWidth * 4) * vectorBytes;
  let x: u32 = 0;
  if (step == vectorBytes) {
    for (; x + 7 <= outputWidth; x += 7) {
      for (let channel: u32 = 0; channel < channels; channel += 4) {
        const lane: usize = channel * 4;
        const offset = x * pixelBytes + lane;
        compute7(
          ring + channel / 4 * planeBytes + x * vectorBytes, slotBytes, slot, kernelHeight, kernelWidth, weights + lane, v128.load(bias + lane),
          output + offset, pixelBytes, residual != 0 ? residual + offset : 0, channels - channel,
        );
      }
    }
  }
  for (; x + 4 <= outputWidth; x += 4) {
    for (let channel: u32 = 0; channel < channels; channel += 4) {
      const lane: usize = channel * 4;
      const offset = x * pixelBytes + lane;
      compute4(
        ring + channel / 4 * planeBytes + x * step, slotBytes, slot, step, kernelHeight, kernelWidth, weights + lane, v128.load(bias + lane),
        output + offset, pixelBytes, residual != 0 ? residual + offset : 0, channels - channel,
      );
    }
  }
  for (; x < outputWidth; x++) {
    for (let channel: u32 = 0; channel < channels; channel += 4) {
      const lane: usize = channel * 4;
      const offset = x * pixelBytes + lane;
      compute1(
        ring + channel / 4 * planeBytes + x * step, slotBytes, slot, kernelHeight, kernelWidth, weights + lane, v128.load(bias + lane),
        output + offset, residual != 0 ? residual + offset : 0, channels - channel,
      );
    }
  }
}

/** Tasks are output rows of (image, sixteen channels); a share is consecutive rows, which reuse the ring. */
export function depthwiseConvolution(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const taps = kernelHeight * load<u32>(instruction + Word.kernelWidth * 4);
  const stride = load<u32>(instruction + Word.strideHeight * 4);
  const padding = load<u32>(instruction + Word.paddingHeight * 4);
  const residualBase: usize = load<u32>(instruction + Word.residual * 4);
  const residualPositions = load<u32>(instruction + Word.residualPositions * 4);
  const slotBytes: usize =
    (load<u32>(instruction + Word.inputWidth * 4) + 2 * load<u32>(instruction + Word.paddingWidth * 4)) * lineBytes;
  const lines = (channels + Width.depthwise - 1) / Width.depthwise;
  const tasks = load<u32>(instruction + Word.images * 4) * lines * outputHeight;
  const last = claimStart(tasks, until);
  let plane: u32 = u32.MAX_VALUE;
  // Rows are counted from the top of the padding. Rows before `filled` are in the ring, as far as it reaches.
  let filled: u32 = 0;
  for (let task = claimStart(tasks, from); task < last; task++) {
    const y = task % outputHeight;
    const image = task / outputHeight / lines;
    const firstChannel = ((task / outputHeight) % lines) * Width.depthwise;
    const top = y * stride;
    if (task / outputHeight != plane) {
      plane = task / outputHeight;
      filled = top;
    }
    for (let row = max<u32>(filled, top); row < top + kernelHeight; row++) {
      fillRow(instruction, scratch + (row % kernelHeight) * slotBytes, image, <i32>row - <i32>padding, firstChannel, vectorBytes, slotBytes >>> 2);
    }
    filled = top + kernelHeight;
    const position = (image * outputHeight + y) * outputWidth;
    const count = min<u32>(Width.depthwise, channels - firstChannel);
    const offset: usize = firstChannel * 4;
    computeRow(
      instruction, scratch, slotBytes, top % kernelHeight,
      load<u32>(instruction + Word.weights * 4) + offset * taps,
      load<u32>(instruction + Word.bias * 4) + offset,
      load<u32>(instruction + Word.output * 4) + position * channels * 4 + offset,
      residualBase != 0 ? residualBase + (position % residualPositions) * channels * 4 + offset : 0,
      count,
    );
  }
}
