/**
 * Coincidences of spikes and their gradient (`src/engines/calls/coincidence.ts`). Counts of 32 channels are bytes in two registers while tokens go by, which is a quarter of
 * the work of counting in words; every 255 tokens they are added to the output, before a byte can overflow.
 */
import { claimStart } from './threads';
import { loadLanes, spikeMask, storeLanes } from './vectors';

enum Word {
  key = 1,
  value,
  output,
  images,
  tokens,
  channels,
}

enum GradientWord {
  key = 1,
  value,
  outputGradient,
  keyGradient,
  valueGradient,
  images,
  tokens,
  channels,
}

const mostTokens: u32 = 255;

/** Adds sixteen counts to as many numbers, or writes them. */
function addCounts(output: usize, counts: v128, channels: u32, isFirst: bool): void {
  const low = i16x8.extend_low_i8x16_u(counts);
  const high = i16x8.extend_high_i8x16_u(counts);
  addFour(output, i32x4.extend_low_i16x8_u(low), channels, isFirst);
  if (channels > 4) addFour(output + 16, i32x4.extend_high_i16x8_u(low), channels - 4, isFirst);
  if (channels > 8) addFour(output + 32, i32x4.extend_low_i16x8_u(high), channels - 8, isFirst);
  if (channels > 12) addFour(output + 48, i32x4.extend_high_i16x8_u(high), channels - 12, isFirst);
}

function addFour(output: usize, counts: v128, lanes: u32, isFirst: bool): void {
  const numbers = f32x4.convert_i32x4_u(counts);
  storeLanes(output, isFirst ? numbers : f32x4.add(loadLanes(output, lanes), numbers), lanes);
}

/** Tasks are words of 32 channels of an image. */
export function coincidence(instruction: usize, from: u32, until: u32): void {
  const tokens = load<u32>(instruction + Word.tokens * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const words = (channels + 31) >>> 5;
  const rowBytes: usize = words << 2;
  const bits = v128.splat<u64>(0x8040201008040201);
  const tasks = load<u32>(instruction + Word.images * 4) * words;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const image = task / words;
    const word = task % words;
    const offset: usize = image * tokens * rowBytes + word * 4;
    let key: usize = load<u32>(instruction + Word.key * 4) + offset;
    let value: usize = load<u32>(instruction + Word.value * 4) + offset;
    const output: usize = load<u32>(instruction + Word.output * 4) + (image * channels + word * 32) * 4;
    const rest = channels - word * 32;
    for (let first: u32 = 0; first < tokens; first += mostTokens) {
      let low = i8x16.splat(0);
      let high = i8x16.splat(0);
      const end = min<u32>(tokens, first + mostTokens);
      for (let token = first; token < end; token++) {
        const both = i32x4.splat(load<u32>(key) & load<u32>(value));
        const lowBits = i8x16.swizzle(both, i8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
        const highBits = i8x16.swizzle(both, i8x16(2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3));
        low = i8x16.sub(low, i8x16.eq(v128.and(lowBits, bits), bits));
        high = i8x16.sub(high, i8x16.eq(v128.and(highBits, bits), bits));
        key += rowBytes;
        value += rowBytes;
      }
      addCounts(output, low, rest, first == 0);
      if (rest > 16) addCounts(output + 64, high, rest - 16, first == 0);
    }
  }
}

/** Tasks are tokens of all images. */
export function coincidenceGradient(instruction: usize, from: u32, until: u32): void {
  const tokens = load<u32>(instruction + GradientWord.tokens * 4);
  const channels = load<u32>(instruction + GradientWord.channels * 4);
  const rowBytes: usize = ((channels + 31) >>> 5) << 2;
  const tasks = load<u32>(instruction + GradientWord.images * 4) * tokens;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const key: usize = load<u32>(instruction + GradientWord.key * 4) + task * rowBytes;
    const value: usize = load<u32>(instruction + GradientWord.value * 4) + task * rowBytes;
    const arriving: usize = load<u32>(instruction + GradientWord.outputGradient * 4) + (task / tokens) * channels * 4;
    const keyGradient: usize = load<u32>(instruction + GradientWord.keyGradient * 4) + task * channels * 4;
    const valueGradient: usize = load<u32>(instruction + GradientWord.valueGradient * 4) + task * channels * 4;
    for (let channel: u32 = 0; channel < channels; channel += 4) {
      const lanes = channels - channel;
      const gradient = loadLanes(arriving + channel * 4, lanes);
      const word: usize = (channel >>> 5) << 2;
      storeLanes(keyGradient + channel * 4, v128.and(gradient, spikeMask(load<u32>(value + word), channel)), lanes);
      storeLanes(valueGradient + channel * 4, v128.and(gradient, spikeMask(load<u32>(key + word), channel)), lanes);
    }
  }
}
