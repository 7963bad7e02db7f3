/** Loads and stores of the first 1 to 4 numbers of a vector, for channel counts that are not multiples of four. */

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
