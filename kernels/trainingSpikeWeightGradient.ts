/**
 * Gradient of a spike-fed convolution of stride 1 with respect to its weights, without any multiplication: the gradient of a
 * weight is the sum of the output's gradients at the positions where its input fired. For every four neighbouring
 * positions the fifteen sums that four spikes can select are made first, 24 output channels wide; then each (tap, input
 * channel) adds one row for every four spikes that are not all silent, in six registers, as `spikeConvolution.ts` does with weights.
 *
 * Positions lie in rows, whose width is rounded up to four; units are some rows of an image, with rows of zeros between them
 * that catch what taps reach outside. A list of an input channel serves all taps of a kernel column: a tap further down
 * begins so many rows earlier in the tables.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { TrainingConvolutionWord as Extra } from '../src/engines/wasm/trainingInstructionSet';
import { claimStart, shareStart } from './threads';
import { loadLanes } from './vectors';

/** Selections of four spikes that are not empty. */
const selections: u32 = 15;

/** Copies a row of one word of spikes, zeros around it: `before` pixels in front, `total` in all. */
function copyWords(source: usize, pixelBytes: usize, pixels: u32, target: usize, before: u32, total: u32): void {
  let at: u32 = 0;
  for (; at < before; at++) store<u32>(target + at * 4, 0);
  for (const end = before + pixels; at < end; at++) {
    store<u32>(target + at * 4, load<u32>(source));
    source += pixelBytes;
  }
  for (; at < total; at++) store<u32>(target + at * 4, 0);
}

/**
 * Appends an entry to the lists of up to 32 channels for every group of four pixels in which they fire. `ends` holds where
 * each list ends; an entry is the group's offset in the tables plus the row of the selection.
 */
function listRow(words: usize, groups: u32, channels: u32, ends: usize, base: u32, rowBytes: u32): void {
  for (let group: u32 = 0; group < groups; group++) {
    const pixels = v128.load(words + group * 16);
    if (v128.any_true(pixels)) {
      // Channels go from the highest down, the next one's bits being moved to the signs.
      let bits = i32x4.shl(pixels, 32 - channels);
      for (let end = ends + (channels - 1) * 4; end >= ends; end -= 4) {
        const selection = i32x4.bitmask(bits);
        const list: usize = load<u32>(end);
        store<u32>(list, base + selection * rowBytes);
        store<u32>(end, <u32>list + (<u32>(selection != 0) << 2));
        bits = i32x4.shl(bits, 1);
      }
    }
    base += selections * rowBytes;
  }
}

/** Builds the lists of units [first, last). */
function buildLists(instruction: usize, ends: usize, words: usize, lists: usize, first: u32, last: u32): void {
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const paddingHeight = load<u32>(instruction + Word.paddingHeight * 4);
  const paddingWidth = load<u32>(instruction + Word.paddingWidth * 4);
  const pixels = load<u32>(instruction + Extra.inputPixels * 4);
  const input: usize = load<u32>(instruction + Word.input * 4);
  const unitRows = load<u32>(instruction + Extra.unitRows * 4);
  const unitsPerImage = load<u32>(instruction + Extra.unitsPerImage * 4);
  const marginRows = load<u32>(instruction + Extra.marginRows * 4);
  const listBytes: usize = load<u32>(instruction + Extra.listBytes * 4);
  const rowBytes = load<u32>(instruction + Extra.width * 4) * 4;
  const groups = (outputWidth + 3) >>> 2;
  const tableRowBytes = groups * selections * rowBytes;
  const pixelBytes: usize = ((channels + 31) >>> 5) * 4;
  const wordCount = max<u32>(groups * 4 + kernelWidth, paddingWidth + inputWidth);
  const count = kernelWidth * channels;
  for (let index: u32 = 0; index < count; index++) store<u32>(ends + index * 4, <u32>(lists + index * <u32>listBytes));
  for (let unit = first; unit < last; unit++) {
    const image = unit / unitsPerImage;
    const top = (unit % unitsPerImage) * unitRows;
    const reach = min<u32>(unitRows, outputHeight - top) + kernelHeight - 1;
    const tableRow = marginRows + (unit - first) * (unitRows + marginRows);
    for (let row: u32 = 0; row < reach; row++) {
      // A negative coordinate is a huge unsigned one.
      const y = top + row - paddingHeight;
      if (y >= inputHeight) continue;
      const start = (image * inputHeight + y) * inputWidth;
      if (start >= pixels) continue;
      // Selection 0 is never listed, so the first row of a group is that of selection 1.
      const base = (tableRow + row) * tableRowBytes - rowBytes;
      for (let firstChannel: u32 = 0; firstChannel < channels; firstChannel += 32) {
        const source = input + start * <u32>pixelBytes + (firstChannel >>> 3);
        copyWords(source, pixelBytes, min<u32>(inputWidth, pixels - start), words, paddingWidth, wordCount);
        for (let tapX: u32 = 0; tapX < kernelWidth; tapX++) {
          const target = ends + (tapX * channels + firstChannel) * 4;
          listRow(words + tapX * 4, groups, min<u32>(32, channels - firstChannel), target, base, rowBytes);
        }
      }
    }
  }
}

/** The fifteen sums of four rows of the gradient, `width` numbers each. Rows that do not exist are at address 0. */
// @ts-ignore: decorator
@inline
function fillSelections(row0: usize, row1: usize, row2: usize, row3: usize, table: usize, width: u32, lanes: u32): void {
  const rowBytes: usize = width * 4;
  for (let channel: u32 = 0; channel < width; channel += 4) {
    const at: usize = channel * 4;
    const rest = lanes - channel;
    const zero = f32x4.splat(0);
    const value0 = loadLanes(row0 + at, rest);
    const value1 = row1 != 0 ? loadLanes(row1 + at, rest) : zero;
    const value2 = row2 != 0 ? loadLanes(row2 + at, rest) : zero;
    const value3 = row3 != 0 ? loadLanes(row3 + at, rest) : zero;
    const sum3 = f32x4.add(value0, value1);
    let target = table + at;
    v128.store(target, value0);
    target += rowBytes;
    v128.store(target, value1);
    target += rowBytes;
    v128.store(target, sum3);
    target += rowBytes;
    v128.store(target, value2);
    target += rowBytes;
    const sum5 = f32x4.add(value0, value2);
    v128.store(target, sum5);
    target += rowBytes;
    const sum6 = f32x4.add(value1, value2);
    v128.store(target, sum6);
    target += rowBytes;
    const sum7 = f32x4.add(sum3, value2);
    v128.store(target, sum7);
    target += rowBytes;
    v128.store(target, value3);
    target += rowBytes;
    v128.store(target, f32x4.add(value0, value3));
    target += rowBytes;
    v128.store(target, f32x4.add(value1, value3));
    target += rowBytes;
    v128.store(target, f32x4.add(sum3, value3));
    target += rowBytes;
    v128.store(target, f32x4.add(value2, value3));
    target += rowBytes;
    v128.store(target, f32x4.add(sum5, value3));
    target += rowBytes;
    v128.store(target, f32x4.add(sum6, value3));
    target += rowBytes;
    v128.store(target, f32x4.add(sum7, value3));
  }
}

/** Builds the tables of one chunk of output channels for units [first, last). */
function buildTables(instruction: usize, tables: usize, first: u32, last: u32, firstChannel: u32): void {
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const channels = load<u32>(instruction + Word.outputChannels * 4);
  const positions = load<u32>(instruction + Extra.outputPixels * 4);
  const gradient: usize = load<u32>(instruction + Word.output * 4);
  const unitRows = load<u32>(instruction + Extra.unitRows * 4);
  const unitsPerImage = load<u32>(instruction + Extra.unitsPerImage * 4);
  const marginRows = load<u32>(instruction + Extra.marginRows * 4);
  const width = load<u32>(instruction + Extra.width * 4);
  const lanes = min<u32>(width, channels - firstChannel);
  const groupBytes = selections * width * 4;
  const tableRowBytes = ((outputWidth + 3) >>> 2) * groupBytes;
  const pixelBytes = channels * 4;
  let target = tables;
  memory.fill(target, 0, marginRows * tableRowBytes);
  target += marginRows * tableRowBytes;
  for (let unit = first; unit < last; unit++) {
    const image = unit / unitsPerImage;
    const top = (unit % unitsPerImage) * unitRows;
    for (let row: u32 = 0; row < unitRows; row++) {
      const start = (image * outputHeight + top + row) * outputWidth;
      const count = top + row < outputHeight && start < positions ? min<u32>(outputWidth, positions - start) : 0;
      const source = gradient + start * pixelBytes + firstChannel * 4;
      const end = target + tableRowBytes;
      for (let x: u32 = 0; x < count; x += 4) {
        const row0 = source + x * pixelBytes;
        const row1 = x + 1 < count ? row0 + pixelBytes : 0;
        const row2 = x + 2 < count ? row0 + pixelBytes * 2 : 0;
        const row3 = x + 3 < count ? row0 + pixelBytes * 3 : 0;
        fillSelections(row0, row1, row2, row3, target, width, lanes);
        target += groupBytes;
      }
      if (target < end) memory.fill(target, 0, end - target);
      target = end;
    }
    memory.fill(target, 0, marginRows * tableRowBytes);
    target += marginRows * tableRowBytes;
  }
}

/** The sums of the rows in a list; the four widths differ in nothing but the number of registers. */
// @ts-ignore: decorator
@inline
function sum6(tables: usize, entry: usize, end: usize, target: usize, add: bool): void {
  let sum0 = f32x4.splat(0);
  let sum1 = f32x4.splat(0);
  let sum2 = f32x4.splat(0);
  let sum3 = f32x4.splat(0);
  let sum4 = f32x4.splat(0);
  let sum5 = f32x4.splat(0);
  for (; entry < end; entry += 4) {
    const row = tables + load<u32>(entry);
    sum0 = f32x4.add(sum0, v128.load(row));
    sum1 = f32x4.add(sum1, v128.load(row, 16));
    sum2 = f32x4.add(sum2, v128.load(row, 32));
    sum3 = f32x4.add(sum3, v128.load(row, 48));
    sum4 = f32x4.add(sum4, v128.load(row, 64));
    sum5 = f32x4.add(sum5, v128.load(row, 80));
  }
  if (add) {
    sum0 = f32x4.add(v128.load(target), sum0);
    sum1 = f32x4.add(v128.load(target, 16), sum1);
    sum2 = f32x4.add(v128.load(target, 32), sum2);
    sum3 = f32x4.add(v128.load(target, 48), sum3);
    sum4 = f32x4.add(v128.load(target, 64), sum4);
    sum5 = f32x4.add(v128.load(target, 80), sum5);
  }
  v128.store(target, sum0);
  v128.store(target, sum1, 16);
  v128.store(target, sum2, 32);
  v128.store(target, sum3, 48);
  v128.store(target, sum4, 64);
  v128.store(target, sum5, 80);
}

// @ts-ignore: decorator
@inline
function sum4(tables: usize, entry: usize, end: usize, target: usize, add: bool): void {
  let sum0 = f32x4.splat(0);
  let sum1 = f32x4.splat(0);
  let sum2 = f32x4.splat(0);
  let sum3 = f32x4.splat(0);
  for (; entry < end; entry += 4) {
    const row = tables + load<u32>(entry);
    sum0 = f32x4.add(sum0, v128.load(row));
    sum1 = f32x4.add(sum1, v128.load(row, 16));
    sum2 = f32x4.add(sum2, v128.load(row, 32));
    sum3 = f32x4.add(sum3, v128.load(row, 48));
  }
  if (add) {
    sum0 = f32x4.add(v128.load(target), sum0);
    sum1 = f32x4.add(v128.load(target, 16), sum1);
    sum2 = f32x4.add(v128.load(target, 32), sum2);
    sum3 = f32x4.add(v128.load(target, 48), sum3);
  }
  v128.store(target, sum0);
  v128.store(target, sum1, 16);
  v128.store(target, sum2, 32);
  v128.store(target, sum3, 48);
}

// @ts-ignore: decorator
@inline
function sum2(tables: usize, entry: usize, end: usize, target: usize, add: bool): void {
  let sum0 = f32x4.splat(0);
  let sum1 = f32x4.splat(0);
  for (; entry < end; entry += 4) {
    const row = tables + load<u32>(entry);
    sum0 = f32x4.add(sum0, v128.load(row));
    sum1 = f32x4.add(sum1, v128.load(row, 16));
  }
  if (add) {
    sum0 = f32x4.add(v128.load(target), sum0);
    sum1 = f32x4.add(v128.load(target, 16), sum1);
  }
  v128.store(target, sum0);
  v128.store(target, sum1, 16);
}

// @ts-ignore: decorator
@inline
function sum1(tables: usize, entry: usize, end: usize, target: usize, add: bool): void {
  let sum = f32x4.splat(0);
  for (; entry < end; entry += 4) sum = f32x4.add(sum, v128.load(tables + load<u32>(entry)));
  v128.store(target, add ? f32x4.add(v128.load(target), sum) : sum);
}

/** One tap of one chunk: the sums of all input channels, whose lists are `listBytes` apart. */
function sumTap(tables: usize, lists: usize, listBytes: usize, ends: usize, channels: u32, width: u32, lanes: u32, target: usize, add: bool): void {
  let done: u32 = 0;
  while (done < lanes) {
    const rest = lanes - done;
    const rows = tables + done * 4;
    let output = target + done * 4;
    let list = lists;
    const lastEnd = ends + channels * 4;
    if (rest > 20) {
      for (let end = ends; end < lastEnd; end += 4) {
        sum6(rows, list, load<u32>(end), output, add);
        list += listBytes;
        output += width * 4;
      }
      done += 24;
    } else if (rest > 12) {
      for (let end = ends; end < lastEnd; end += 4) {
        sum4(rows, list, load<u32>(end), output, add);
        list += listBytes;
        output += width * 4;
      }
      done += 16;
    } else if (rest > 4) {
      for (let end = ends; end < lastEnd; end += 4) {
        sum2(rows, list, load<u32>(end), output, add);
        list += listBytes;
        output += width * 4;
      }
      done += 8;
    } else {
      for (let end = ends; end < lastEnd; end += 4) {
        sum1(rows, list, load<u32>(end), output, add);
        list += listBytes;
        output += width * 4;
      }
      done += 4;
    }
  }
}

/**
 * `output` is the output's gradient. Tasks are (part of the blocks of units, chunk of output channels). Scratch: the lists'
 * ends, a row of words, lists, tables. Sums: `[part][chunk][tap, input channel][width]`.
 */
export function spikeWeightGradient(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const unitsPerImage = load<u32>(instruction + Extra.unitsPerImage * 4);
  const unitsPerBlock = load<u32>(instruction + Extra.unitsPerBlock * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const parts = load<u32>(instruction + Extra.parts * 4);
  const partBytes = load<u32>(instruction + Extra.partBytes * 4);
  const chunkBytes = load<u32>(instruction + Extra.chunkBytes * 4);
  const width = load<u32>(instruction + Extra.width * 4);
  const listBytes: usize = load<u32>(instruction + Extra.listBytes * 4);
  const units = load<u32>(instruction + Word.images * 4) * unitsPerImage;
  const blocks = (units + unitsPerBlock - 1) / unitsPerBlock;
  const chunks = (outputChannels + width - 1) / width;
  const tableRowBytes = ((load<u32>(instruction + Word.outputWidth * 4) + 3) >>> 2) * selections * width * 4;
  const ends = scratch;
  const words = ends + load<u32>(instruction + Extra.startBytes * 4);
  const lists = words + load<u32>(instruction + Extra.wordBytes * 4);
  const tables = (lists + kernelWidth * channels * <u32>listBytes + 63) & ~63;
  const end = claimStart(parts * chunks, until);
  let task = claimStart(parts * chunks, from);
  while (task < end) {
    const part = task / chunks;
    const firstChunk = task - part * chunks;
    const lastChunk = min<u32>(chunks, firstChunk + end - task);
    const firstBlock = shareStart(blocks, part, parts);
    const lastBlock = shareStart(blocks, part + 1, parts);
    for (let block = firstBlock; block < lastBlock; block++) {
      const first = block * unitsPerBlock;
      const last = min<u32>(units, first + unitsPerBlock);
      buildLists(instruction, ends, words, lists, first, last);
      for (let chunk = firstChunk; chunk < lastChunk; chunk++) {
        buildTables(instruction, tables, first, last, chunk * width);
        // Lanes beyond the last output channel are summed with the rest of their vector.
        const lanes = min<u32>(width, (outputChannels - chunk * width + 3) & ~3);
        let target = packed + part * partBytes + chunk * chunkBytes;
        for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
          const rows = tables - tapY * tableRowBytes;
          for (let tapX: u32 = 0; tapX < kernelWidth; tapX++) {
            const first = tapX * channels;
            sumTap(rows, lists + first * <u32>listBytes, listBytes, ends + first * 4, channels, width, lanes, target, block > firstBlock);
            target += channels * width * 4;
          }
        }
      }
    }
    task += lastChunk - firstChunk;
  }
}
