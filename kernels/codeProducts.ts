/**
 * Products of one descriptor with many of a byte per number (`src/engines/calls/codeProducts.ts`). Bound by memory where there are many: six instructions for sixteen
 * numbers, and a quarter of the bytes of float32.
 */
import { claimStart } from './threads';

enum Word {
  codes = 1,
  query,
  scales,
  output,
  rows,
  channels,
}

/** Sixteen products, added up in fours. */
// @ts-ignore: decorator
@inline
function addSixteen(sum: v128, codes: usize, query: usize): v128 {
  const bytes = v128.load(codes);
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(bytes), v128.load(query));
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(bytes), v128.load(query, 16));
  return i32x4.add(sum, i32x4.add(low, high));
}

/** Tasks are rows. */
export function codeProducts(instruction: usize, from: u32, until: u32): void {
  const rows = load<u32>(instruction + Word.rows * 4);
  const channels: usize = load<u32>(instruction + Word.channels * 4);
  const rowBytes: usize = ((channels + 3) >>> 2) << 2;
  const query: usize = load<u32>(instruction + Word.query * 4);
  const scales: usize = load<u32>(instruction + Word.scales * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const last = claimStart(rows, until);
  for (let row: usize = claimStart(rows, from); row < last; row++) {
    const codes: usize = load<u32>(instruction + Word.codes * 4) + row * rowBytes;
    let even = i32x4.splat(0);
    let odd = i32x4.splat(0);
    let channel: usize = 0;
    for (; channel + 32 <= channels; channel += 32) {
      even = addSixteen(even, codes + channel, query + (channel << 1));
      odd = addSixteen(odd, codes + channel + 16, query + (channel << 1) + 32);
    }
    for (; channel + 16 <= channels; channel += 16) even = addSixteen(even, codes + channel, query + (channel << 1));
    const fours = i32x4.add(even, odd);
    let sum: i32 = i32x4.extract_lane(fours, 0) + i32x4.extract_lane(fours, 1) + i32x4.extract_lane(fours, 2) + i32x4.extract_lane(fours, 3);
    for (; channel < channels; channel++) sum += <i32>load<i8>(codes + channel) * <i32>load<i16>(query + (channel << 1));
    store<f32>(output + (row << 2), <f32>sum * load<f32>(scales + (row << 2)));
  }
}
