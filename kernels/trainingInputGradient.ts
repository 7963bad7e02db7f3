/**
 * Gradient of a convolution with respect to its input, as a matrix product of 4×8 tiles: patches of the output's gradient
 * times transposed weights. With a stride, input pixels fall into phases by the remainder of their coordinates; within a
 * phase all pixels meet the same taps, so no product with an inserted zero is done. Patches are copied for a few taps at a
 * time, so that they and a panel stay in the caches.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { TrainingConvolutionWord as Extra } from '../src/engines/wasm/trainingInstructionSet';
import { shareStart } from './threads';
import { phaseTaps } from './trainingPacking';
import { loadLanes, storeLanes } from './vectors';

// @ts-ignore: decorator
@inline
function finish(target: usize, low: v128, high: v128, add: bool, lanes: u32): void {
  if (lanes == 8) {
    v128.store(target, add ? f32x4.add(low, v128.load(target)) : low);
    v128.store(target, add ? f32x4.add(high, v128.load(target, 16)) : high, 16);
    return;
  }
  storeLanes(target, add ? f32x4.add(low, loadLanes(target, lanes)) : low, lanes);
  if (lanes > 4) storeLanes(target + 16, add ? f32x4.add(high, loadLanes(target + 16, lanes - 4)) : high, lanes - 4);
}

/** Four patches times one panel; `targets` holds the addresses of the four results. */
function multiply4(rows: usize, rowBytes: usize, panel: usize, targets: usize, offset: usize, add: bool, lanes: u32): void {
  const row1 = rows + rowBytes;
  const row2 = row1 + rowBytes;
  const row3 = row2 + rowBytes;
  let low0 = f32x4.splat(0);
  let low1 = f32x4.splat(0);
  let low2 = f32x4.splat(0);
  let low3 = f32x4.splat(0);
  let high0 = f32x4.splat(0);
  let high1 = f32x4.splat(0);
  let high2 = f32x4.splat(0);
  let high3 = f32x4.splat(0);
  for (let at: usize = 0; at < rowBytes; at += 4) {
    const weightLow = v128.load(panel);
    const weightHigh = v128.load(panel, 16);
    const x0 = v128.load_splat<u32>(rows + at);
    low0 = f32x4.add(low0, f32x4.mul(x0, weightLow));
    high0 = f32x4.add(high0, f32x4.mul(x0, weightHigh));
    const x1 = v128.load_splat<u32>(row1 + at);
    low1 = f32x4.add(low1, f32x4.mul(x1, weightLow));
    high1 = f32x4.add(high1, f32x4.mul(x1, weightHigh));
    const x2 = v128.load_splat<u32>(row2 + at);
    low2 = f32x4.add(low2, f32x4.mul(x2, weightLow));
    high2 = f32x4.add(high2, f32x4.mul(x2, weightHigh));
    const x3 = v128.load_splat<u32>(row3 + at);
    low3 = f32x4.add(low3, f32x4.mul(x3, weightLow));
    high3 = f32x4.add(high3, f32x4.mul(x3, weightHigh));
    panel += Width.panel * 4;
  }
  finish(load<u32>(targets) + offset, low0, high0, add, lanes);
  finish(load<u32>(targets, 4) + offset, low1, high1, add, lanes);
  finish(load<u32>(targets, 8) + offset, low2, high2, add, lanes);
  finish(load<u32>(targets, 12) + offset, low3, high3, add, lanes);
}

function multiply1(row: usize, rowBytes: usize, panel: usize, target: usize, add: bool, lanes: u32): void {
  let low = f32x4.splat(0);
  let high = f32x4.splat(0);
  for (let at: usize = 0; at < rowBytes; at += 4) {
    const x = v128.load_splat<u32>(row + at);
    low = f32x4.add(low, f32x4.mul(x, v128.load(panel)));
    high = f32x4.add(high, f32x4.mul(x, v128.load(panel, 16)));
    panel += Width.panel * 4;
  }
  finish(target, low, high, add, lanes);
}

/** The first coordinate of a phase, and how many there are. */
// @ts-ignore: decorator
@inline
function phaseFirst(padding: u32, stride: u32, phase: u32): u32 {
  return (phase + stride - (padding % stride)) % stride;
}

// @ts-ignore: decorator
@inline
function phaseCount(size: u32, first: u32, stride: u32): u32 {
  return first < size ? (size - first + stride - 1) / stride : 0;
}


/** Addresses of the results of pixels [first, last) of a phase. */
function listTargets(
  instruction: usize, targets: usize, first: u32, last: u32, firstY: u32, firstX: u32, rows: u32, columns: u32,
): void {
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const strideWidth = load<u32>(instruction + Word.strideWidth * 4);
  const pixelBytes = load<u32>(instruction + Word.inputChannels * 4) * 4;
  const output = load<u32>(instruction + Word.output * 4);
  for (let pixel = first; pixel < last; pixel++) {
    const x = firstX + (pixel % columns) * strideWidth;
    const row = pixel / columns;
    const y = firstY + (row % rows) * strideHeight;
    const image = row / rows;
    store<u32>(targets, output + ((image * inputHeight + y) * inputWidth + x) * pixelBytes);
    targets += 4;
  }
}

// @ts-ignore: decorator
@inline
function copyNumbers(target: usize, source: usize, byteLength: usize): void {
  let at: usize = 0;
  for (; at + 16 <= byteLength; at += 16) v128.store(target + at, v128.load(source + at));
  for (; at < byteLength; at += 4) store<u32>(target + at, load<u32>(source + at));
}

// @ts-ignore: decorator
@inline
function clearNumbers(target: usize, byteLength: usize): void {
  let at: usize = 0;
  for (; at + 16 <= byteLength; at += 16) v128.store(target + at, i32x4.splat(0));
  for (; at < byteLength; at += 4) store<u32>(target + at, 0);
}

/** Copies what pixels [first, last) of a phase meet with taps [firstTap, lastTap) of the phase. */
function copyPatches(
  instruction: usize, target: usize, first: u32, last: u32, firstY: u32, firstX: u32, rows: u32, columns: u32,
  phaseY: u32, phaseX: u32, tapsX: u32, firstTap: u32, lastTap: u32,
): void {
  if (firstTap == lastTap) return;
  const gradient: usize = load<u32>(instruction + Word.input * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const strideWidth = load<u32>(instruction + Word.strideWidth * 4);
  const paddingHeight = load<u32>(instruction + Word.paddingHeight * 4);
  const paddingWidth = load<u32>(instruction + Word.paddingWidth * 4);
  const pixelBytes: usize = load<u32>(instruction + Word.outputChannels * 4) * 4;
  for (let pixel = first; pixel < last; pixel++) {
    const x = firstX + (pixel % columns) * strideWidth;
    const row = pixel / columns;
    const y = firstY + (row % rows) * strideHeight;
    const image = row / rows;
    // Exact: a phase is where these differences are multiples of the stride.
    const baseY = (<i32>(y + paddingHeight) - <i32>phaseY) / <i32>strideHeight;
    const baseX = (<i32>(x + paddingWidth) - <i32>phaseX) / <i32>strideWidth;
    let tapY = firstTap / tapsX;
    let tapX = firstTap - tapY * tapsX;
    for (let tap = firstTap; tap < lastTap; tap++) {
      const outputY = <u32>(baseY - <i32>tapY);
      const outputX = <u32>(baseX - <i32>tapX);
      // A negative coordinate is a huge unsigned one.
      if (outputY < outputHeight && outputX < outputWidth) {
        copyNumbers(target, gradient + ((image * outputHeight + outputY) * outputWidth + outputX) * pixelBytes, pixelBytes);
      } else {
        clearNumbers(target, pixelBytes);
      }
      target += pixelBytes;
      if (++tapX == tapsX) {
        tapX = 0;
        tapY++;
      }
    }
  }
}

/** One panel of input channels for a block of pixels and a slice of taps. */
function multiplyPanel(
  rows: usize, rowBytes: usize, panel: usize, targets: usize, count: u32, firstChannel: u32, lanes: u32, add: bool,
): void {
  const offset: usize = firstChannel * 4;
  let pixel: u32 = 0;
  for (; pixel + 4 <= count; pixel += 4) {
    multiply4(rows + pixel * rowBytes, rowBytes, panel, targets + pixel * 4, offset, add, lanes);
  }
  for (; pixel < count; pixel++) {
    multiply1(rows + pixel * rowBytes, rowBytes, panel, load<u32>(targets + pixel * 4) + offset, add, lanes);
  }
}

/**
 * `input` is the output's gradient, `output` the input's. Tasks are (block of pixels of a phase, panel of input channels).
 * Scratch: addresses of the results, patches.
 */
export function inputGradient(instruction: usize, scratch: usize, thread: u32, threads: u32): void {
  const images = load<u32>(instruction + Word.images * 4);
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const strideWidth = load<u32>(instruction + Word.strideWidth * 4);
  const paddingHeight = load<u32>(instruction + Word.paddingHeight * 4);
  const paddingWidth = load<u32>(instruction + Word.paddingWidth * 4);
  const perBlock = load<u32>(instruction + Extra.positionsPerBlock * 4);
  const tapsPerSlice = load<u32>(instruction + Extra.tapsPerSlice * 4);
  const accumulate = load<u32>(instruction + Extra.accumulate * 4) != 0;
  const gradient: usize = load<u32>(instruction + Word.input * 4);
  const inPlace =
    kernelHeight == 1 && kernelWidth == 1 && strideHeight == 1 && strideWidth == 1 && paddingHeight == 0 && paddingWidth == 0;
  const panels = (inputChannels + Width.panel - 1) / Width.panel;
  const tapBytes: usize = outputChannels * Width.panel * 4;
  const targets = scratch;
  const patches = scratch + ((perBlock + 15) & ~15) * 4;
  let phaseStart: usize = load<u32>(instruction + Extra.packed * 4);
  for (let phaseY: u32 = 0; phaseY < strideHeight; phaseY++) {
    const tapsY = phaseTaps(kernelHeight, strideHeight, phaseY);
    const firstY = phaseFirst(paddingHeight, strideHeight, phaseY);
    const rows = phaseCount(inputHeight, firstY, strideHeight);
    for (let phaseX: u32 = 0; phaseX < strideWidth; phaseX++) {
      const tapsX = phaseTaps(kernelWidth, strideWidth, phaseX);
      const firstX = phaseFirst(paddingWidth, strideWidth, phaseX);
      const columns = phaseCount(inputWidth, firstX, strideWidth);
      const taps = tapsY * tapsX;
      const panelBytes = taps * tapBytes;
      const pixels = images * rows * columns;
      const blocks = (pixels + perBlock - 1) / perBlock;
      const end = shareStart(blocks * panels, thread + 1, threads);
      let task = shareStart(blocks * panels, thread, threads);
      while (task < end) {
        const block = task / panels;
        const firstPanel = task - block * panels;
        const lastPanel = min<u32>(panels, firstPanel + end - task);
        const first = shareStart(pixels, block, blocks);
        const last = shareStart(pixels, block + 1, blocks);
        listTargets(instruction, targets, first, last, firstY, firstX, rows, columns);
        let firstTap: u32 = 0;
        do {
          const lastTap = min<u32>(taps, firstTap + tapsPerSlice);
          const rowBytes: usize = (lastTap - firstTap) * outputChannels * 4;
          let source = patches;
          if (inPlace) source = gradient + first * rowBytes;
          else copyPatches(instruction, patches, first, last, firstY, firstX, rows, columns, phaseY, phaseX, tapsX, firstTap, lastTap);
          for (let panel = firstPanel; panel < lastPanel; panel++) {
            multiplyPanel(
              source, rowBytes, phaseStart + panel * panelBytes + firstTap * tapBytes, targets, last - first,
              panel * Width.panel, min<u32>(Width.panel, inputChannels - panel * Width.panel), accumulate || firstTap > 0,
            );
          }
          firstTap = lastTap;
        } while (firstTap < taps);
        task += lastPanel - firstPanel;
      }
      phaseStart += panels * panelBytes;
    }
  }
}
