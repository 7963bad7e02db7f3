/**
 * Gradient of `scale · Q (Kᵀ V)` per image and head. Products with spikes are sums of rows that the spikes select; only
 * the gradient of Q multiplies, by counts. With G = scale · δO and B = Qᵀ G: `δQ = G (Kᵀ V)ᵀ`, `δK = V Bᵀ`, `δV = K B`.
 */
import { AttentionGradientWord as Word } from '../src/engines/wasm/trainingInstructionSet';
import { claimStart } from './threads';
import { loadLanes, storeLanes } from './vectors';

/** Lists the channels of a head that fire at one token, as offsets of rows. Returns the list's end. */
function listSpikes(spikes: usize, firstChannel: u32, width: u32, rowBytes: usize, list: usize): usize {
  let channel: u32 = 0;
  while (channel < width) {
    const at = firstChannel + channel;
    const available = min<u32>(32 - (at & 31), width - channel);
    let word = load<u32>(spikes + ((at >>> 5) << 2)) >>> (at & 31);
    if (available < 32) word &= (1 << available) - 1;
    while (word != 0) {
      store<u32>(list, <u32>((channel + ctz(word)) * rowBytes));
      list += 4;
      word &= word - 1;
    }
    channel += available;
  }
  return list;
}

/** Adds `row` to the rows that a list selects. */
function addToRows(list: usize, end: usize, rows: usize, row: usize, rowBytes: usize): void {
  for (; list < end; list += 4) {
    const target = rows + load<u32>(list);
    for (let at: usize = 0; at < rowBytes; at += 16) {
      v128.store(target + at, f32x4.add(v128.load(target + at), v128.load(row + at)));
    }
  }
}

/** Writes the sum of the rows that a list selects, sixteen channels at a time while there are so many. */
function sumRows(list: usize, end: usize, rows: usize, rowBytes: usize, output: usize, width: u32): void {
  let at: usize = 0;
  for (; at + 64 <= rowBytes; at += 64) {
    let sum0 = f32x4.splat(0);
    let sum1 = f32x4.splat(0);
    let sum2 = f32x4.splat(0);
    let sum3 = f32x4.splat(0);
    for (let entry = list; entry < end; entry += 4) {
      const row = rows + load<u32>(entry) + at;
      sum0 = f32x4.add(sum0, v128.load(row));
      sum1 = f32x4.add(sum1, v128.load(row, 16));
      sum2 = f32x4.add(sum2, v128.load(row, 32));
      sum3 = f32x4.add(sum3, v128.load(row, 48));
    }
    v128.store(output + at, sum0);
    v128.store(output + at, sum1, 16);
    v128.store(output + at, sum2, 32);
    storeLanes(output + at + 48, sum3, width - <u32>((at + 48) >>> 2));
  }
  for (; at < rowBytes; at += 16) {
    let sum = f32x4.splat(0);
    for (let entry = list; entry < end; entry += 4) sum = f32x4.add(sum, v128.load(rows + load<u32>(entry) + at));
    storeLanes(output + at, sum, width - <u32>(at >>> 2));
  }
}

/** Writes `row · matrix`. */
function multiplyRow(row: usize, matrix: usize, rowBytes: usize, output: usize, width: u32): void {
  const end = row + width * 4;
  let at: usize = 0;
  for (; at + 64 <= rowBytes; at += 64) {
    let sum0 = f32x4.splat(0);
    let sum1 = f32x4.splat(0);
    let sum2 = f32x4.splat(0);
    let sum3 = f32x4.splat(0);
    let other = matrix + at;
    for (let factor = row; factor < end; factor += 4) {
      const value = v128.load_splat<u32>(factor);
      sum0 = f32x4.add(sum0, f32x4.mul(value, v128.load(other)));
      sum1 = f32x4.add(sum1, f32x4.mul(value, v128.load(other, 16)));
      sum2 = f32x4.add(sum2, f32x4.mul(value, v128.load(other, 32)));
      sum3 = f32x4.add(sum3, f32x4.mul(value, v128.load(other, 48)));
      other += rowBytes;
    }
    v128.store(output + at, sum0);
    v128.store(output + at, sum1, 16);
    v128.store(output + at, sum2, 32);
    storeLanes(output + at + 48, sum3, width - <u32>((at + 48) >>> 2));
  }
  for (; at < rowBytes; at += 16) {
    let sum = f32x4.splat(0);
    let other = matrix + at;
    for (let factor = row; factor < end; factor += 4) {
      sum = f32x4.add(sum, f32x4.mul(v128.load_splat<u32>(factor), v128.load(other)));
      other += rowBytes;
    }
    storeLanes(output + at, sum, width - <u32>(at >>> 2));
  }
}

function scaleRow(source: usize, scale: v128, target: usize, rowBytes: usize, width: u32): void {
  for (let at: usize = 0; at < rowBytes; at += 16) {
    v128.store(target + at, f32x4.mul(loadLanes(source + at, width - <u32>(at >>> 2)), scale));
  }
}

/** Writes 1 at the places that a list of offsets selects, 0 elsewhere. */
function unpackRow(list: usize, end: usize, strideOfOffsets: usize, target: usize, rowBytes: usize): void {
  for (let at: usize = 0; at < rowBytes; at += 16) v128.store(target + at, f32x4.splat(0));
  for (; list < end; list += 4) store<f32>(target + (load<u32>(list) / <u32>strideOfOffsets) * 4, 1);
}

/**
 * Tasks are (image, head). Scratch: Vᵀ K, B and its transpose, a row, a list. Matrices are `width` rows of whole vectors,
 * what lies beyond `width` being zero.
 */
export function attentionGradient(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const tokens = load<u32>(instruction + Word.tokens * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const heads = load<u32>(instruction + Word.heads * 4);
  const scale = f32x4.splat(load<f32>(instruction + Word.scale * 4));
  const width = channels / heads;
  const rowBytes: usize = ((width + 3) >>> 2) << 4;
  const spikeBytes: usize = ((channels + 31) >>> 5) << 2;
  const matrixBytes = width * rowBytes;
  const counts = scratch;
  const products = counts + matrixBytes;
  const transposed = products + matrixBytes;
  const row = transposed + matrixBytes;
  const list = row + rowBytes;
  const tasks = load<u32>(instruction + Word.images * 4) * heads;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const firstToken = (task / heads) * tokens;
    const firstChannel = (task % heads) * width;
    const query = <usize>load<u32>(instruction + Word.query * 4) + firstToken * spikeBytes;
    const key = <usize>load<u32>(instruction + Word.key * 4) + firstToken * spikeBytes;
    const value = <usize>load<u32>(instruction + Word.value * 4) + firstToken * spikeBytes;
    const offset: usize = (firstToken * channels + firstChannel) * 4;
    const gradient = <usize>load<u32>(instruction + Word.outputGradient * 4) + offset;
    const queryGradient = <usize>load<u32>(instruction + Word.queryGradient * 4) + offset;
    const keyGradient = <usize>load<u32>(instruction + Word.keyGradient * 4) + offset;
    const valueGradient = <usize>load<u32>(instruction + Word.valueGradient * 4) + offset;
    memory.fill(scratch, 0, 3 * matrixBytes);
    for (let token: u32 = 0; token < tokens; token++) {
      let end = listSpikes(key + token * spikeBytes, firstChannel, width, rowBytes, list);
      unpackRow(list, end, rowBytes, row, rowBytes);
      end = listSpikes(value + token * spikeBytes, firstChannel, width, rowBytes, list);
      addToRows(list, end, counts, row, rowBytes);
      end = listSpikes(query + token * spikeBytes, firstChannel, width, rowBytes, list);
      scaleRow(gradient + token * channels * 4, scale, row, rowBytes, width);
      addToRows(list, end, products, row, rowBytes);
    }
    for (let i: u32 = 0; i < width; i++) {
      for (let j: u32 = 0; j < width; j++) {
        store<f32>(transposed + j * rowBytes + i * 4, load<f32>(products + i * rowBytes + j * 4));
      }
    }
    for (let token: u32 = 0; token < tokens; token++) {
      const at = token * channels * 4;
      scaleRow(gradient + at, scale, row, rowBytes, width);
      multiplyRow(row, counts, rowBytes, queryGradient + at, width);
      let end = listSpikes(value + token * spikeBytes, firstChannel, width, rowBytes, list);
      sumRows(list, end, transposed, rowBytes, keyGradient + at, width);
      end = listSpikes(key + token * spikeBytes, firstChannel, width, rowBytes, list);
      sumRows(list, end, products, rowBytes, valueGradient + at, width);
    }
  }
}
