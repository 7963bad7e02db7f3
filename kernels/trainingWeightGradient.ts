/**
 * Gradient of a convolution with respect to its weights as a matrix product, patches of the input (spikes become 0 and 1)
 * transposed times the gradient of the output. For inputs that are real numbers, and spikes with a stride. Positions are cut
 * into a fixed number of parts with sums of their own; `addWeightGradient` adds them up in order.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { TrainingConvolutionWord as Extra } from '../src/engines/wasm/trainingInstructionSet';
import { shareStart } from './threads';

/** One element of a patch for one position goes to lane k mod 4 of group k div 4; a group is `[position][4]`. */
function copyPatch(instruction: usize, target: usize, groupBytes: usize, position: u32): void {
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
  const top = y * load<u32>(instruction + Word.strideHeight * 4) - load<u32>(instruction + Word.paddingHeight * 4);
  const left = x * load<u32>(instruction + Word.strideWidth * 4) - load<u32>(instruction + Word.paddingWidth * 4);
  let k: u32 = 0;
  for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
    for (let tapX: u32 = 0; tapX < kernelWidth; tapX++) {
      const inside = top + tapY < inputHeight && left + tapX < inputWidth;
      const pixel = (image * inputHeight + top + tapY) * inputWidth + left + tapX;
      const end = k + channels;
      if (!inside) {
        for (; k < end; k++) store<f32>(target + (k >>> 2) * groupBytes + ((k & 3) << 2), 0);
      } else if (spikes) {
        const source = input + pixel * words * 4;
        for (let channel: u32 = 0; k < end; k++) {
          const bit = (load<u32>(source + ((channel >>> 5) << 2)) >>> (channel & 31)) & 1;
          store<f32>(target + (k >>> 2) * groupBytes + ((k & 3) << 2), <f32>bit);
          channel++;
        }
      } else {
        let source = input + pixel * channels * 4;
        if ((k & 3) == 0) {
          for (; k + 4 <= end; k += 4) {
            v128.store(target + (k >>> 2) * groupBytes, v128.load(source));
            source += 16;
          }
        }
        for (; k < end; k++) {
          store<f32>(target + (k >>> 2) * groupBytes + ((k & 3) << 2), load<f32>(source));
          source += 4;
        }
      }
    }
  }
  for (; (k & 3) != 0; k++) store<f32>(target + (k >>> 2) * groupBytes + ((k & 3) << 2), 0);
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
    low0 = f32x4.add(low0, f32x4.mul(x0, low));
    high0 = f32x4.add(high0, f32x4.mul(x0, high));
    const x1 = v128.load_splat<u32>(patches, 4);
    low1 = f32x4.add(low1, f32x4.mul(x1, low));
    high1 = f32x4.add(high1, f32x4.mul(x1, high));
    const x2 = v128.load_splat<u32>(patches, 8);
    low2 = f32x4.add(low2, f32x4.mul(x2, low));
    high2 = f32x4.add(high2, f32x4.mul(x2, high));
    const x3 = v128.load_splat<u32>(patches, 12);
    low3 = f32x4.add(low3, f32x4.mul(x3, low));
    high3 = f32x4.add(high3, f32x4.mul(x3, high));
    panel += Width.panel * 4;
  }
  finish(target, low0, high0, add);
  finish(target + 32, low1, high1, add);
  finish(target + 64, low2, high2, add);
  finish(target + 96, low3, high3, add);
}

/**
 * `output` is the output's gradient. Tasks are (part of the positions, panel of output channels). Scratch: a panel of the
 * gradient, patches. Sums: `[part][panel][tap, input channel][8]`.
 */
export function denseWeightGradient(instruction: usize, scratch: usize, thread: u32, threads: u32): void {
  const positions =
    load<u32>(instruction + Word.images * 4) *
    load<u32>(instruction + Word.outputHeight * 4) *
    load<u32>(instruction + Word.outputWidth * 4);
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
  const groupBytes: usize = perBlock * 16;
  const patches = scratch + perBlock * Width.panel * 4;
  const end = shareStart(parts * panels, thread + 1, threads);
  let task = shareStart(parts * panels, thread, threads);
  while (task < end) {
    const part = task / panels;
    const firstPanel = task - part * panels;
    const lastPanel = min<u32>(panels, firstPanel + end - task);
    const partStart = shareStart(positions, part, parts);
    const partEnd = shareStart(positions, part + 1, parts);
    for (let first = partStart; first < partEnd; first += perBlock) {
      const last = min<u32>(partEnd, first + perBlock);
      for (let position = first; position < last; position++) {
        copyPatch(instruction, patches + (position - first) * 16, groupBytes, position);
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
export function addWeightGradient(instruction: usize, thread: u32, threads: u32): void {
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
  const last = shareStart(quads * inputChannels, thread + 1, threads);
  for (let task = shareStart(quads * inputChannels, thread, threads); task < last; task++) {
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
