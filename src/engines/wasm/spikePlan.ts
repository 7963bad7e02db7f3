/**
 * How one spike-fed convolution is cut up: tables or plain rows, blocks of positions, segments of rows. Pure arithmetic;
 * the kernel (`kernels/spikeConvolution.ts`) follows it.
 */
import { type ConvolutionGeometry, spikeWords } from '../kernels.js';
import { Size } from './instructionSet.js';
import { roundUp, rowWidth, spikeRowsPerTap, tableRowsPerTap } from './packing.js';

/** Rows of a segment should stay in the L2 cache (1 MiB here) beside the lists that select them. */
const segmentBytes = 600 * 1024;
/** Enough positions to make good use of each row fetched into the cache, few enough that their lists stay there. */
const positionsPerBlock = 512;
/** With fewer positions a table's 15 rows are hardly used twice. */
const leastPositionsForTables = 32;
/** Beyond this one layer's tables would crowd out those of several others. */
const mostTableBytesPerLayer = 96 * 2 ** 20;

export interface SpikePlan {
  readonly blocks: number;
  readonly rowBytes: number;
  readonly chunkBytes: number;
  readonly rowsPerTap: number;
  readonly rowsPerWord: number;
  readonly tapsPerSegment: number;
  readonly wordsPerSegment: number;
  readonly segments: number;
  readonly partialBytes: number;
  readonly startBytes: number;
  readonly scratchBytes: number;
}

/** Whether tables are worth their memory for this layer; whether the memory is there is another question. */
export function tablesAreUseful(geometry: ConvolutionGeometry, tableBytes: number): boolean {
  const positions = geometry.images * geometry.outputHeight * geometry.outputWidth;
  return positions >= leastPositionsForTables && tableBytes <= mostTableBytesPerLayer;
}

export function planSpikeConvolution(geometry: ConvolutionGeometry, tables: boolean, threads: number): SpikePlan {
  const positions = geometry.images * geometry.outputHeight * geometry.outputWidth;
  const taps = geometry.kernelHeight * geometry.kernelWidth;
  const words = spikeWords(geometry.inputChannels);
  const rowBytes = rowWidth(geometry.outputChannels) * 4;
  const rowsPerTap = tables ? tableRowsPerTap(geometry) : spikeRowsPerTap(geometry);
  const rowsPerWord = tables ? 8 * 15 : 32;
  const tapsPerSegment = evenPart(taps, Math.floor(segmentBytes / (rowsPerTap * rowBytes)));
  const wordsPerSegment =
    tapsPerSegment > 1 ? words : evenPart(words, Math.floor(segmentBytes / (rowsPerWord * rowBytes)));
  const segments = Math.ceil(taps / tapsPerSegment) * Math.ceil(words / wordsPerSegment);
  const blocks = blocksOf(positions, threads);
  const largestBlock = Math.ceil(positions / blocks);
  const partialBytes = segments > 1 ? roundUp(largestBlock * rowBytes, 64) : 0;
  const startBytes = roundUp((largestBlock * segments + 1) * 4, 64);
  const entries = taps * words * (tables ? 8 : 32);
  return {
    blocks,
    rowBytes,
    chunkBytes: taps * rowsPerTap * rowBytes,
    rowsPerTap,
    rowsPerWord,
    tapsPerSegment,
    wordsPerSegment,
    segments,
    partialBytes,
    startBytes,
    // A list is written four entries at a time, so the last one may reach beyond its end.
    scratchBytes: Size.lookup + partialBytes + startBytes + largestBlock * entries * 4 + 64,
  };
}

/** Cuts `total` into as few parts of at most `most` as possible (at least one each) and makes them about equal. */
function evenPart(total: number, most: number): number {
  const parts = Math.ceil(total / Math.max(1, most));
  return Math.ceil(total / parts);
}

/** A whole multiple of the threads where there are several blocks, so that no block's lists are built twice. */
function blocksOf(positions: number, threads: number): number {
  const blocks = Math.ceil(positions / positionsPerBlock);
  return blocks === 1 ? 1 : Math.min(positions, roundUp(blocks, threads));
}
