/**
 * Gradient of a depthwise convolution with respect to its weights: per channel and tap, products of input and output
 * gradient summed over positions. Channels go by sixteens as in the forward kernel; images are cut into a fixed number
 * of parts. The gradient with respect to the input is the forward kernel on a kernel turned around.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { TrainingConvolutionWord as Extra } from '../src/engines/wasm/trainingInstructionSet';
import { fillRow } from './depthwiseConvolution';
import { claimStart, shareStart } from './threads';
import { loadLanes, multiplyAdd } from './vectors';

const lineBytes: u32 = Width.depthwise * 4;

/** One row of the output's gradient, sixteen channels a pixel, unused ones zero. */
function copyGradientRow(instruction: usize, target: usize, row: u32, firstChannel: u32): void {
  const channels = load<u32>(instruction + Word.outputChannels * 4);
  const width = load<u32>(instruction + Word.outputWidth * 4);
  const count = min<u32>(Width.depthwise, channels - firstChannel);
  let source = <usize>load<u32>(instruction + Word.output * 4) + (row * width * channels + firstChannel) * 4;
  for (let x: u32 = 0; x < width; x++) {
    for (let channel: u32 = 0; channel < <u32>Width.depthwise; channel += 4) {
      const value = channel < count ? loadLanes(source + channel * 4, count - channel) : f32x4.splat(0);
      v128.store(target + channel * 4, value);
    }
    source += channels * 4;
    target += lineBytes;
  }
}

// @ts-ignore: decorator
@inline
function addTo(target: usize, sum: v128): void {
  v128.store(target, f32x4.add(v128.load(target), sum));
}

/** Sums of one kernel row for four channels, over one row of outputs: up to four neighbouring taps share a gradient. */
function addRow(gradient: usize, input: usize, step: usize, width: u32, kernelWidth: u32, sums: usize): void {
  const end = gradient + width * lineBytes;
  let tap: u32 = 0;
  for (; tap + 4 <= kernelWidth; tap += 4) {
    let sum0 = f32x4.splat(0);
    let sum1 = f32x4.splat(0);
    let sum2 = f32x4.splat(0);
    let sum3 = f32x4.splat(0);
    let source = input + tap * lineBytes;
    for (let at = gradient; at < end; at += lineBytes) {
      const value = v128.load(at);
      sum0 = multiplyAdd(value, v128.load(source), sum0);
      sum1 = multiplyAdd(value, v128.load(source, 64), sum1);
      sum2 = multiplyAdd(value, v128.load(source, 128), sum2);
      sum3 = multiplyAdd(value, v128.load(source, 192), sum3);
      source += step;
    }
    addTo(sums + tap * lineBytes, sum0);
    addTo(sums + (tap + 1) * lineBytes, sum1);
    addTo(sums + (tap + 2) * lineBytes, sum2);
    addTo(sums + (tap + 3) * lineBytes, sum3);
  }
  if (tap + 3 == kernelWidth) {
    let sum0 = f32x4.splat(0);
    let sum1 = f32x4.splat(0);
    let sum2 = f32x4.splat(0);
    let source = input + tap * lineBytes;
    for (let at = gradient; at < end; at += lineBytes) {
      const value = v128.load(at);
      sum0 = multiplyAdd(value, v128.load(source), sum0);
      sum1 = multiplyAdd(value, v128.load(source, 64), sum1);
      sum2 = multiplyAdd(value, v128.load(source, 128), sum2);
      source += step;
    }
    addTo(sums + tap * lineBytes, sum0);
    addTo(sums + (tap + 1) * lineBytes, sum1);
    addTo(sums + (tap + 2) * lineBytes, sum2);
    return;
  }
  for (; tap < kernelWidth; tap++) {
    let sum = f32x4.splat(0);
    let source = input + tap * lineBytes;
    for (let at = gradient; at < end; at += lineBytes) {
      sum = multiplyAdd(v128.load(at), v128.load(source), sum);
      source += step;
    }
    addTo(sums + tap * lineBytes, sum);
  }
}

/** Tasks are (part of the images, sixteen channels). Scratch: a ring of input rows, one row of the gradient. */
export function depthwiseWeightGradient(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const images = load<u32>(instruction + Word.images * 4);
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const step: usize = load<u32>(instruction + Word.strideWidth * 4) * lineBytes;
  const padding = load<u32>(instruction + Word.paddingHeight * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const parts = load<u32>(instruction + Extra.parts * 4);
  const partBytes: usize = load<u32>(instruction + Extra.partBytes * 4);
  const slotBytes: usize =
    (load<u32>(instruction + Word.inputWidth * 4) + 2 * load<u32>(instruction + Word.paddingWidth * 4)) * lineBytes;
  const gradient = scratch + kernelHeight * slotBytes;
  const lines = (channels + Width.depthwise - 1) / Width.depthwise;
  const sumBytes: usize = kernelHeight * kernelWidth * lineBytes;
  const last = claimStart(parts * lines, until);
  for (let task = claimStart(parts * lines, from); task < last; task++) {
    const part = task / lines;
    const line = task % lines;
    const firstChannel = line * Width.depthwise;
    const sums = packed + part * partBytes + line * sumBytes;
    memory.fill(sums, 0, sumBytes);
    const lastImage = shareStart(images, part + 1, parts);
    for (let image = shareStart(images, part, parts); image < lastImage; image++) {
      let filled: u32 = 0;
      for (let y: u32 = 0; y < outputHeight; y++) {
        const top = y * strideHeight;
        for (let row = max<u32>(filled, top); row < top + kernelHeight; row++) {
          fillRow(instruction, scratch + (row % kernelHeight) * slotBytes, image, <i32>row - <i32>padding, firstChannel, lineBytes, 16);
        }
        filled = top + kernelHeight;
        copyGradientRow(instruction, gradient, image * outputHeight + y, firstChannel);
        for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
          const input = scratch + ((top + tapY) % kernelHeight) * slotBytes;
          const target = sums + tapY * kernelWidth * lineBytes;
          for (let lane: usize = 0; lane < lineBytes; lane += 16) {
            addRow(gradient + lane, input + lane, step, outputWidth, kernelWidth, target + lane);
          }
        }
      }
    }
  }
}

/** Adds the sums of all parts to the gradient `[channel][tap]`. */
export function addDepthwiseWeightGradient(instruction: usize, from: u32, until: u32): void {
  const channels = load<u32>(instruction + Word.outputChannels * 4);
  const taps = load<u32>(instruction + Word.kernelHeight * 4) * load<u32>(instruction + Word.kernelWidth * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const parts = load<u32>(instruction + Extra.parts * 4);
  const partBytes: usize = load<u32>(instruction + Extra.partBytes * 4);
  const last = claimStart(channels, until);
  for (let channel = claimStart(channels, from); channel < last; channel++) {
    const line = channel / Width.depthwise;
    for (let tap: u32 = 0; tap < taps; tap++) {
      const source = packed + ((line * taps + tap) * Width.depthwise + (channel % Width.depthwise)) * 4;
      let sum: f32 = 0;
      for (let part: u32 = 0; part < parts; part++) sum += load<f32>(source + part * partBytes);
      const target = output + (channel * taps + tap) * 4;
      store<f32>(target, load<f32>(target) + sum);
    }
  }
}
