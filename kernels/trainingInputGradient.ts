/**
 * Gradient of a convolution with respect to its input, as a matrix product of 4×8 tiles: patches of the output's gradient
 * times transposed weights. With a stride, input pixels fall into phases by the remainder of their coordinates; within a
 * phase all pixels meet the same taps, so no product with an inserted zero is done. Patches are copied for a few taps at a
 * time, so that they and a panel stay in the caches.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { TrainingConvolutionWord as Extra } from '../src/engines/wasm/trainingInstructionSet';
import { claimStart, isPrepared, shareStart } from './threads';
import { phaseTaps } from './trainingPacking';
import { loadLanes, multiplyAdd, storeLanes } from './vectors';

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

/** Four patches, interleaved, times one panel; `targets` holds the addresses of the four results. */
function multiply(patches: usize, panel: usize, elements: u32, targets: usize, offset: usize, add: bool, lanes: u32): void {
  let low0 = f32x4.splat(0);
  let low1 = f32x4.splat(0);
  let low2 = f32x4.splat(0);
  let low3 = f32x4.splat(0);
  let high0 = f32x4.splat(0);
  let high1 = f32x4.splat(0);
  let high2 = f32x4.splat(0);
  let high3 = f32x4.splat(0);
  const end = panel + elements * (Width.panel * 4);
  for (; panel < end; panel += Width.panel * 4) {
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
    patches += 16;
  }
  finish(load<u32>(targets) + offset, low0, high0, add, lanes);
  finish(load<u32>(targets, 4) + offset, low1, high1, add, lanes);
  finish(load<u32>(targets, 8) + offset, low2, high2, add, lanes);
  finish(load<u32>(targets, 12) + offset, low3, high3, add, lanes);
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


/** Addresses of the results of pixels [first, last) of a phase; the last four are filled up with a place nobody reads. */
function listTargets(
  instruction: usize, targets: usize, first: u32, last: u32, firstY: u32, firstX: u32, rows: u32, columns: u32, sink: usize,
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
  store<u32>(targets, <u32>sink);
  store<u32>(targets, <u32>sink, 4);
  store<u32>(targets, <u32>sink, 8);
}

/** Writes four rows of numbers interleaved: the first numbers of all four, then the second. */
// @ts-ignore: decorator
@inline
function interleave(row0: usize, row1: usize, row2: usize, row3: usize, target: usize, byteLength: usize): void {
  let at: usize = 0;
  for (; at + 16 <= byteLength; at += 16) {
    const value0 = v128.load(row0 + at);
    const value1 = v128.load(row1 + at);
    const value2 = v128.load(row2 + at);
    const value3 = v128.load(row3 + at);
    const low01 = i32x4.shuffle(value0, value1, 0, 4, 1, 5);
    const low23 = i32x4.shuffle(value2, value3, 0, 4, 1, 5);
    const high01 = i32x4.shuffle(value0, value1, 2, 6, 3, 7);
    const high23 = i32x4.shuffle(value2, value3, 2, 6, 3, 7);
    v128.store(target, i64x2.shuffle(low01, low23, 0, 2));
    v128.store(target, i64x2.shuffle(low01, low23, 1, 3), 16);
    v128.store(target, i64x2.shuffle(high01, high23, 0, 2), 32);
    v128.store(target, i64x2.shuffle(high01, high23, 1, 3), 48);
    target += 64;
  }
  for (; at < byteLength; at += 4) {
    store<u32>(target, load<u32>(row0 + at));
    store<u32>(target, load<u32>(row1 + at), 4);
    store<u32>(target, load<u32>(row2 + at), 8);
    store<u32>(target, load<u32>(row3 + at), 12);
    target += 16;
  }
}

/** Of a pixel: the image's gradient, and the output coordinates that its first tap meets. Three words. */
// @ts-ignore: decorator
@inline
function locate(
  instruction: usize, place: usize, pixel: u32, firstY: u32, firstX: u32, rows: u32, columns: u32, phaseY: u32, phaseX: u32,
): void {
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const strideWidth = load<u32>(instruction + Word.strideWidth * 4);
  const imageBytes =
    load<u32>(instruction + Word.outputHeight * 4) *
    load<u32>(instruction + Word.outputWidth * 4) *
    load<u32>(instruction + Word.outputChannels * 4) * 4;
  const x = firstX + (pixel % columns) * strideWidth;
  const row = pixel / columns;
  const y = firstY + (row % rows) * strideHeight;
  store<u32>(place, load<u32>(instruction + Word.input * 4) + (row / rows) * imageBytes);
  // Exact: a phase is where these differences are multiples of the stride.
  store<u32>(place, (y + load<u32>(instruction + Word.paddingHeight * 4) - phaseY) / strideHeight, 4);
  store<u32>(place, (x + load<u32>(instruction + Word.paddingWidth * 4) - phaseX) / strideWidth, 8);
}

/** The gradient that a located pixel meets with a tap, or a row of zeros. A negative coordinate is a huge unsigned one. */
// @ts-ignore: decorator
@inline
function met(place: usize, tapY: u32, tapX: u32, height: u32, width: u32, pixelBytes: u32, zeros: usize): usize {
  const y = load<u32>(place, 4) - tapY;
  const x = load<u32>(place, 8) - tapX;
  return y < height && x < width ? load<u32>(place) + (y * width + x) * pixelBytes : zeros;
}

/**
 * Copies what pixels [first, last) of a phase meet with taps [firstTap, lastTap) of the phase, four pixels interleaved:
 * `[four pixels][tap][output channel][4]`. Places of four pixels are kept at `places`.
 */
function copyPatches(
  instruction: usize, target: usize, first: u32, last: u32, firstY: u32, firstX: u32, rows: u32, columns: u32,
  phaseY: u32, phaseX: u32, tapsX: u32, firstTap: u32, lastTap: u32, places: usize, zeros: usize,
): void {
  if (firstTap == lastTap) return;
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const pixelBytes = load<u32>(instruction + Word.outputChannels * 4) * 4;
  for (let pixel = first; pixel < last; pixel += 4) {
    for (let index: u32 = 0; index < 4; index++) {
      const at = min<u32>(pixel + index, last - 1);
      locate(instruction, places + index * 12, at, firstY, firstX, rows, columns, phaseY, phaseX);
    }
    let tapY = firstTap / tapsX;
    let tapX = firstTap - tapY * tapsX;
    for (let tap = firstTap; tap < lastTap; tap++) {
      interleave(
        met(places, tapY, tapX, outputHeight, outputWidth, pixelBytes, zeros),
        met(places + 12, tapY, tapX, outputHeight, outputWidth, pixelBytes, zeros),
        met(places + 24, tapY, tapX, outputHeight, outputWidth, pixelBytes, zeros),
        met(places + 36, tapY, tapX, outputHeight, outputWidth, pixelBytes, zeros),
        target, pixelBytes,
      );
      target += pixelBytes * 4;
      if (++tapX == tapsX) {
        tapX = 0;
        tapY++;
      }
    }
  }
}

/**
 * `input` is the output's gradient, `output` the input's. Tasks are (block of pixels of a phase, panel of input channels).
 * Scratch: places of four pixels, a row of zeros, a place for results that nobody reads, addresses of the results, patches.
 */
export function inputGradient(instruction: usize, scratch: usize, from: u32, until: u32): void {
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
  const panels = (inputChannels + Width.panel - 1) / Width.panel;
  const tapBytes: usize = outputChannels * Width.panel * 4;
  const places = scratch;
  const zeros = places + 64;
  const sink = zeros + ((outputChannels + 15) & ~15) * 4;
  const targets = sink + ((inputChannels + 15) & ~15) * 4;
  const patches = targets + ((perBlock + 3 + 15) & ~15) * 4;
  memory.fill(zeros, 0, outputChannels * 4);
  let firstBlock: u32 = 0;
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
      const end = claimStart(blocks * panels, until);
      let task = claimStart(blocks * panels, from);
      while (task < end) {
        const block = task / panels;
        const firstPanel = task - block * panels;
        const lastPanel = min<u32>(panels, firstPanel + end - task);
        const first = shareStart(pixels, block, blocks);
        const last = shareStart(pixels, block + 1, blocks);
        // Phases have blocks of their own; patches outlast a claim where all taps fit one slice.
        const prepared = isPrepared(scratch, firstBlock + block);
        if (!prepared) listTargets(instruction, targets, first, last, firstY, firstX, rows, columns, sink);
        let firstTap: u32 = 0;
        do {
          const lastTap = min<u32>(taps, firstTap + tapsPerSlice);
          const elements = (lastTap - firstTap) * outputChannels;
          if (!prepared || taps > tapsPerSlice) copyPatches(
            instruction, patches, first, last, firstY, firstX, rows, columns, phaseY, phaseX, tapsX, firstTap, lastTap, places, zeros,
          );
          for (let panel = firstPanel; panel < lastPanel; panel++) {
            const weights = phaseStart + panel * panelBytes + firstTap * tapBytes;
            const lanes = min<u32>(Width.panel, inputChannels - panel * Width.panel);
            for (let pixel: u32 = 0; pixel < last - first; pixel += 4) {
              multiply(
                patches + pixel * elements * 4, weights, elements, targets + pixel * 4,
                panel * (Width.panel * 4), accumulate || firstTap > 0, lanes,
              );
            }
          }
          firstTap = lastTap;
        } while (firstTap < taps);
        task += lastPanel - firstPanel;
      }
      phaseStart += panels * panelBytes;
      firstBlock += blocks;
    }
  }
}
