/**
 * Convolution (and linear layer: a 1×1 convolution) on packed spikes, without any multiplication. Two passes over each
 * block of output positions: the first (`spikeLists.ts`) turns the spikes under every position's kernel into a list of row offsets, the
 * second adds those rows of 24 output channels in six registers. Rows are the weights of one input channel, one entry
 * per spike; and where tables are packed, also the sums of two to four neighbouring channels' weights, so that one entry
 * serves for four neurons. Images that fire little take single rows only: then the tables, nearly three times the
 * weights, need not be fetched.
 *
 * V8 of Node 20 schedules every load of a block before its additions, so n accumulators want 2n of the 16 registers: six
 * are best, eight spill. Rows are cut into segments that stay in the L2 cache; between segments the sums rest in
 * scratch. Measured, one thread, G dense-equivalent multiply-accumulates a second at 5, 15 and 40 % firing (3×3,
 * 192 → 768, 28²): single rows 290, 100, 33; with tables 180, 100, 60. Neither rows of 32 channels (two cache lines, 31M 0.99 times as fast) nor four rows a turn of the loop (0.99 to 1.01)
 * gain anything here: what limits is how fast the cache brings rows.
 */
import { ConvolutionWord as Word, Size, Width } from '../src/engines/wasm/instructionSet';
import { claimStart, isFirstClaim, isPrepared, shareStart } from './threads';
import { fire } from './neuron';
import { sumByteChunk } from './spikeByteRows';
import { anyUsesTables, buildLists, prepareLookup } from './spikeLists';
import { leastPositionsToTouch, touchSegment } from './spikeRows';
import { loadLanes, storeLanes } from './vectors';

/** Into how many parts the positions of a (block, chunk) may be cut between claims, and below how many positions they are not. */
const partsPerTask: u32 = 8;
const leastPositionsToCut: u32 = 64;

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
  const startStride: usize = segments * 8;
  const width = min<u32>(Width.chunk, outputChannels - firstChannel);
  for (let segment: u32 = 0; segment < segments; segment++) {
    const isLast = segment == segments - 1;
    if (touches && count >= leastPositionsToTouch) touchSegment(instruction, lookup, table, segment, withTables, tapsPerSegment, wordsPerSegment);
    const lists = starts + segment * 8;
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

/**
 * Tasks are (block of positions, chunk of channels), blocks outermost; a claim may begin and end inside a block, so that all threads have work even when there is only one
 * block; then the lists may have been made by the instruction before (`spikeLists`). Where the convolution feeds neurons that fire in the same instruction, a block is the same positions of all time steps. Scratch: lookup tables, a byte per image,
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
  // Also the parts of a chunk's positions are tasks, so that claims end together however few chunks there are.
  const parts: u32 = perStep / blocks >= leastPositionsToCut ? partsPerTask : 1;
  const perBlock = chunks * parts;
  let task = claimStart(blocks * perBlock, from);
  const end = claimStart(blocks * perBlock, until);
  if (task >= end) return;
  const modes = scratch + Size.lookup;
  const partial = modes + load<u32>(instruction + Word.modeBytes * 4);
  const shared: usize = load<u32>(instruction + Word.lists * 4);
  const ownStarts = partial + load<u32>(instruction + Word.partialBytes * 4);
  // Shared lists are those of a layer of one block.
  const starts = shared != 0 ? shared : ownStarts;
  const pixelStarts = ownStarts + load<u32>(instruction + Word.startBytes * 4);
  const lists = pixelStarts + load<u32>(instruction + Word.pixelStartBytes * 4) + load<u32>(instruction + Word.pixelListBytes * 4);
  if (isFirstClaim(scratch)) {
    if (shared == 0) prepareLookup(scratch, load<u32>(instruction + Word.rowBytes * 4));
    memory.fill(modes, 0, images);
  }
  while (task < end) {
    const block = task / perBlock;
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
    const startBytes: usize = count * segments * 8;
    if (!isPrepared(scratch, block) && shared == 0) {
      let list = lists;
      for (let step: u32 = 0; step < timeSteps; step++) {
        const own = starts + step * startBytes;
        const at = step * perStep;
        list = buildLists(instruction, scratch, modes, own, pixelStarts, list, at + first, at + last, tapsPerSegment, wordsPerSegment, segments);
      }
    }
    const blockEnd = min<u32>(end, (block + 1) * perBlock);
    while (task < blockEnd) {
      const chunk = (task - block * perBlock) / parts;
      const chunkStart = block * perBlock + chunk * parts;
      const taskEnd = min<u32>(blockEnd, chunkStart + parts);
      // Positions of the block that are this claim's.
      const begin = shareStart(count, task - chunkStart, parts);
      const some = shareStart(count, taskEnd - chunkStart, parts) - begin;
      task = taskEnd;
      const firstChannel = chunk * chunkWidth;
      const width = min<u32>(chunkWidth, outputChannels - firstChannel);
      // Currents that only the neurons read are packed as densely as they come, and never leave the cache.
      const positionBytes: usize = (currents != 0 ? width : outputChannels) * 4;
      const base: usize = currents != 0 ? scratch + currents : output + (first + begin) * positionBytes + firstChannel * 4;
      const stepBytes: usize = (currents != 0 ? some : perStep) * positionBytes;
      for (let step: u32 = 0; step < timeSteps; step++) {
        const own = starts + step * startBytes + <usize>begin * segments * 8;
        const at = step * perStep + first + begin;
        const target = base + step * stepBytes;
        if (byBytes) {
          sumByteChunk(instruction, scratch, partial, own, chunk, at, some, target, positionBytes, step == 0, withTables, tapsPerSegment, wordsPerSegment, segments);
        } else {
          sumChunk(instruction, scratch, partial, own, chunk, at, some, target, positionBytes, step == 0, withTables, tapsPerSegment, wordsPerSegment, segments);
        }
      }
      if (fires) fire(instruction, base, stepBytes, positionBytes, firstChannel, width, first + begin, some, perStep);
    }
  }
}
