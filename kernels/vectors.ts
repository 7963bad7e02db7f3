/** What all kernels on real numbers do with vectors: products added up, rows interleaved, and loads and stores of the first 1 to 4 numbers, for channel counts that are not multiples of four. */

// @ts-ignore: decorator
@inline
export function loadLanes(address: usize, lanes: u32): v128 {
  if (lanes >= 4) return v128.load(address);
  let result = v128.load_zero<u32>(address);
  if (lanes > 1) result = v128.load_lane<u32>(address, result, 1, 4);
  if (lanes > 2) result = v128.load_lane<u32>(address, result, 2, 8);
  return result;
}

// @ts-ignore: decorator
@inline
export function storeLanes(address: usize, value: v128, lanes: u32): void {
  if (lanes >= 4) {
    v128.store(address, value);
    return;
  }
  v128.store_lane<u32>(address, value, 0);
  if (lanes > 1) v128.store_lane<u32>(address, value, 1, 4);
  if (lanes > 2) v128.store_lane<u32>(address, value, 2, 8);
}

/** All bits set in the lanes of the channels `channel … channel + 3` that have a spike in their word. */
// @ts-ignore: decorator
@inline
export function spikeMask(word: u32, channel: u32): v128 {
  const bits = i32x4(1, 2, 4, 8);
  return i32x4.eq(v128.and(i32x4.splat(word >>> (channel & 31)), bits), bits);
}

/** Writes four lanes of each of four vectors in the order of a transposed matrix: the first lane of each, then the second of each, 64 bytes. */
// @ts-ignore: decorator
@inline
export function interleaveFours(target: usize, four0: v128, four1: v128, four2: v128, four3: v128): void {
  const low01 = i32x4.shuffle(four0, four1, 0, 4, 1, 5);
  const low23 = i32x4.shuffle(four2, four3, 0, 4, 1, 5);
  v128.store(target, i64x2.shuffle(low01, low23, 0, 2));
  v128.store(target, i64x2.shuffle(low01, low23, 1, 3), 16);
  const high01 = i32x4.shuffle(four0, four1, 2, 6, 3, 7);
  const high23 = i32x4.shuffle(four2, four3, 2, 6, 3, 7);
  v128.store(target, i64x2.shuffle(high01, high23, 0, 2), 32);
  v128.store(target, i64x2.shuffle(high01, high23, 1, 3), 48);
}

/**
 * a · b + sum. Where the machine has relaxed SIMD (Node 20 by a flag of its own, later Node and Chromium always) it is one instruction with one rounding: training
 * steps 1.16 times as fast as with a product and a sum (docs/decisions/009), results as exact but not the same bits.
 */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, sum: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, sum);
  return f32x4.add(sum, f32x4.mul(a, b));
}

/**
 * Never true, for nothing that kernels read lies at the beginning of memory. V8 of Node 20 loads everything that a piece of code without branches loads before its first sum; between
 * two steps of one turn of a loop this keeps them apart, or there would be too few registers.
 */
// @ts-ignore: decorator
@inline
export function neverAt(address: usize): bool {
  return address == 0;
}
