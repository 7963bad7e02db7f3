/** What the passes over a spike-fed layer's rows share: rows of tables, and fetching rows ahead of their use. */
import { ConvolutionWord as Word } from '../src/engines/wasm/instructionSet';

/** Patterns of four spikes with two spikes or more, hence rows of a group of four channels in the tables. */
export const patterns: u32 = 11;
/** Below this many positions in a block, rows are fetched one by one rather than all of them. */
export const leastPositionsToTouch: u32 = 16;
/** In a thread's lookup tables, a word that nobody reads. */
const sink: usize = 576;

/**
 * Reads rows once in order, one word per cache line. The hardware fetches ahead for a reader that goes forward, not for
 * the lists, which jump: measured more than twice as fast where the rows come from main memory.
 */
function touch(start: usize, end: usize, lookup: usize): void {
  let sum: u32 = 0;
  for (let at = start; at < end; at += 256) {
    sum |= load<u32>(at) | load<u32>(at, 64) | load<u32>(at, 128) | load<u32>(at, 192);
  }
  // Without a use of the sum the compiler would drop the loads.
  store<u32>(lookup, sum, sink);
}

/** Touches the rows of one segment of one chunk. */
export function touchSegment(
  instruction: usize, lookup: usize, chunkRows: usize, segment: u32, withTables: bool, tapsPerSegment: u32, wordsPerSegment: u32,
): void {
  const channels = load<u32>(instruction + Word.inputChannels * 4);
  const taps = load<u32>(instruction + Word.kernelHeight * 4) * load<u32>(instruction + Word.kernelWidth * 4);
  const rowBytes = load<u32>(instruction + Word.rowBytes * 4);
  const tapBytes = load<u32>(instruction + Word.tapBytes * 4);
  const groupBytes = patterns * rowBytes;
  const parts = ((channels + 31) / 32 + wordsPerSegment - 1) / wordsPerSegment;
  const firstChannel = (segment % parts) * wordsPerSegment * 32;
  const lastChannel = min<u32>(channels, firstChannel + wordsPerSegment * 32);
  const firstTap = (segment / parts) * tapsPerSegment;
  const lastTap = min<u32>(taps, firstTap + tapsPerSegment);
  for (let tap = firstTap; tap < lastTap; tap++) {
    const singles = chunkRows + tap * tapBytes;
    touch(singles + firstChannel * rowBytes, singles + lastChannel * rowBytes, lookup);
    if (!withTables) continue;
    const tables = singles + channels * rowBytes;
    touch(tables + (firstChannel >>> 2) * groupBytes, tables + ((lastChannel + 3) >>> 2) * groupBytes, lookup);
  }
}
