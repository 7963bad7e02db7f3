/**
 * Gradient of a convolution with respect to its weights as a matrix product, patches of the input (spikes become 0 and 1)
 * transposed times the gradient of the output. For inputs that are real numbers, and spikes with a stride. Positions are cut
 * into a fixed number of parts with sums of their own; `addWeightGradient` adds them up in order.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { TrainingConvolutionWord as Extra } from '../src/engines/wasm/trainingInstructionSet';
import { positionsOf } from './denseConvolution';
import { claimStart, shareStart } from './threads';
import { multiplyAdd } from './vectors';

// @ts-ignore: decorator
@inline
function copyNumbers(target: usize, source: usize, byteLength: usize): void {
  let at: usize = 0;
  for (; at + 16 <= byteLength; at += 16) v128.store(target + at, v128.load(source + at));
  for (; at < byteLength; at += 4) store<u32>(target + at, load<u32>(source + at));
}

/** Unpacks the spikes of one pixel; may write up to three numbers beyond them. */
// @ts-ignore: decorator
@inline
function copySpikes(target: usize, source: usize, channels: u32): void {
  const selectors = i32x4(1, 2, 4, 8);
  for (let channel: u32 = 0; channel < channels; channel += 4) {
    const bits = i32x4.splat(load<u32>(source + ((channel >>> 5) << 2)) >>> (channel & 31));
    const set = i32x4.eq(v128.and(bits, selectors), selectors);
    v128.store(target + channel * 4, v128.and(set, f32x4.splat(1)));
  }
}

/** Copies the patch under one position to `row`: `[tap][input channel]`, up to three numbers beyond its end being overwritten. */
function copyPatch(instruction: usize, row: usize, position: u32): void {
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const spikes = load<u32>(instruction + Word.spikes * 4) != 0;
  const input: usize = load<u32>(instruction + Word.input * 4);
  const words = (channels + 31) >>> 5;
  const x = position % outputWidth;
  const y = (position / outputWidth) % outputHeight;
  const image = position / outputWidth / outputHeight;
  const top = <i32>(y * load<u32>(instruction + Word.strideHeight * 4)) - <i32>load<u32>(instruction + Word.paddingHeight * 4);
  const left = <i32>(x * load<u32>(instruction + Word.strideWidth * 4)) - <i32>load<u32>(instruction + Word.paddingWidth * 4);
  // The kernel's columns [from, to) lie inside the image; to ≥ from even when none does.
  const from = <u32>min<i32>(kernelWidth, max<i32>(0, -left));
  const to = <u32>max<i32>(from, min<i32>(kernelWidth, <i32>inputWidth - left));
  for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
    const inputY = <u32>(top + <i32>tapY);
    // A negative coordinate is a huge unsigned one.
    const inside = inputY < inputHeight && from != to;
    if (!inside || from != 0 || to != kernelWidth) memory.fill(row, 0, kernelWidth * channels * 4);
    if (inside) {
      const pixel = (image * inputHeight + inputY) * inputWidth + <u32>(left + <i32>from);
      if (spikes) {
        for (let tapX = from; tapX < to; tapX++) {
          copySpikes(row + tapX * channels * 4, input + (pixel + tapX - from) * words * 4, channels);
        }
      } else {
        copyNumbers(row + from * channels * 4, input + pixel * channels * 4, (to - from) * channels * 4);
      }
    }
    row += kernelWidth * channels * 4;
  }
}

/** Copies one panel of output channels of a block of positions to `[position][8]`. */
function copyPanel(instruction: usize, target: usize, first: u32, last: u32, firstChannel: u32): void {
  const channels = load<u32>(instruction + Word.outputChannels * 4);
  const lanes = min<u32>(Width.panel, channels - firstChannel);
  let source = <usize>load<u32>(instruction + Word.output * 4) + (first * channels + firstChannel) * 4;
  for (let position = first; position < last; position++) {
    if (lanes == <u32>Width.panel) {
      v128.store(target, v128.load(source));
      v128.store(target, v128.load(source, 16), 16);
    } else {
      for (let lane: u32 = 0; lane < <u32>Width.panel; lane++) {
        store<f32>(target + lane * 4, lane < lanes ? load<f32>(source + lane * 4) : 0);
      }
    }
    source += channels * 4;
    target += Width.panel * 4;
  }
}

// @ts-ignore: decorator
@inline
function finish(target: usize, low: v128, high: v128, add: bool): void {
  v128.store(target, add ? f32x4.add(v128.load(target), low) : low);
  v128.store(target, add ? f32x4.add(v128.load(target, 16), high) : high, 16);
}

/** Four elements of the patches times eight output channels, summed over `count` positions. */
function multiply(patches: usize, panel: usize, count: u32, target: usize, add: bool): void {
  let low0 = f32x4.splat(0);
  let low1 = f32x4.splat(0);
  let low2 = f32x4.splat(0);
  let low3 = f32x4.splat(0);
  let high0 = f32x4.splat(0);
  let high1 = f32x4.splat(0);
  let high2 = f32x4.splat(0);
  let high3 = f32x4.splat(0);
  const end = patches + count * 16;
  for (; patches < end; patches += 16) {
    const low = v128.load(panel);
    const high = v128.load(panel, 16);
    const x0 = v128.load_splat<u32>(patches);
    low0 = multiplyAdd(x0, low, low0);
    high0 = multiplyAdd(x0, high, high0);
    const x1 = v128.load_splat<u32>(patches, 4);
    low1 = multiplyAdd(x1, low, low1);
    high1 = multiplyAdd(x1, high, high1);
    const x2 = v128.load_splat<u32>(patches, 8);
    low2 = multiplyAdd(x2, low, low2);
    high2 = multiplyAdd(x2, high, high2);
    const x3 = v128.load_splat<u32>(patches, 12);
    low3 = multiplyAdd(x3, low, low3);
    high3 = multiplyAdd(x3, high, high3);
    panel += Width.panel * 4;
  }
  finish(target, low0, high0, add);
  finish(target + 32, low1, high1, add);
  finish(target + 64, low2, high2, add);
  finish(target + 96, low3, high3, add);
}

/**
 * `output` is the output's gradient. Tasks are (part of the positions, panel of output channels). Scratch: a panel of the
 * gradient, a patch, patches. Sums: `[part][panel][tap, input channel][8]`.
 */
export function denseWeightGradient(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const positions = positionsOf(instruction);
  const elements =
    load<u32>(instruction + Word.kernelHeight * 4) *
    load<u32>(instruction + Word.kernelWidth * 4) *
    load<u32>(instruction + Word.inputChannels * 4);
  const panels = (load<u32>(instruction + Word.outputChannels * 4) + Width.panel - 1) / Width.panel;
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const parts = load<u32>(instruction + Extra.parts * 4);
  const partBytes: usize = load<u32>(instruction + Extra.partBytes * 4);
  const chunkBytes: usize = load<u32>(instruction + Extra.chunkBytes * 4);
  const perBlock = load<u32>(instruction + Extra.positionsPerBlock * 4);
  const groups = (elements + 3) >>> 2;
  // A group is `[position][4]`; not a power of two apart, which would send all of them to the same lines of the cache.
  const groupBytes: usize = perBlock * 16 + 64;
  const row = scratch + perBlock * Width.panel * 4;
  const patches = row + groups * 16 + 64;
  const end = claimStart(parts * panels, until);
  let task = claimStart(parts * panels, from);
  while (task < end) {
    const part = task / panels;
    const firstPanel = task - part * panels;
    const lastPanel = min<u32>(panels, firstPanel + end - task);
    const partStart = shareStart(positions, part, parts);
    const partEnd = shareStart(positions, part + 1, parts);
    for (let first = partStart; first < partEnd; first += perBlock) {
      const last = min<u32>(partEnd, first + perBlock);
      for (let position = first; position < last; position++) {
        copyPatch(instruction, row, position);
        let target = patches + (position - first) * 16;
        for (let at: usize = 0; at < groups * 16; at += 16) {
          v128.store(target, v128.load(row + at));
          target += groupBytes;
        }
      }
      for (let panel = firstPanel; panel < lastPanel; panel++) {
        copyPanel(instruction, scratch, first, last, panel * Width.panel);
        const target = packed + part * partBytes + panel * chunkBytes;
        for (let group: u32 = 0; group < groups; group++) {
          multiply(patches + group * groupBytes, scratch, last - first, target + group * 128, first > partStart);
        }
      }
    }
    task += lastPanel - firstPanel;
  }
}

/**
 * Adds the sums of all parts, `[part][chunk of output channels][tap, input channel][width]`, to the gradient
 * `[outputChannel][inputChannel][tap]` at `output`. Tasks are (four output channels, input channel).
 */
export function addWeightGradient(instruction: usize, from: u32, until: u32): void {
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const taps = load<u32>(instruction + Word.kernelHeight * 4) * load<u32>(instruction + Word.kernelWidth * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const parts = load<u32>(instruction + Extra.parts * 4);
  const partBytes: usize = load<u32>(instruction + Extra.partBytes * 4);
  const width = load<u32>(instruction + Extra.width * 4);
  const chunkBytes: usize = load<u32>(instruction + Extra.chunkBytes * 4);
  const quads = (outputChannels + 3) >>> 2;
  const last = claimStart(quads * inputChannels, until);
  for (let task = claimStart(quads * inputChannels, from); task < last; task++) {
    const firstOutput = (task / inputChannels) * 4;
    const input = task % inputChannels;
    const lanes = min<u32>(4, outputChannels - firstOutput);
    const column = packed + (firstOutput / width) * chunkBytes + (firstOutput % width) * 4;
    for (let tap: u32 = 0; tap < taps; tap++) {
      let source = column + (tap * inputChannels + input) * width * 4;
      let sum = v128.load(source);
      for (let part: u32 = 1; part < parts; part++) {
        source += partBytes;
        sum = f32x4.add(sum, v128.load(source));
      }
      const stride = inputChannels * taps * 4;
      const target = output + ((firstOutput * inputChannels + input) * taps + tap) * 4;
      store<f32>(target, load<f32>(target) + f32x4.extract_lane(sum, 0));
      if (lanes > 1) store<f32>(target + stride, load<f32>(target + stride) + f32x4.extract_lane(sum, 1));
      if (lanes > 2) store<f32>(target + stride * 2, load<f32>(target + stride * 2) + f32x4.extract_lane(sum, 2));
      if (lanes > 3) store<f32>(target + stride * 3, load<f32>(target + stride * 3) + f32x4.extract_lane(sum, 3));
    }
  }
}
