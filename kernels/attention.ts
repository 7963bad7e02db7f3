/**
 * SDSA-3, `scale · Q (Kᵀ V)` per image and head. K and V are turned into bit sets over the tokens, so that one entry of
 * KᵀV is the population count of an AND; each spike of Q then adds one row of counts. All sums are integers, exact.
 * Heads may begin at any bit and have any number of channels.
 */
import { AttentionWord as Word } from '../src/engines/wasm/instructionSet';
import { claimStart } from './threads';
import { storeLanes } from './vectors';

// @ts-ignore: decorator
@inline
function countBits(bits: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_u(i8x16.popcnt(bits)));
}

// @ts-ignore: decorator
@inline
function sumLanes(value: v128): u32 {
  return (
    i32x4.extract_lane(value, 0) + i32x4.extract_lane(value, 1) + i32x4.extract_lane(value, 2) + i32x4.extract_lane(value, 3)
  );
}

/** Fills `sets` (one bit set over tokens per channel of the head) from packed spikes. */
function transpose(spikes: usize, sets: usize, setBytes: usize, tokens: u32, rowBytes: usize, firstChannel: u32, width: u32): void {
  memory.fill(sets, 0, width * setBytes);
  for (let token: u32 = 0; token < tokens; token++) {
    const target = sets + ((token >>> 5) << 2);
    const bit: u32 = 1 << (token & 31);
    let channel: u32 = 0;
    while (channel < width) {
      const at = firstChannel + channel;
      const available = min<u32>(32 - (at & 31), width - channel);
      let word = load<u32>(spikes + ((at >>> 5) << 2)) >>> (at & 31);
      if (available < 32) word &= (1 << available) - 1;
      while (word != 0) {
        const set = target + (channel + ctz(word)) * setBytes;
        store<u32>(set, load<u32>(set) | bit);
        word &= word - 1;
      }
      channel += available;
    }
    spikes += rowBytes;
  }
}

/** counts[k][v] = in how many tokens channel k of K and channel v of V fire together. */
function coincidences(keys: usize, values: usize, setBytes: usize, width: u32, counts: usize, countBytes: usize): void {
  for (let key: u32 = 0; key < width; key++) {
    const keySet = keys + key * setBytes;
    for (let value: u32 = 0; value < width; value++) {
      const valueSet = values + value * setBytes;
      let sum = i32x4.splat(0);
      for (let at: usize = 0; at < setBytes; at += 16) {
        sum = i32x4.add(sum, countBits(v128.and(v128.load(keySet + at), v128.load(valueSet + at))));
      }
      store<u32>(counts + key * countBytes + value * 4, sumLanes(sum));
    }
  }
}

/** One token: adds the count rows that its spikes select, `lists` holding their addresses. */
function selectRows(lists: usize, listEnd: usize, output: usize, width: u32, scale: v128): void {
  for (let channel: u32 = 0; channel < width; channel += 4) {
    let sum = i32x4.splat(0);
    for (let entry = lists; entry < listEnd; entry += 4) {
      sum = i32x4.add(sum, v128.load(load<u32>(entry) + channel * 4));
    }
    storeLanes(output + channel * 4, f32x4.mul(f32x4.convert_i32x4_s(sum), scale), width - channel);
  }
}

function listRows(spikes: usize, firstChannel: u32, width: u32, counts: usize, countBytes: usize, lists: usize): usize {
  let channel: u32 = 0;
  while (channel < width) {
    const at = firstChannel + channel;
    const available = min<u32>(32 - (at & 31), width - channel);
    let word = load<u32>(spikes + ((at >>> 5) << 2)) >>> (at & 31);
    if (available < 32) word &= (1 << available) - 1;
    while (word != 0) {
      store<u32>(lists, <u32>(counts + (channel + ctz(word)) * countBytes));
      lists += 4;
      word &= word - 1;
    }
    channel += available;
  }
  return lists;
}

/** Scratch: key sets, value sets, counts, one list. */
export function spikeAttention(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const tokens = load<u32>(instruction + Word.tokens * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const heads = load<u32>(instruction + Word.heads * 4);
  const scale = f32x4.splat(load<f32>(instruction + Word.scale * 4));
  const width = channels / heads;
  const setBytes: usize = ((tokens + 127) >>> 7) << 4;
  const countBytes: usize = ((width + 3) >>> 2) << 4;
  const rowBytes: usize = ((channels + 31) >>> 5) << 2;
  const keys = scratch;
  const values = keys + width * setBytes;
  const counts = values + width * setBytes;
  const lists = counts + width * countBytes;
  // Lanes beyond the head's width are loaded with the rest of their vector and dropped on storing.
  memory.fill(counts, 0, width * countBytes);
  const tasks = load<u32>(instruction + Word.images * 4) * heads;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const image = task / heads;
    const firstChannel = (task % heads) * width;
    const offset = image * tokens * rowBytes;
    transpose(load<u32>(instruction + Word.key * 4) + offset, keys, setBytes, tokens, rowBytes, firstChannel, width);
    transpose(load<u32>(instruction + Word.value * 4) + offset, values, setBytes, tokens, rowBytes, firstChannel, width);
    coincidences(keys, values, setBytes, width, counts, countBytes);
    let query: usize = load<u32>(instruction + Word.query * 4) + offset;
    let output: usize = load<u32>(instruction + Word.output * 4) + (image * tokens * channels + firstChannel) * 4;
    for (let token: u32 = 0; token < tokens; token++) {
      const listEnd = listRows(query, firstChannel, width, counts, countBytes, lists);
      selectRows(lists, listEnd, output, width, scale);
      query += rowBytes;
      output += channels * 4;
    }
  }
}
