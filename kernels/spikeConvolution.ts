/**
 * Convolution (and linear layer: a 1×1 convolution) on packed spikes, without any multiplication. Two passes over each
 * block of output positions: the first turns the spikes under every position's kernel into a list of row offsets, the
 * second adds those rows of 24 output channels in six registers. Rows are the weights of one input channel, one entry
 * per spike; and where tables are packed, also the sums of two to four neighbouring channels' weights, so that one entry
 * serves for four neurons. Images that fire little take single rows only: then the tables, nearly three times the
 * weights, need not be fetched. With several taps, lists are first made per input pixel and then copied per position.
 *
 * V8 of Node 20 schedules every load of a block before its additions, so n accumulators want 2n of the 16 registers: six
 * are best, eight spill. Rows are cut into segments that stay in the L2 cache; between segments the sums rest in
 * scratch. Measured, one thread, G dense-equivalent multiply-accumulates a second at 5, 15 and 40 % firing (3×3,
 * 192 → 768, 28²): single rows 290, 100, 33; with tables 180, 100, 60.
 */
import { ConvolutionWord as Word, Size, Width } from '../src/engines/wasm/instructionSet';
import { claimStart, isFirstClaim, isPrepared, shareStart } from './threads';
import { fire } from './neuron';
import { sumByteChunk } from './spikeByteRows';
import { leastPositionsToTouch, patterns, touchSegment } from './spikeRows';
import { loadLanes, storeLanes } from './vectors';

/** Images with more than this percentage of spikes use the tables, if there are any. */
const tablePercentage: u32 = 15;

/**
 * At the start of scratch, by nibble: offsets of the set bits' rows, in front (256 bytes); a shuffle that moves the lanes
 * whose bit is set to the front (256 bytes); by how many bytes a list grows (64 bytes). What follows belongs to `spikeRows.ts` and `spikeByteRows.ts`.
 */
const shuffles: usize = 256;
const growth: usize = 512;

function prepareLookup(lookup: usize, rowBytes: u32): void {
  for (let nibble: u32 = 0; nibble < 16; nibble++) {
    let lane: u32 = 0;
    for (let bit: u32 = 0; bit < 4; bit++) {
      if ((nibble & (1 << bit)) == 0) continue;
      store<u32>(lookup + nibble * 16 + lane * 4, bit * rowBytes);
      store<u32>(lookup + nibble * 16 + lane * 4, 0x03020100 + bit * 0x04040404, shuffles);
      lane++;
    }
    store<u32>(lookup + nibble * 4, lane * 4, growth);
  }
}

/** Row offsets of four nibbles: of a single row where one bit is set, of a row of the tables where more are. */
// @ts-ignore: decorator
@inline
function rowsOf(nibbles: v128, singles: v128, tables: v128, rowBytes: v128): v128 {
  const isSingle = i32x4.eq(v128.and(nibbles, i32x4.sub(nibbles, i32x4.splat(1))), i32x4.splat(0));
  // Place among the single rows (patterns 1, 2, 4, 8) or among the others, in rising order.
  const place = i8x16.swizzle(i8x16(0, 0, 1, 0, 2, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10), nibbles);
  return i32x4.add(i32x4.mul(place, rowBytes), v128.bitselect(singles, tables, isSingle));
}

/** Appends one row per nibble of a word that is not silent; returns the list's end. */
// @ts-ignore: decorator
@inline
function listPatterns(word: u32, list: usize, singles: v128, tables: v128, rowBytes: v128, lookup: usize): usize {
  const spread = i32x4.splat(word);
  const low = i32x4.shr_u(i32x4.mul(spread, i32x4(1 << 28, 1 << 24, 1 << 20, 1 << 16)), 28);
  const high = i32x4.shr_u(i32x4.mul(spread, i32x4(1 << 12, 1 << 8, 1 << 4, 1)), 28);
  const zero = i32x4.splat(0);
  const lowMask = i32x4.bitmask(i32x4.ne(low, zero));
  const highMask = i32x4.bitmask(i32x4.ne(high, zero));
  const lowRows = rowsOf(low, singles, tables, rowBytes);
  // Four groups further: 16 single rows, 4 · 11 rows of tables.
  const highSingles = i32x4.add(singles, i32x4.shl(rowBytes, 4));
  const highTables = i32x4.add(tables, i32x4.mul(rowBytes, i32x4.splat(4 * patterns)));
  const highRows = rowsOf(high, highSingles, highTables, rowBytes);
  v128.store(list, i8x16.swizzle(lowRows, v128.load(lookup + (lowMask << 4), shuffles)));
  list += load<u32>(lookup + (lowMask << 2), growth);
  v128.store(list, i8x16.swizzle(highRows, v128.load(lookup + (highMask << 4), shuffles)));
  return list + load<u32>(lookup + (highMask << 2), growth);
}

/** Appends the rows of one nibble's set bits. */
// @ts-ignore: decorator
@inline
function listNibble(nibble: u32, list: usize, base: v128, lookup: usize): usize {
  v128.store(list, i32x4.add(v128.load(lookup + (nibble << 4)), base));
  return list + load<u32>(lookup + (nibble << 2), growth);
}

/** Appends one row per set bit. Always eight nibbles: a loop that ends with the last set bit is a branch that nobody can predict, and takes longer. */
// @ts-ignore: decorator
@inline
function listSpikes(word: u32, list: usize, base: v128, nibbleBytes: v128, lookup: usize): usize {
  list = listNibble(word & 15, list, base, lookup);
  base = i32x4.add(base, nibbleBytes);
  list = listNibble((word >>> 4) & 15, list, base, lookup);
  base = i32x4.add(base, nibbleBytes);
  list = listNibble((word >>> 8) & 15, list, base, lookup);
  base = i32x4.add(base, nibbleBytes);
  list = listNibble((word >>> 12) & 15, list, base, lookup);
  base = i32x4.add(base, nibbleBytes);
  list = listNibble((word >>> 16) & 15, list, base, lookup);
  base = i32x4.add(base, nibbleBytes);
  list = listNibble((word >>> 20) & 15, list, base, lookup);
  base = i32x4.add(base, nibbleBytes);
  list = listNibble((word >>> 24) & 15, list, base, lookup);
  base = i32x4.add(base, nibbleBytes);
  return listNibble(word >>> 28, list, base, lookup);
}

function countSpikes(words: usize, count: u32): u32 {
  let sums = i32x4.splat(0);
  let at: u32 = 0;
  for (; at + 4 <= count; at += 4) {
    const bytes = i8x16.popcnt(v128.load(words + at * 4));
    sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes)));
  }
  let sum: u32 = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
  for (; at < count; at++) sum += popcnt(load<u32>(words + at * 4));
  return sum;
}

/**
 * Whether an image's lists use the tables. By the image's own firing rate, so that neither the number of threads nor the
 * rest of the batch has a say in the order of its sums. `modes` remembers: 0 unknown, 1 no, 2 yes.
 */
function usesTables(instruction: usize, modes: usize, image: u32): bool {
  const known = load<u8>(modes + image);
  if (known != 0) return known == 2;
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const pixels = load<u32>(instruction + Word.inputHeight * 4) * load<u32>(instruction + Word.inputWidth * 4);
  const count = pixels * ((channels + 31) >>> 5);
  const spikes = countSpikes(load<u32>(instruction + Word.input * 4) + image * count * 4, count);
  const dense = <u64>spikes * 100 > <u64>pixels * channels * tablePercentage;
  store<u8>(modes + image, dense ? 2 : 1);
  return dense;
}

/**
 * Lists the rows of pixels [first, last), counted over all images, for a kernel of one tap. `starts` receives, per pixel
 * and part of its words, where its entries begin, and after the last one where they end.
 */
function listPixels(
  instruction: usize, lookup: usize, modes: usize, starts: usize, list: usize, first: u32, last: u32, wordsPerPart: u32,
): void {
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const words = (channels + 31) >>> 5;
  const perImage = load<u32>(instruction + Word.inputHeight * 4) * load<u32>(instruction + Word.inputWidth * 4);
  const tables = load<u32>(instruction + Word.tables * 4) != 0;
  const rowBytes = load<u32>(instruction + Word.rowBytes * 4);
  const groupBytes = patterns * rowBytes;
  const rows = i32x4.splat(rowBytes);
  const singleLanes = i32x4.mul(i32x4(0, 4, 8, 12), rows);
  const tableLanes = i32x4.add(i32x4.splat(channels * rowBytes), i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(groupBytes)));
  const singleStep = i32x4.splat(32 * rowBytes);
  const nibbleBytes = i32x4.splat(4 * rowBytes);
  const tableStep = i32x4.splat(8 * groupBytes);
  let input: usize = load<u32>(instruction + Word.input * 4) + first * words * 4;
  let pixel = first;
  while (pixel < last) {
    const image = pixel / perImage;
    const imageEnd = min<u32>(last, (image + 1) * perImage);
    const byPatterns = tables && usesTables(instruction, modes, image);
    for (; pixel < imageEnd; pixel++) {
      let singles = singleLanes;
      let multiples = tableLanes;
      let base = i32x4.splat(0);
      for (let firstWord: u32 = 0; firstWord < words; firstWord += wordsPerPart) {
        const lastWord = min<u32>(words, firstWord + wordsPerPart);
        store<u32>(starts, <u32>list);
        starts += 4;
        for (let word = firstWord; word < lastWord; word++) {
          const bits = load<u32>(input);
          input += 4;
          if (byPatterns) {
            if (bits != 0) list = listPatterns(bits, list, singles, multiples, rows, lookup);
            singles = i32x4.add(singles, singleStep);
            multiples = i32x4.add(multiples, tableStep);
          } else {
            if (bits != 0) list = listSpikes(bits, list, base, nibbleBytes, lookup);
            base = i32x4.add(base, singleStep);
          }
        }
      }
    }
  }
  store<u32>(starts, <u32>list);
}

/**
 * Makes the lists of positions [first, last) of one image from those of the pixels under their taps, `pixelStarts` being
 * those of the image's rows from `firstRow` on. Returns the lists' end; `starts` as above, without the closing end.
 */
function listPositions(
  instruction: usize, starts: usize, list: usize, pixelStarts: usize, firstRow: u32, first: u32, last: u32,
  tapsPerSegment: u32, parts: u32,
): usize {
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const taps = load<u32>(instruction + Word.kernelHeight * 4) * kernelWidth;
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const strideWidth = load<u32>(instruction + Word.strideWidth * 4);
  const paddingHeight = load<u32>(instruction + Word.paddingHeight * 4);
  const paddingWidth = load<u32>(instruction + Word.paddingWidth * 4);
  const tapBytes = load<u32>(instruction + Word.tapBytes * 4);
  let top = <i32>((first / outputWidth) * strideHeight) - <i32>paddingHeight;
  let column = first % outputWidth;
  for (let position = first; position < last; position++) {
    const left = <i32>(column * strideWidth) - <i32>paddingWidth;
    for (let firstTap: u32 = 0; firstTap < taps; firstTap += tapsPerSegment) {
      const lastTap = min<u32>(taps, firstTap + tapsPerSegment);
      for (let part: u32 = 0; part < parts; part++) {
        store<u32>(starts, <u32>list);
        starts += 4;
        let tapY = firstTap / kernelWidth;
        let tapX = firstTap - tapY * kernelWidth;
        for (let tap = firstTap; tap < lastTap; tap++) {
          const y = <u32>(top + <i32>tapY);
          const x = <u32>(left + <i32>tapX);
          if (++tapX == kernelWidth) {
            tapX = 0;
            tapY++;
          }
          // A negative coordinate is a huge unsigned one.
          if (y >= inputHeight || x >= inputWidth) continue;
          const source = pixelStarts + (((y - firstRow) * inputWidth + x) * parts + part) * 4;
          const base = i32x4.splat(tap * tapBytes);
          const begin: usize = load<u32>(source);
          const end: usize = load<u32>(source, 4);
          // Sixteen entries at a time, what is too much being overwritten: the fewer rounds, the fewer of them come unexpected.
          for (let entry = begin; entry < end; entry += 64) {
            const target = list + (entry - begin);
            v128.store(target, i32x4.add(v128.load(entry), base));
            v128.store(target, i32x4.add(v128.load(entry, 16), base), 16);
            v128.store(target, i32x4.add(v128.load(entry, 32), base), 32);
            v128.store(target, i32x4.add(v128.load(entry, 48), base), 48);
          }
          list += end - begin;
        }
      }
    }
    if (++column == outputWidth) {
      column = 0;
      top += <i32>strideHeight;
    }
  }
  return list;
}

/** Lists the rows of a block of positions, image by image, at `list`. */
function buildLists(
  instruction: usize, lookup: usize, modes: usize, starts: usize, pixelStarts: usize, list: usize, first: u32, last: u32,
  tapsPerSegment: u32, wordsPerSegment: u32, segments: u32,
): void {
  const pixelLists = pixelStarts + load<u32>(instruction + Word.pixelStartBytes * 4);
  if (load<u32>(instruction + Word.inPlace * 4) != 0) {
    listPixels(instruction, lookup, modes, starts, list, first, last, wordsPerSegment);
    return;
  }
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const perImage = load<u32>(instruction + Word.outputHeight * 4) * outputWidth;
  const stride = <i32>load<u32>(instruction + Word.strideHeight * 4);
  const padding = <i32>load<u32>(instruction + Word.paddingHeight * 4);
  const kernelHeight = <i32>load<u32>(instruction + Word.kernelHeight * 4);
  const words = (load<u32>(instruction + Word.inputChannels * 4) + 31) >>> 5;
  const parts = (words + wordsPerSegment - 1) / wordsPerSegment;
  while (first < last) {
    const image = first / perImage;
    const imageStart = image * perImage;
    const imageEnd = min<u32>(last, imageStart + perImage);
    const top = <i32>((first - imageStart) / outputWidth) * stride - padding;
    const bottom = <i32>((imageEnd - 1 - imageStart) / outputWidth) * stride - padding + kernelHeight;
    const firstRow = <u32>max<i32>(0, min<i32>(inputHeight, top));
    const lastRow = <u32>max<i32>(firstRow, min<i32>(inputHeight, bottom));
    const pixels = image * inputHeight * inputWidth;
    listPixels(
      instruction, lookup, modes, pixelStarts, pixelLists,
      pixels + firstRow * inputWidth, pixels + lastRow * inputWidth, wordsPerSegment,
    );
    list = listPositions(
      instruction, starts, list, pixelStarts, firstRow, first - imageStart, imageEnd - imageStart, tapsPerSegment, parts,
    );
    starts += (imageEnd - first) * segments * 4;
    first = imageEnd;
  }
  store<u32>(starts, <u32>list);
}

/**
 * The second pass for one width, block and segment: every position's sums start from `initial`, take up its rows and the
 * residual (0: none), and go to `output`. The four widths differ in nothing but the number of registers.
 */
function sumRows6(
  table: usize, starts: usize, startStride: usize, count: u32, initial: usize, initialStride: usize, output: usize, outputStride: usize,
  residual: usize, residualAt: u32, residualPositions: u32,
): void {
  for (let position: u32 = 0; position < count; position++) {
    let sum0 = v128.load(initial);
    let sum1 = v128.load(initial, 16);
    let sum2 = v128.load(initial, 32);
    let sum3 = v128.load(initial, 48);
    let sum4 = v128.load(initial, 64);
    let sum5 = v128.load(initial, 80);
    const end: usize = load<u32>(starts, 4);
    for (let entry: usize = load<u32>(starts); entry < end; entry += 4) {
      const row = table + load<u32>(entry);
      sum0 = f32x4.add(sum0, v128.load(row));
      sum1 = f32x4.add(sum1, v128.load(row, 16));
      sum2 = f32x4.add(sum2, v128.load(row, 32));
      sum3 = f32x4.add(sum3, v128.load(row, 48));
      sum4 = f32x4.add(sum4, v128.load(row, 64));
      sum5 = f32x4.add(sum5, v128.load(row, 80));
    }
    if (residual != 0) {
      const other = residual + residualAt * outputStride;
      sum0 = f32x4.add(sum0, v128.load(other));
      sum1 = f32x4.add(sum1, v128.load(other, 16));
      sum2 = f32x4.add(sum2, v128.load(other, 32));
      sum3 = f32x4.add(sum3, v128.load(other, 48));
      sum4 = f32x4.add(sum4, v128.load(other, 64));
      sum5 = f32x4.add(sum5, v128.load(other, 80));
      if (++residualAt == residualPositions) residualAt = 0;
    }
    v128.store(output, sum0);
    v128.store(output, sum1, 16);
    v128.store(output, sum2, 32);
    v128.store(output, sum3, 48);
    v128.store(output, sum4, 64);
    v128.store(output, sum5, 80);
    initial += initialStride;
    output += outputStride;
    starts += startStride;
  }
}

function sumRows4(
  table: usize, starts: usize, startStride: usize, count: u32, initial: usize, initialStride: usize, output: usize, outputStride: usize,
  residual: usize, residualAt: u32, residualPositions: u32,
): void {
  for (let position: u32 = 0; position < count; position++) {
    let sum0 = v128.load(initial);
    let sum1 = v128.load(initial, 16);
    let sum2 = v128.load(initial, 32);
    let sum3 = v128.load(initial, 48);
    const end: usize = load<u32>(starts, 4);
    for (let entry: usize = load<u32>(starts); entry < end; entry += 4) {
      const row = table + load<u32>(entry);
      sum0 = f32x4.add(sum0, v128.load(row));
      sum1 = f32x4.add(sum1, v128.load(row, 16));
      sum2 = f32x4.add(sum2, v128.load(row, 32));
      sum3 = f32x4.add(sum3, v128.load(row, 48));
    }
    if (residual != 0) {
      const other = residual + residualAt * outputStride;
      sum0 = f32x4.add(sum0, v128.load(other));
      sum1 = f32x4.add(sum1, v128.load(other, 16));
      sum2 = f32x4.add(sum2, v128.load(other, 32));
      sum3 = f32x4.add(sum3, v128.load(other, 48));
      if (++residualAt == residualPositions) residualAt = 0;
    }
    v128.store(output, sum0);
    v128.store(output, sum1, 16);
    v128.store(output, sum2, 32);
    v128.store(output, sum3, 48);
    initial += initialStride;
    output += outputStride;
    starts += startStride;
  }
}

function sumRows2(
  table: usize, starts: usize, startStride: usize, count: u32, initial: usize, initialStride: usize, output: usize, outputStride: usize,
  residual: usize, residualAt: u32, residualPositions: u32,
): void {
  for (let position: u32 = 0; position < count; position++) {
    let sum0 = v128.load(initial);
    let sum1 = v128.load(initial, 16);
    const end: usize = load<u32>(starts, 4);
    for (let entry: usize = load<u32>(starts); entry < end; entry += 4) {
      const row = table + load<u32>(entry);
      sum0 = f32x4.add(sum0, v128.load(row));
      sum1 = f32x4.add(sum1, v128.load(row, 16));
    }
    if (residual != 0) {
      const other = residual + residualAt * outputStride;
      sum0 = f32x4.add(sum0, v128.load(other));
      sum1 = f32x4.add(sum1, v128.load(other, 16));
      if (++residualAt == residualPositions) residualAt = 0;
    }
    v128.store(output, sum0);
    v128.store(output, sum1, 16);
    initial += initialStride;
    output += outputStride;
    starts += startStride;
  }
}

/** The last one to four channels; the bias is padded to four. */
function sumRows1(
  table: usize, starts: usize, startStride: usize, count: u32, initial: usize, initialStride: usize, output: usize, outputStride: usize,
  residual: usize, residualAt: u32, residualPositions: u32, lanes: u32,
): void {
  for (let position: u32 = 0; position < count; position++) {
    let sum = v128.load(initial);
    const end: usize = load<u32>(starts, 4);
    for (let entry: usize = load<u32>(starts); entry < end; entry += 4) {
      sum = f32x4.add(sum, v128.load(table + load<u32>(entry)));
    }
    if (residual != 0) {
      sum = f32x4.add(sum, loadLanes(residual + residualAt * outputStride, lanes));
      if (++residualAt == residualPositions) residualAt = 0;
    }
    storeLanes(output, sum, lanes);
    initial += initialStride;
    output += outputStride;
    starts += startStride;
  }
}

/** Sums one chunk of output channels for a block of positions whose lists are built. */
function sumChunk(
  instruction: usize, lookup: usize, partial: usize, starts: usize, chunk: u32, first: u32, count: u32, output: usize, outputStride: usize,
  touches: bool, withTables: bool, tapsPerSegment: u32, wordsPerSegment: u32, segments: u32,
): void {
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const residual: usize = load<u32>(instruction + Word.residual * 4);
  const residualPositions = load<u32>(instruction + Word.residualPositions * 4);
  const residualAt = residual != 0 ? first % residualPositions : 0;
  const partialStride: usize = load<u32>(instruction + Word.rowBytes * 4);
  const firstChannel = chunk * Width.chunk;
  const table = <usize>load<u32>(instruction + Word.weights * 4) + <usize>chunk * load<u32>(instruction + Word.chunkBytes * 4);
  const bias: usize = load<u32>(instruction + Word.bias * 4) + firstChannel * 4;
  const startStride: usize = segments * 4;
  const width = min<u32>(Width.chunk, outputChannels - firstChannel);
  for (let segment: u32 = 0; segment < segments; segment++) {
    const isLast = segment == segments - 1;
    if (touches && count >= leastPositionsToTouch) touchSegment(instruction, lookup, table, segment, withTables, tapsPerSegment, wordsPerSegment);
    const lists = starts + segment * 4;
    const targetStride = isLast ? outputStride : partialStride;
    const initialStride = segment == 0 ? 0 : partialStride;
    let done: u32 = 0;
    while (done < width) {
      const rest = width - done;
      const offset: usize = done * 4;
      const rows = table + offset;
      const initial = (segment == 0 ? bias : partial) + offset;
      const target = (isLast ? output : partial) + offset;
      const other: usize = isLast && residual != 0 ? residual + firstChannel * 4 + offset : 0;
      if (rest == 24) {
        sumRows6(rows, lists, startStride, count, initial, initialStride, target, targetStride, other, residualAt, residualPositions);
        done += 24;
      } else if (rest >= 16) {
        sumRows4(rows, lists, startStride, count, initial, initialStride, target, targetStride, other, residualAt, residualPositions);
        done += 16;
      } else if (rest >= 8) {
        sumRows2(rows, lists, startStride, count, initial, initialStride, target, targetStride, other, residualAt, residualPositions);
        done += 8;
      } else {
        const lanes = isLast ? rest : 4;
        sumRows1(rows, lists, startStride, count, initial, initialStride, target, targetStride, other, residualAt, residualPositions, lanes);
        done += 4;
      }
    }
  }
}

/** Whether any image of positions [first, last) uses the tables. */
function anyUsesTables(instruction: usize, modes: usize, first: u32, last: u32): bool {
  const perImage = load<u32>(instruction + Word.outputHeight * 4) * load<u32>(instruction + Word.outputWidth * 4);
  let result = false;
  for (let image = first / perImage; image <= (last - 1) / perImage; image++) {
    if (usesTables(instruction, modes, image)) result = true;
  }
  return result;
}

/**
 * Tasks are (block of positions, chunk of channels), blocks outermost; a claim may begin and end inside a block, so that all threads have work even when there is only one
 * block. Where the convolution feeds neurons that fire in the same instruction, a block is the same positions of all time steps. Scratch: lookup tables, a byte per image,
 * sums between segments, starts, and the same of pixels, lists of pixels, lists.
 */
export function spikeConvolution(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const images = load<u32>(instruction + Word.images * 4);
  const positions = images * load<u32>(instruction + Word.outputHeight * 4) * load<u32>(instruction + Word.outputWidth * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const blocks = load<u32>(instruction + Word.blocks * 4);
  const byBytes = load<u32>(instruction + Word.bytes * 4) != 0;
  const chunkWidth: u32 = byBytes ? Width.byteChunk : Width.chunk;
  const chunks = (outputChannels + chunkWidth - 1) / chunkWidth;
  const tables = load<u32>(instruction + Word.tables * 4) != 0;
  const fires = load<u32>(instruction + Word.neurons * 4) != 0;
  const timeSteps: u32 = fires ? load<u32>(instruction + Word.timeSteps * 4) : 1;
  const perStep = positions / timeSteps;
  const currents: usize = fires ? load<u32>(instruction + Word.currents * 4) : 0;
  const output: usize = load<u32>(instruction + Word.output * 4);
  let task = claimStart(blocks * chunks, from);
  const end = claimStart(blocks * chunks, until);
  if (task >= end) return;
  const modes = scratch + Size.lookup;
  const partial = modes + load<u32>(instruction + Word.modeBytes * 4);
  const starts = partial + load<u32>(instruction + Word.partialBytes * 4);
  const pixelStarts = starts + load<u32>(instruction + Word.startBytes * 4);
  const lists = pixelStarts + load<u32>(instruction + Word.pixelStartBytes * 4) + load<u32>(instruction + Word.pixelListBytes * 4);
  if (isFirstClaim(scratch)) {
    prepareLookup(scratch, load<u32>(instruction + Word.rowBytes * 4));
    memory.fill(modes, 0, images);
  }
  while (task < end) {
    const block = task / chunks;
    const first = shareStart(perStep, block, blocks);
    const last = shareStart(perStep, block + 1, blocks);
    const count = last - first;
    let withTables = false;
    if (tables) {
      for (let step: u32 = 0; step < timeSteps; step++) {
        if (anyUsesTables(instruction, modes, step * perStep + first, step * perStep + last)) withTables = true;
      }
    }
    // With tables a segment holds fewer taps or channels.
    const cut: usize = instruction + (withTables ? Word.tableTapsPerSegment : Word.tapsPerSegment) * 4;
    const tapsPerSegment = load<u32>(cut);
    const wordsPerSegment = load<u32>(cut, 4);
    const segments = load<u32>(cut, 8);
    const startBytes: usize = count * segments * 4;
    if (!isPrepared(scratch, block)) {
      let list = lists;
      for (let step: u32 = 0; step < timeSteps; step++) {
        // The end of one step's lists is the beginning of the next one's.
        const own = starts + step * startBytes;
        const at = step * perStep;
        buildLists(instruction, scratch, modes, own, pixelStarts, list, at + first, at + last, tapsPerSegment, wordsPerSegment, segments);
        list = load<u32>(own + startBytes);
      }
    }
    const blockEnd = min<u32>(end, (block + 1) * chunks);
    for (; task < blockEnd; task++) {
      const chunk = task - block * chunks;
      const firstChannel = chunk * chunkWidth;
      const width = min<u32>(chunkWidth, outputChannels - firstChannel);
      // Currents that only the neurons read are packed as densely as they come, and never leave the cache.
      const positionBytes: usize = (currents != 0 ? width : outputChannels) * 4;
      const base: usize = currents != 0 ? scratch + currents : output + first * positionBytes + firstChannel * 4;
      const stepBytes: usize = (currents != 0 ? count : perStep) * positionBytes;
      for (let step: u32 = 0; step < timeSteps; step++) {
        const own = starts + step * startBytes;
        const at = step * perStep + first;
        const target = base + step * stepBytes;
        if (byBytes) {
          sumByteChunk(instruction, scratch, partial, own, chunk, at, count, target, positionBytes, step == 0, tapsPerSegment, wordsPerSegment, segments);
        } else {
          sumChunk(instruction, scratch, partial, own, chunk, at, count, target, positionBytes, step == 0, withTables, tapsPerSegment, wordsPerSegment, segments);
        }
      }
      if (fires) fire(instruction, base, stepBytes, positionBytes, firstChannel, width, first, count, perStep);
    }
  }
}
