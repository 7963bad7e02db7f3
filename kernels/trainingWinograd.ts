/**
 * Gradient of a 3×3 convolution of stride 1 with respect to its input by Winograd's minimal filtering F(4×4, 3×3) (Lavin and Gray 2016, arXiv:1509.09308): a quarter
 * of the products, as 36 products of matrices. Tiles of 6×6 of the output's gradient and the turned kernels are transformed, multiplied position by position, and
 * transformed back to 4×4. The sums are other ones than `trainingInputGradient.ts` makes; both are within 10⁻⁵ of the
 * largest value of finite differences (test/engines). Spikes are never made this way.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { TrainingConvolutionWord as Extra } from '../src/engines/wasm/trainingInstructionSet';
import { claimStart } from './threads';
import { loadLanes, multiplyAdd, storeLanes } from './vectors';

/** Positions of a transformed tile. */
const positions: u32 = 36;

/** Six numbers by Bᵀ, to six places `stride` apart. */
// @ts-ignore: decorator
@inline
function transformIn(d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128, target: usize, stride: usize): void {
  const minusFour = f32x4.splat(-4);
  const four = f32x4.splat(4);
  const minusFive = f32x4.splat(-5);
  const a = multiplyAdd(minusFour, d2, d4);
  const b = multiplyAdd(minusFour, d1, d3);
  const c = f32x4.sub(d4, d2);
  const e = f32x4.sub(d3, d1);
  const twice = f32x4.add(e, e);
  v128.store(target, multiplyAdd(four, d0, multiplyAdd(minusFive, d2, d4)));
  target += stride;
  v128.store(target, f32x4.add(a, b));
  target += stride;
  v128.store(target, f32x4.sub(a, b));
  target += stride;
  v128.store(target, f32x4.add(c, twice));
  target += stride;
  v128.store(target, f32x4.sub(c, twice));
  target += stride;
  v128.store(target, multiplyAdd(four, d1, multiplyAdd(minusFive, d3, d5)));
}

/** Three numbers by G, to six places `stride` apart. */
// @ts-ignore: decorator
@inline
function transformKernel(g0: v128, g1: v128, g2: v128, target: usize, stride: usize): void {
  const sixth = f32x4.splat(<f32>(-1.0 / 6));
  const twelfth = f32x4.splat(<f32>(1.0 / 12));
  const outer = f32x4.mul(f32x4.add(g0, g2), sixth);
  const inner = f32x4.mul(g1, sixth);
  const far = multiplyAdd(f32x4.splat(<f32>(1.0 / 24)), g0, f32x4.mul(f32x4.splat(<f32>(1.0 / 6)), g2));
  const middle = f32x4.mul(g1, twelfth);
  v128.store(target, f32x4.mul(g0, f32x4.splat(0.25)));
  target += stride;
  v128.store(target, f32x4.add(outer, inner));
  target += stride;
  v128.store(target, f32x4.sub(outer, inner));
  target += stride;
  v128.store(target, f32x4.add(far, middle));
  target += stride;
  v128.store(target, f32x4.sub(far, middle));
  target += stride;
  v128.store(target, g2);
}

/** A tap of four input channels' kernels. */
// @ts-ignore: decorator
@inline
function tapOf(source: usize, stride: usize, lanes: u32): v128 {
  let result = v128.load_zero<u32>(source);
  if (lanes > 1) result = v128.load_lane<u32>(source + stride, result, 1);
  if (lanes > 2) result = v128.load_lane<u32>(source + stride * 2, result, 2);
  if (lanes > 3) result = v128.load_lane<u32>(source + stride * 3, result, 3);
  return result;
}

/**
 * Turned kernels, transformed: `[position][panel of input channels][output channel][8]`. Tasks are (panel, output channel). Scratch: 18 vectors.
 */
export function packWinograd(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const weights: usize = load<u32>(instruction + Word.weights * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const panels = (inputChannels + Width.panel - 1) / Width.panel;
  const positionBytes: usize = panels * outputChannels * Width.panel * 4;
  const last = claimStart(panels * outputChannels, until);
  for (let task = claimStart(panels * outputChannels, from); task < last; task++) {
    const panel = task / outputChannels;
    const output = task - panel * outputChannels;
    for (let half: u32 = 0; half < 2; half++) {
      const firstInput = panel * Width.panel + half * 4;
      let target = packed + task * (Width.panel * 4) + half * 16;
      const lanes: u32 = firstInput < inputChannels ? inputChannels - firstInput : 0;
      if (lanes == 0) {
        for (let position: u32 = 0; position < positions; position++) v128.store(target + position * positionBytes, f32x4.splat(0));
        continue;
      }
      const source = weights + (output * inputChannels + firstInput) * 36;
      // Column by column of the turned kernel: six numbers each, `[row][column]` in scratch.
      for (let column: u32 = 0; column < 3; column++) {
        const at = source + (2 - column) * 4;
        transformKernel(tapOf(at + 24, 36, lanes), tapOf(at + 12, 36, lanes), tapOf(at, 36, lanes), scratch + column * 16, 48);
      }
      for (let row: u32 = 0; row < 6; row++) {
        const from = scratch + row * 48;
        transformKernel(v128.load(from), v128.load(from, 16), v128.load(from, 32), target, positionBytes);
        target += positionBytes * 6;
      }
    }
  }
}

/** Where the 36 pixels of a tile lie in the output's gradient; a row of zeros beyond its borders. */
// @ts-ignore: decorator
@inline
function listPixels(image: usize, y: u32, x: u32, height: u32, width: u32, pixelBytes: usize, zeros: usize, places: usize): void {
  for (let row: u32 = 0; row < 6; row++) {
    for (let column: u32 = 0; column < 6; column++) {
      // A negative coordinate is a huge unsigned one.
      const inside = y + row < height && x + column < width;
      store<u32>(places, <u32>(inside ? image + ((y + row) * width + x + column) * pixelBytes : zeros));
      places += 4;
    }
  }
}

/** One tile: `[position][…][output channel]`, positions `positionBytes` apart. `columns` holds 36 vectors. */
// @ts-ignore: decorator
@inline
function gather(places: usize, channelBytes: usize, target: usize, positionBytes: usize, columns: usize): void {
  for (let at: usize = 0; at < channelBytes; at += 16) {
    const lanes = <u32>(channelBytes - at) >>> 2;
    for (let column: usize = 0; column < 6; column++) {
      const place = places + column * 4;
      transformIn(
        loadLanes(load<u32>(place) + at, lanes), loadLanes(load<u32>(place, 24) + at, lanes), loadLanes(load<u32>(place, 48) + at, lanes),
        loadLanes(load<u32>(place, 72) + at, lanes), loadLanes(load<u32>(place, 96) + at, lanes), loadLanes(load<u32>(place, 120) + at, lanes),
        columns + column * 16, 96,
      );
    }
    let row = target + at;
    for (let index: usize = 0; index < 6; index++) {
      const from = columns + index * 96;
      transformIn(
        v128.load(from), v128.load(from, 16), v128.load(from, 32), v128.load(from, 48), v128.load(from, 64), v128.load(from, 80),
        row, positionBytes,
      );
      row += positionBytes * 6;
    }
  }
}

/** Four tiles times one panel: 4×8 sums. Rows are whole vectors, zero beyond the output channels. */
function multiply(rows: usize, rowBytes: usize, panel: usize, elements: u32, target: usize, targetBytes: usize): void {
  let low0 = f32x4.splat(0);
  let low1 = f32x4.splat(0);
  let low2 = f32x4.splat(0);
  let low3 = f32x4.splat(0);
  let high0 = f32x4.splat(0);
  let high1 = f32x4.splat(0);
  let high2 = f32x4.splat(0);
  let high3 = f32x4.splat(0);
  let row0 = rows;
  let row1 = row0 + rowBytes;
  let row2 = row1 + rowBytes;
  let row3 = row2 + rowBytes;
  const end = panel + elements * (Width.panel * 4);
  for (; panel < end; panel += Width.panel * 4) {
    const low = v128.load(panel);
    const high = v128.load(panel, 16);
    const x0 = v128.load_splat<u32>(row0);
    low0 = multiplyAdd(x0, low, low0);
    high0 = multiplyAdd(x0, high, high0);
    const x1 = v128.load_splat<u32>(row1);
    low1 = multiplyAdd(x1, low, low1);
    high1 = multiplyAdd(x1, high, high1);
    const x2 = v128.load_splat<u32>(row2);
    low2 = multiplyAdd(x2, low, low2);
    high2 = multiplyAdd(x2, high, high2);
    const x3 = v128.load_splat<u32>(row3);
    low3 = multiplyAdd(x3, low, low3);
    high3 = multiplyAdd(x3, high, high3);
    row0 += 4;
    row1 += 4;
    row2 += 4;
    row3 += 4;
  }
  v128.store(target, low0);
  v128.store(target, high0, 16);
  target += targetBytes;
  v128.store(target, low1);
  v128.store(target, high1, 16);
  target += targetBytes;
  v128.store(target, low2);
  v128.store(target, high2, 16);
  target += targetBytes;
  v128.store(target, low3);
  v128.store(target, high3, 16);
}

/** Six numbers `stride` apart by Aᵀ, to four places `targetStride` apart. */
// @ts-ignore: decorator
@inline
function transformOut(source: usize, stride: usize, target: usize, targetStride: usize): void {
  const m0 = v128.load(source);
  const m1 = v128.load(source + stride);
  const m2 = v128.load(source + stride * 2);
  const m3 = v128.load(source + stride * 3);
  const m4 = v128.load(source + stride * 4);
  const m5 = v128.load(source + stride * 5);
  const sum1 = f32x4.add(m1, m2);
  const difference1 = f32x4.sub(m1, m2);
  const sum2 = f32x4.add(m3, m4);
  const difference2 = f32x4.sub(m3, m4);
  v128.store(target, f32x4.add(f32x4.add(m0, sum1), sum2));
  target += targetStride;
  v128.store(target, multiplyAdd(f32x4.splat(2), difference2, difference1));
  target += targetStride;
  v128.store(target, multiplyAdd(f32x4.splat(4), sum2, sum1));
  target += targetStride;
  v128.store(target, multiplyAdd(f32x4.splat(8), difference2, f32x4.add(difference1, m5)));
}

/** One tile back to at most 4×4 pixels. `columns` holds 40 vectors: four by six, and four by four. */
// @ts-ignore: decorator
@inline
function scatter(
  source: usize, positionBytes: usize, target: usize, rowBytes: usize, pixelBytes: usize, rows: u32, columns: u32, add: bool, work: usize,
): void {
  const result = work + 24 * 16;
  for (let at: usize = 0; at < pixelBytes; at += 16) {
    const lanes = <u32>(pixelBytes - at) >>> 2;
    for (let column: usize = 0; column < 6; column++) {
      transformOut(source + at + column * positionBytes, positionBytes * 6, work + column * 16, 96);
    }
    for (let row: u32 = 0; row < rows; row++) {
      transformOut(work + row * 96, 16, result, 16);
      let place = target + row * rowBytes + at;
      for (let column: u32 = 0; column < columns; column++) {
        const value = v128.load(result + column * 16);
        storeLanes(place, add ? f32x4.add(value, loadLanes(place, lanes)) : value, lanes);
        place += pixelBytes;
      }
    }
  }
}

/**
 * `input` is the output's gradient, `output` the input's. Tasks are blocks of `positionsPerBlock` tiles, a multiple of four. Scratch: 40 vectors, 36 places, a row of
 * zeros, the block's transformed tiles `[position][tile][output channel]` and products `[position][tile][input channel]`.
 */
export function winogradInputGradient(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const images = load<u32>(instruction + Word.images * 4);
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const startY = load<u32>(instruction + Word.paddingHeight * 4) - 2;
  const startX = load<u32>(instruction + Word.paddingWidth * 4) - 2;
  const perBlock = load<u32>(instruction + Extra.positionsPerBlock * 4);
  const accumulate = load<u32>(instruction + Extra.accumulate * 4) != 0;
  const input: usize = load<u32>(instruction + Word.input * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const panels = (inputChannels + Width.panel - 1) / Width.panel;
  const tilesY = (inputHeight + 3) >>> 2;
  const tilesX = (inputWidth + 3) >>> 2;
  const tiles = images * tilesY * tilesX;
  const blocks = (tiles + perBlock - 1) / perBlock;
  const sourceBytes: usize = ((outputChannels + 3) & ~3) * 4;
  const productBytes: usize = panels * Width.panel * 4;
  const panelBytes: usize = outputChannels * Width.panel * 4;
  const work = scratch;
  const places = work + 40 * 16;
  const zeros = places + 160;
  const sources = zeros + ((outputChannels + 15) & ~15) * 4;
  const products = sources + positions * perBlock * sourceBytes;
  memory.fill(zeros, 0, sourceBytes);
  const last = claimStart(blocks, until);
  for (let block = claimStart(blocks, from); block < last; block++) {
    const first = block * perBlock;
    const count = min<u32>(perBlock, tiles - first);
    for (let tile: u32 = 0; tile < count; tile++) {
      const column = (first + tile) % tilesX;
      const row = (first + tile) / tilesX;
      const image = input + (row / tilesY) * outputHeight * outputWidth * outputChannels * 4;
      listPixels(
        image, (row % tilesY) * 4 + startY, column * 4 + startX, outputHeight, outputWidth, outputChannels * 4, zeros, places,
      );
      gather(places, outputChannels * 4, sources + tile * sourceBytes, perBlock * sourceBytes, work);
    }
    for (let position: u32 = 0; position < positions; position++) {
      const rows = sources + position * perBlock * sourceBytes;
      const results = products + position * perBlock * productBytes;
      for (let panel: u32 = 0; panel < panels; panel++) {
        const weights = packed + (position * panels + panel) * panelBytes;
        for (let tile: u32 = 0; tile < count; tile += 4) {
          multiply(
            rows + tile * sourceBytes, sourceBytes, weights, outputChannels, results + tile * productBytes + panel * (Width.panel * 4), productBytes,
          );
        }
      }
    }
    for (let tile: u32 = 0; tile < count; tile++) {
      const column = (first + tile) % tilesX;
      const row = (first + tile) / tilesX;
      const y = (row % tilesY) * 4;
      const x = column * 4;
      const target = output + (((row / tilesY) * inputHeight + y) * inputWidth + x) * inputChannels * 4;
      scatter(
        products + tile * productBytes, perBlock * productBytes, target, inputWidth * inputChannels * 4, inputChannels * 4,
        min<u32>(4, inputHeight - y), min<u32>(4, inputWidth - x), accumulate, work,
      );
    }
  }
}
