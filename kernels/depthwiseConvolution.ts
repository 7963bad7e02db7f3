/**
 * Depthwise convolution, one filter per channel, on spikes or real numbers, any kernel, stride and padding. Channels go
 * by sixteens, a cache line; the input rows under the kernel are kept in a small ring of zero-padded rows of numbers
 * (spikes become 0 and 1 there, once for all taps), so that the inner loop has neither borders nor bits in it. Four
 * or seven neighbouring outputs share each load of a weight.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { claimStart } from './threads';
import { loadLanes, multiplyAdd, storeLanes } from './vectors';

const lineBytes: u32 = Width.depthwise * 4;

// @ts-ignore: decorator
@inline
function expandNibble(bits: u32, target: usize): void {
  const selectors = i32x4(1, 2, 4, 8);
  const set = i32x4.eq(v128.and(i32x4.splat(bits), selectors), selectors);
  v128.store(target, v128.and(set, f32x4.splat(1)));
}

/** Writes one padded row of sixteen channels; `row` outside the image is a row of zeros. */
export function fillRow(instruction: usize, target: usize, image: u32, row: i32, firstChannel: u32): void {
  const height = load<u32>(instruction + Word.inputHeight * 4);
  const width = load<u32>(instruction + Word.inputWidth * 4);
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const padding = load<u32>(instruction + Word.paddingWidth * 4);
  if (row < 0 || row >= <i32>height) {
    memory.fill(target, 0, (width + 2 * padding) * lineBytes);
    return;
  }
  memory.fill(target, 0, padding * lineBytes);
  target += padding * lineBytes;
  const pixels = (image * height + <u32>row) * width;
  const input: usize = load<u32>(instruction + Word.input * 4);
  if (load<u32>(instruction + Word.spikes * 4) != 0) {
    const pixelBytes: usize = ((channels + 31) >>> 5) * 4;
    let source = input + pixels * pixelBytes + (firstChannel >>> 3);
    for (let x: u32 = 0; x < width; x++) {
      const bits: u32 = load<u16>(source);
      expandNibble(bits, target);
      expandNibble(bits >>> 4, target + 16);
      expandNibble(bits >>> 8, target + 32);
      expandNibble(bits >>> 12, target + 48);
      source += pixelBytes;
      target += lineBytes;
    }
  } else {
    const count = min<u32>(Width.depthwise, channels - firstChannel);
    let source = input + (pixels * channels + firstChannel) * 4;
    for (let x: u32 = 0; x < width; x++) {
      for (let channel: u32 = 0; channel < count; channel += 4) {
        v128.store(target + channel * 4, loadLanes(source + channel * 4, count - channel));
      }
      source += channels * 4;
      target += lineBytes;
    }
  }
  memory.fill(target, 0, padding * lineBytes);
}

// @ts-ignore: decorator
@inline
function finish(sum: v128, at: usize, output: usize, residual: usize, residualOffset: usize, lanes: u32): void {
  const result = residual != 0 ? f32x4.add(sum, loadLanes(residual + residualOffset, lanes)) : sum;
  storeLanes(output + at, result, lanes);
}

/**
 * Seven neighbouring outputs of stride 1: the maps of this family are 7 · 2ⁿ wide, and seven sums, seven products and a
 * weight just fit the registers.
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
    const weightEnd = weight + kernelWidth * lineBytes;
    for (; weight < weightEnd; weight += lineBytes) {
      const factor = v128.load(weight);
      sum0 = multiplyAdd(factor, v128.load(source), sum0);
      sum1 = multiplyAdd(factor, v128.load(source, 64), sum1);
      sum2 = multiplyAdd(factor, v128.load(source, 128), sum2);
      sum3 = multiplyAdd(factor, v128.load(source, 192), sum3);
      sum4 = multiplyAdd(factor, v128.load(source, 256), sum4);
      sum5 = multiplyAdd(factor, v128.load(source, 320), sum5);
      sum6 = multiplyAdd(factor, v128.load(source, 384), sum6);
      source += lineBytes;
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

/** One output row of one vector of channels. `ring` is the channels' part of slot 0, `slot` where the top row lies. */
function computeRow(
  instruction: usize, ring: usize, slotBytes: usize, slot: u32, weights: usize, bias: v128, output: usize, residual: usize, lanes: u32,
): void {
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const pixelBytes: usize = load<u32>(instruction + Word.outputChannels * 4) * 4;
  const step: usize = load<u32>(instruction + Word.strideWidth * 4) * lineBytes;
  let x: u32 = 0;
  if (step == lineBytes) {
    for (; x + 7 <= outputWidth; x += 7) {
      const offset = x * pixelBytes;
      compute7(
        ring + x * lineBytes, slotBytes, slot, kernelHeight, kernelWidth, weights, bias,
        output + offset, pixelBytes, residual != 0 ? residual + offset : 0, lanes,
      );
    }
  }
  for (; x + 4 <= outputWidth; x += 4) {
    let sum0 = bias;
    let sum1 = bias;
    let sum2 = bias;
    let sum3 = bias;
    let weight = weights;
    let at = slot;
    for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
      let source = ring + at * slotBytes + x * step;
      const weightEnd = weight + kernelWidth * lineBytes;
      for (; weight < weightEnd; weight += lineBytes) {
        const factor = v128.load(weight);
        sum0 = multiplyAdd(factor, v128.load(source), sum0);
        sum1 = multiplyAdd(factor, v128.load(source + step), sum1);
        sum2 = multiplyAdd(factor, v128.load(source + step * 2), sum2);
        sum3 = multiplyAdd(factor, v128.load(source + step * 3), sum3);
        source += lineBytes;
      }
      if (++at == kernelHeight) at = 0;
    }
    const offset = x * pixelBytes;
    finish(sum0, offset, output, residual, offset, lanes);
    finish(sum1, offset + pixelBytes, output, residual, offset + pixelBytes, lanes);
    finish(sum2, offset + pixelBytes * 2, output, residual, offset + pixelBytes * 2, lanes);
    finish(sum3, offset + pixelBytes * 3, output, residual, offset + pixelBytes * 3, lanes);
  }
  for (; x < outputWidth; x++) {
    let sum = bias;
    let weight = weights;
    let at = slot;
    for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
      let source = ring + at * slotBytes + x * step;
      const weightEnd = weight + kernelWidth * lineBytes;
      for (; weight < weightEnd; weight += lineBytes) {
        sum = multiplyAdd(v128.load(weight), v128.load(source), sum);
        source += lineBytes;
      }
      if (++at == kernelHeight) at = 0;
    }
    finish(sum, x * pixelBytes, output, residual, x * pixelBytes, lanes);
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
      fillRow(instruction, scratch + (row % kernelHeight) * slotBytes, image, <i32>row - <i32>padding, firstChannel);
    }
    filled = top + kernelHeight;
    const position = (image * outputHeight + y) * outputWidth;
    const count = min<u32>(Width.depthwise, channels - firstChannel);
    for (let channel: u32 = 0; channel < count; channel += 4) {
      const lane: usize = channel * 4;
      const offset: usize = (firstChannel + channel) * 4;
      computeRow(
        instruction, scratch + lane, slotBytes, top % kernelHeight,
        load<u32>(instruction + Word.weights * 4) + firstChannel * taps * 4 + lane,
        v128.load(load<u32>(instruction + Word.bias * 4) + offset),
        load<u32>(instruction + Word.output * 4) + position * channels * 4 + offset,
        residualBase != 0 ? residualBase + (position % residualPositions) * channels * 4 + offset : 0,
        count - channel,
      );
    }
  }
}
