/**
 * The first pass of the convolution on spikes: the spikes under every position's kernel become a list of row offsets, one list for each segment of rows. For a
 * list there are two words, where it begins and where it ends, so that lists can be made by several threads, each in a piece of memory of its own. With several taps,
 * lists are first made per input pixel and then copied per position.
 *
 * Large maps are cut into blocks, whose lists a thread makes in its scratch when it comes to a block. Maps of one block would have their lists made by every
 * thread: there an instruction before the convolution (`spikeLists`) makes them in memory that all share, and convolutions on the same spikes (attention's query, key and
 * value) use the same lists.
 */
import { ConvolutionWord as Word, Size } from '../src/engines/wasm/instructionSet';
import { patterns } from './spikeRows';
import { claimStart, isPrepared } from './threads';

/**
 * At the start of scratch, by nibble: offsets of the set bits' rows, in front (256 bytes); a shuffle that moves the lanes
 * whose bit is set to the front (256 bytes); by how many bytes a list grows (64 bytes). What follows belongs to `spikeRows.ts` and `spikeByteRows.ts`.
 */
const shuffles: usize = 256;
const growth: usize = 512;

export function prepareLookup(lookup: usize, rowBytes: u32): void {
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
  const dense = <u64>spikes * 100 > <u64>pixels * channels * load<u32>(instruction + Word.tables * 4);
  store<u8>(modes + image, dense ? 2 : 1);
  return dense;
}

/**
 * Lists the rows of pixels [first, last), counted over all images, for a kernel of one tap. `starts` receives, per pixel
 * and part of its words, where its entries begin and end. Returns the lists' end.
 */
function listPixels(
  instruction: usize, lookup: usize, modes: usize, starts: usize, list: usize, first: u32, last: u32, wordsPerPart: u32,
): usize {
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
        store<u32>(starts, <u32>list, 4);
        starts += 8;
      }
    }
  }
  return list;
}

/**
 * Makes the lists of positions [first, last) of one image from those of the pixels under their taps, `pixelStarts` being
 * those of the image's rows from `firstRow` on. `starts` and result as above.
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
          const source = pixelStarts + (((y - firstRow) * inputWidth + x) * parts + part) * 8;
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
        store<u32>(starts, <u32>list, 4);
        starts += 8;
      }
    }
    if (++column == outputWidth) {
      column = 0;
      top += <i32>strideHeight;
    }
  }
  return list;
}

/** Lists the rows of positions [first, last), image by image, at `list`; returns the lists' end. */
export function buildLists(
  instruction: usize, lookup: usize, modes: usize, starts: usize, pixelStarts: usize, list: usize, first: u32, last: u32,
  tapsPerSegment: u32, wordsPerSegment: u32, segments: u32,
): usize {
  const pixelLists = pixelStarts + load<u32>(instruction + Word.pixelStartBytes * 4);
  if (load<u32>(instruction + Word.inPlace * 4) != 0) {
    return listPixels(instruction, lookup, modes, starts, list, first, last, wordsPerSegment);
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
    starts += (imageEnd - first) * segments * 8;
    first = imageEnd;
  }
  return list;
}

/** Whether any image of positions [first, last) uses the tables. */
export function anyUsesTables(instruction: usize, modes: usize, first: u32, last: u32): bool {
  const perImage = load<u32>(instruction + Word.outputHeight * 4) * load<u32>(instruction + Word.outputWidth * 4);
  let result = false;
  for (let image = first / perImage; image <= (last - 1) / perImage; image++) {
    if (usesTables(instruction, modes, image)) result = true;
  }
  return result;
}

/** Where the lists begin in memory that threads share, behind their starts; each position has room for all its neurons and for what is written too much. */
function sharedListsOf(instruction: usize, positions: u32): usize {
  const segments = max<u32>(load<u32>(instruction + Word.segments * 4), load<u32>(instruction + Word.tableSegments * 4));
  return load<u32>(instruction + Word.lists * 4) + positions * segments * 8;
}

/** Makes the lists that the convolution after it, of which this instruction is a copy, finds at `Word.lists`. Tasks are positions. */
export function spikeLists(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const images = load<u32>(instruction + Word.images * 4);
  const positions = images * load<u32>(instruction + Word.outputHeight * 4) * load<u32>(instruction + Word.outputWidth * 4);
  const first = claimStart(positions, from);
  const last = claimStart(positions, until);
  if (first >= last) return;
  const modes = scratch + Size.lookup;
  // The whole map is one block.
  if (!isPrepared(scratch, 0)) {
    prepareLookup(scratch, load<u32>(instruction + Word.rowBytes * 4));
    memory.fill(modes, 0, images);
  }
  const withTables = load<u32>(instruction + Word.tables * 4) != 0 && anyUsesTables(instruction, modes, 0, positions);
  const cut: usize = instruction + (withTables ? Word.tableTapsPerSegment : Word.tapsPerSegment) * 4;
  const segments = load<u32>(cut, 8);
  const taps = load<u32>(instruction + Word.kernelHeight * 4) * load<u32>(instruction + Word.kernelWidth * 4);
  const listBytes: usize = taps * load<u32>(instruction + Word.inputChannels * 4) * 4 + Size.listMargin;
  const starts: usize = load<u32>(instruction + Word.lists * 4) + first * segments * 8;
  const list = sharedListsOf(instruction, positions) + first * listBytes;
  const pixelStarts = modes + load<u32>(instruction + Word.modeBytes * 4) + load<u32>(instruction + Word.partialBytes * 4);
  buildLists(instruction, scratch, modes, starts, pixelStarts, list, first, last, load<u32>(cut), load<u32>(cut, 4), segments);
}
