/**
 * Sums of packed spikes for the account of energy, taken right after the neurons fired, while their words are in the cache. Nothing here is read by the network. Sums are
 * whole numbers added to counters of 64 bits, so they do not depend on how the work is cut.
 */
import { CountWord as Word } from '../src/engines/wasm/instructionSet';
import { claimStart } from './threads';

// @ts-ignore: decorator
@inline
function operand(instruction: usize, word: u32): u32 {
  return load<u32>(instruction + word * 4);
}

function bitsOfWords(at: usize, words: u32): u32 {
  let count: u64 = 0;
  const end = at + (<usize>words << 2);
  for (; at + 8 <= end; at += 8) count += popcnt(load<u64>(at));
  if (at < end) count += popcnt(load<u32>(at));
  return <u32>count;
}

function flush(sums: usize, counters: usize, count: u32): void {
  for (let index: usize = 0; index < count; index++) {
    const sum = load<u64>(sums + (index << 3));
    if (sum != 0) atomic.add<u64>(counters + (index << 3), sum);
    store<u64>(sums + (index << 3), 0);
  }
}

/** counters[t][class of row][class of column] += spikes; cut by rows of pixels. */
export function countSpikes(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const rows = operand(instruction, Word.tasks);
  const rowsPerStep = operand(instruction, Word.tasksPerStep);
  const height = operand(instruction, Word.height);
  const runCount = operand(instruction, Word.runCount);
  const runs: usize = operand(instruction, Word.runs);
  const columnClasses = operand(instruction, Word.columnClassCount);
  const classCount = operand(instruction, Word.classCount);
  const rowClasses: usize = operand(instruction, Word.rowClasses);
  const counters: usize = operand(instruction, Word.output);
  const rowBytes: usize = operand(instruction, Word.width) * operand(instruction, Word.words) * 4;
  const first = claimStart(rows, from);
  const last = claimStart(rows, until);
  if (first >= last) return;
  memory.fill(scratch, 0, <usize>classCount << 3);
  let at: usize = operand(instruction, Word.input) + first * rowBytes;
  let step = first / rowsPerStep;
  let y = first % height;
  for (let row = first; row < last; row++) {
    if (row >= (step + 1) * rowsPerStep) {
      flush(scratch, counters + ((step * classCount) << 3), classCount);
      step++;
    }
    const sums = scratch + ((load<u32>(rowClasses + (y << 2)) * columnClasses) << 3);
    for (let run: u32 = 0; run < runCount; run++) {
      const words = load<u32>(runs + (run << 3), 4);
      const sum = sums + (load<u32>(runs + (run << 3)) << 3);
      store<u64>(sum, load<u64>(sum) + bitsOfWords(at, words));
      at += <usize>words << 2;
    }
    if (++y == height) y = 0;
  }
  flush(scratch, counters + ((step * classCount) << 3), classCount);
}

/** Eight bytes of counts times eight weights, added to the lanes of a sum. */
// @ts-ignore: decorator
@inline
function addWeighed(sum: v128, counts: v128, weights: usize): v128 {
  const low = i32x4.mul(i32x4.extend_low_i16x8_u(counts), v128.load(weights));
  const high = i32x4.mul(i32x4.extend_high_i16x8_u(counts), v128.load(weights, 16));
  return i32x4.add(sum, i32x4.add(low, high));
}

/** Lanes are unsigned numbers of 32 bits. */
// @ts-ignore: decorator
@inline
function sumOfLanes(sum: v128): u64 {
  const pairs = i64x2.add(i64x2.extend_low_i32x4_u(sum), i64x2.extend_high_i32x4_u(sum));
  return <u64>i64x2.extract_lane(pairs, 0) + <u64>i64x2.extract_lane(pairs, 1);
}

/** Spikes of one word of the listed positions (at most 255, so that a byte can hold each channel's count), each times the weight of its channel. */
function weighed(input: usize, stride: usize, positions: usize, count: u32, weights: usize): u64 {
  const selectors = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  let low = i8x16.splat(0);
  let high = i8x16.splat(0);
  for (let index: usize = 0; index < count; index++) {
    const word = v128.load32_splat(input + load<u32>(positions + (index << 2)) * stride);
    const first = i8x16.shuffle(word, word, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const second = i8x16.shuffle(word, word, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    // All-ones bytes are −1.
    low = i8x16.sub(low, i8x16.eq(v128.and(first, selectors), selectors));
    high = i8x16.sub(high, i8x16.eq(v128.and(second, selectors), selectors));
  }
  let sum = i32x4.splat(0);
  sum = addWeighed(sum, i16x8.extend_low_i8x16_u(low), weights);
  sum = addWeighed(sum, i16x8.extend_high_i8x16_u(low), weights + 32);
  sum = addWeighed(sum, i16x8.extend_low_i8x16_u(high), weights + 64);
  sum = addWeighed(sum, i16x8.extend_high_i8x16_u(high), weights + 96);
  return sumOfLanes(sum);
}

/** counter += the sum of all spikes, each times the weight of its class of positions and its channel; cut by images and listed words. */
export function weighSpikes(instruction: usize, from: u32, until: u32): void {
  const listed = operand(instruction, Word.listedWordCount);
  const listedWords: usize = operand(instruction, Word.listedWords);
  const classCount = operand(instruction, Word.classCount);
  const classEnds: usize = operand(instruction, Word.classEnds);
  const positions: usize = operand(instruction, Word.positions);
  const weights: usize = operand(instruction, Word.weights);
  const stride: usize = <usize>operand(instruction, Word.words) << 2;
  const imageBytes = operand(instruction, Word.height) * operand(instruction, Word.width) * stride;
  const input: usize = operand(instruction, Word.input);
  const tasks = operand(instruction, Word.tasks) * listed;
  const last = claimStart(tasks, until);
  let sum: u64 = 0;
  for (let task = claimStart(tasks, from); task < last; task++) {
    const index = task % listed;
    const words = input + (task / listed) * imageBytes + (load<u32>(listedWords + (index << 2)) << 2);
    let weightsOfClass = weights + index * classCount * 128;
    let position: u32 = 0;
    for (let kind: u32 = 0; kind < classCount; kind++) {
      const end = load<u32>(classEnds + (kind << 2));
      while (position < end) {
        const count = min<u32>(255, end - position);
        sum += weighed(words, stride, positions + (position << 2), count, weightsOfClass);
        position += count;
      }
      weightsOfClass += 128;
    }
  }
  if (sum != 0) atomic.add<u64>(operand(instruction, Word.output), sum);
}

/** Set bits from channel `first` to before `end` of the words at `at`. */
function bitsBetween(at: usize, first: u32, end: u32): u32 {
  let count: u32 = 0;
  while (first < end) {
    const available = min<u32>(32 - (first & 31), end - first);
    let word = load<u32>(at + ((first >>> 5) << 2)) >>> (first & 31);
    if (available < 32) word &= (1 << available) - 1;
    count += popcnt(word);
    first += available;
  }
  return count;
}

/** counters[t] += the sum, over tokens and heads, of the spikes of the one times the spikes of the other; cut by tokens. */
export function countCoincidences(instruction: usize, from: u32, until: u32): void {
  const tokens = operand(instruction, Word.tasks);
  const perStep = operand(instruction, Word.tasksPerStep);
  const heads = operand(instruction, Word.heads);
  const width = operand(instruction, Word.channels) / heads;
  const tokenBytes: usize = <usize>operand(instruction, Word.words) << 2;
  const counters: usize = operand(instruction, Word.output);
  const first = claimStart(tokens, from);
  const last = claimStart(tokens, until);
  let one: usize = operand(instruction, Word.input) + first * tokenBytes;
  let other: usize = operand(instruction, Word.second) + first * tokenBytes;
  let step = first / perStep;
  let sum: u64 = 0;
  for (let token = first; token < last; token++) {
    if (token >= (step + 1) * perStep) {
      atomic.add<u64>(counters + (step << 3), sum);
      sum = 0;
      step++;
    }
    for (let channel: u32 = 0; channel < heads * width; channel += width) {
      const spikes = bitsBetween(one, channel, channel + width);
      if (spikes != 0) sum += <u64>spikes * bitsBetween(other, channel, channel + width);
    }
    one += tokenBytes;
    other += tokenBytes;
  }
  if (sum != 0) atomic.add<u64>(counters + (step << 3), sum);
}

/**
 * Marks where a depthwise convolution has a spike under a weight; cut by rows of the output. The rows under the kernel are copied between zeros first, so that the loop over
 * taps has no borders.
 */
export function reachSpikes(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const outputHeight = operand(instruction, Word.outputHeight);
  const words = operand(instruction, Word.words);
  const width = operand(instruction, Word.width);
  const height = operand(instruction, Word.height);
  const kernelHeight = operand(instruction, Word.kernelHeight);
  const strideHeight = operand(instruction, Word.strideHeight);
  const paddingHeight = operand(instruction, Word.paddingHeight);
  const paddingBytes: usize = <usize>(operand(instruction, Word.paddingWidth) * words) << 2;
  const rowBytes: usize = <usize>(width * words) << 2;
  const paddedBytes = rowBytes + 2 * paddingBytes;
  const outputRowBytes: usize = <usize>(operand(instruction, Word.outputWidth) * words) << 2;
  const input: usize = operand(instruction, Word.input);
  const rows = operand(instruction, Word.tasks) * outputHeight;
  const first = claimStart(rows, from);
  const last = claimStart(rows, until);
  let output: usize = operand(instruction, Word.output) + first * outputRowBytes;
  // Beyond the last row lie four words that a vector may reach.
  memory.fill(scratch, 0, kernelHeight * paddedBytes + 16);
  for (let row = first; row < last; row++) {
    const image = input + (row / outputHeight) * height * rowBytes;
    const top = <i32>((row % outputHeight) * strideHeight) - <i32>paddingHeight;
    let target = scratch + paddingBytes;
    for (let y = top; y < top + <i32>kernelHeight; y++) {
      if (y < 0 || y >= <i32>height) memory.fill(target, 0, rowBytes);
      else memory.copy(target, image + <usize>y * rowBytes, rowBytes);
      target += paddedBytes;
    }
    reachRow(instruction, scratch, paddedBytes, output);
    output += outputRowBytes;
  }
}

function reachRow(instruction: usize, padded: usize, paddedBytes: usize, output: usize): void {
  const words = operand(instruction, Word.words);
  const strideWidth = operand(instruction, Word.strideWidth);
  const total = operand(instruction, Word.outputWidth) * words;
  let at: u32 = 0;
  if (strideWidth == 1) {
    for (; at + 4 <= total; at += 4) {
      v128.store(output + (at << 2), reachedFour(instruction, padded + (at << 2), paddedBytes, at % words));
    }
  }
  for (; at < total; at++) {
    const source = padded + (((at / words) * strideWidth * words + (at % words)) << 2);
    store<u32>(output + (at << 2), i32x4.extract_lane(reachedFour(instruction, source, paddedBytes, at % words), 0));
  }
}

/** Four words whose window begins at `source`; the first is word `word` of its position. */
function reachedFour(instruction: usize, source: usize, paddedBytes: usize, word: u32): v128 {
  const kernelHeight = operand(instruction, Word.kernelHeight);
  const kernelWidth = operand(instruction, Word.kernelWidth);
  const pixelBytes: usize = <usize>operand(instruction, Word.words) << 2;
  const maskBytes: usize = <usize>operand(instruction, Word.maskStride) << 2;
  let masks: usize = operand(instruction, Word.masks) + (word << 2);
  let reached = i32x4.splat(0);
  for (let y: u32 = 0; y < kernelHeight; y++) {
    let pixel = source;
    for (let x: u32 = 0; x < kernelWidth; x++) {
      reached = v128.or(reached, v128.and(v128.load(pixel), v128.load(masks)));
      pixel += pixelBytes;
      masks += maskBytes;
    }
    source += paddedBytes;
  }
  return reached;
}

/** Marks the numbers that are not zero, packed as spikes are; cut by positions of all images. */
export function markNonZero(instruction: usize, from: u32, until: u32): void {
  const positions = operand(instruction, Word.tasks) * operand(instruction, Word.height) * operand(instruction, Word.width);
  const channels = operand(instruction, Word.channels);
  const words = operand(instruction, Word.words);
  const first = claimStart(positions, from);
  const last = claimStart(positions, until);
  let input: usize = operand(instruction, Word.input) + <usize>first * channels * 4;
  let output: usize = operand(instruction, Word.output) + <usize>first * words * 4;
  for (let position = first; position < last; position++) {
    for (let channel: u32 = 0; channel < channels; channel += 32) {
      const end = min<u32>(32, channels - channel);
      let word: u32 = 0;
      for (let bit: u32 = 0; bit < end; bit++) {
        word |= <u32>(load<f32>(input) != 0) << bit;
        input += 4;
      }
      store<u32>(output, word);
      output += 4;
    }
  }
}
