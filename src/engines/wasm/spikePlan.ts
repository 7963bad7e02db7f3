/**
 * How one spike-fed convolution is cut up: tables or plain rows, blocks of positions, segments of rows. Pure arithmetic;
 * the kernels (`kernels/spikeLists.ts`, `kernels/spikeConvolution.ts`) follow it.
 */
import { type ConvolutionGeometry, spikeWords } from '../kernels.js';
import type { SegmentBytes } from './engineParts.js';
import { ConvolutionWord, Size, Width } from './instructionSet.js';
import { floatRows, type RowFormat, roundUp, rowWidth, tapBytes } from './packing.js';

/**
 * Of wasm. Rows of a segment should stay in the L2 cache beside the lists that select them. Measured where it is 512 KiB (Zen 3): 31M in float32 0.99 to 1.07 times as fast with
 * 128 KiB as with 256, 0.96 and 1.00 with 64; i16 cares little. Where it was 1 MiB 200 to 300 were best.
 */
export const wasmSegmentBytes: SegmentBytes = { rows: 128 * 1024, tables: 128 * 1024 };
/** Enough positions to make good use of each row fetched into the cache, few enough that their lists stay there. */
const positionsPerBlock = 512;
/** With fewer positions (the head's, one per image) there is little to share. */
const leastPositionsToShare = 32;
/** With fewer positions per image fetching the tables takes longer than they save. Of one image, whatever the batch: with tables sums are taken in another order. */
const leastPositionsForTables = 64;
/** Beyond this one layer's tables would crowd out those of several others. */
const mostTableBytesPerLayer = 96 * 2 ** 20;
/**
 * In precision i16 tables make weights coarser, and where neurons fire less they save little time. Measured, layers of the 31M in turn, tables against rows (Zen 3, two
 * threads): 0.8 to 1.15 times as fast at 15 %, 0.95 to 1.29 at 25 %, 1.08 to 1.38 at 30 %, 1.29 to 1.58 at 40 %.
 */
export const leastRateForByteTables = 0.25;
/**
 * Images in which a larger share of neurons fires, in per cent, use the tables, if there are any. Their rows are nearly four times as many to fetch, for which few positions
 * pay less, and lists of their patterns take longer to make, which several taps share. Measured, layers of the 31M (Zen 3, two threads, float32): tables are as fast as
 * rows at 13 to 15 % in 3×3 layers of 28² and more, at 19 % in those of 14², at 21 to 26 % in 1×1 layers.
 */
const tablePercentage = { manyPositionsAndTaps: 15, other: 22 };
/** A layer whose neurons were measured to fire less than this share of what the tables ask for does without. */
const seldom = 2 / 3;
/** Rows of tables per row of weights. */
const tableFactor = 11 / 4;

/** One way to cut the rows of a chunk into segments. */
export interface Segments {
  readonly tapsPerSegment: number;
  readonly wordsPerSegment: number;
  readonly segments: number;
}

export interface SpikePlan {
  readonly blocks: number;
  readonly rowBytes: number;
  readonly tapBytes: number;
  readonly chunkBytes: number;
  /** Positions are pixels: 1×1, stride 1, no padding. */
  readonly inPlace: boolean;
  /** For blocks whose images use single rows only. */
  readonly single: Segments;
  /** For blocks with an image that uses the tables. */
  readonly table: Segments;
  readonly modeBytes: number;
  readonly partialBytes: number;
  readonly startBytes: number;
  readonly pixelStartBytes: number;
  readonly pixelListBytes: number;
  readonly scratchBytes: number;
  /** Where threads share the lists, those lists with their starts; else 0. */
  readonly sharedListBytes: number;
  /** Of one block and chunk, behind the rest of scratch where nobody but the neurons reads them. */
  readonly currentBytes: number;
}

/** From which percentage of spikes on an image uses the layer's tables; whatever the batch, so that an image's sums are added in the same order in any. */
export function tablePercentageOf({
  kernelHeight,
  kernelWidth,
  outputHeight,
  outputWidth,
}: ConvolutionGeometry): number {
  const several = kernelHeight * kernelWidth > 1 && outputHeight * outputWidth > positionsPerBlock;
  return several ? tablePercentage.manyPositionsAndTaps : tablePercentage.other;
}

/**
 * Whether tables are worth their memory for this layer; whether the memory is there is another question.
 *
 * @param firingRate Of the neurons in front, if it was measured.
 * @param images One, so that the batch has no say in what an image is answered; training, whose batches are the recipe's, counts them all.
 */
export function tablesAreUseful(
  geometry: ConvolutionGeometry,
  tableBytes: number,
  { firingRate = 1, images = 1 } = {},
): boolean {
  return (
    images * geometry.outputHeight * geometry.outputWidth >= leastPositionsForTables &&
    tableBytes <= mostTableBytesPerLayer &&
    100 * firingRate >= seldom * tablePercentageOf(geometry)
  );
}

function positionsOf({ images, outputHeight, outputWidth }: ConvolutionGeometry): number {
  return images * outputHeight * outputWidth;
}

export interface SpikePlanOptions {
  readonly threads: number;
  readonly tables: boolean;
  /** Of the engine; sums of float32 are the same for any. */
  readonly segmentBytes: SegmentBytes;
  readonly format?: RowFormat;
  /** Where neurons fire in the same instruction, blocks are the same positions of so many steps. Default 1. */
  readonly timeSteps?: number;
  /** Whether lists of a single block may be made by an instruction of their own, in memory that all threads share. */
  readonly mayShareLists?: boolean;
}

export function planSpikeConvolution(geometry: ConvolutionGeometry, options: SpikePlanOptions): SpikePlan {
  const { threads, tables, segmentBytes, format = floatRows, timeSteps = 1, mayShareLists = false } = options;
  const positions = positionsOf(geometry);
  const taps = geometry.kernelHeight * geometry.kernelWidth;
  const width = rowWidth(geometry.outputChannels, format);
  const rowBytes = width * format.bytesPerNumber;
  const areBytes = format.bytesPerNumber === 1;
  const atOnce = areBytes ? 1 : Width.chunksAtOnce;
  // Sums of bytes are rounded where a segment ends: their segments are those of wasm, and an image's may not depend on whether a neighbour in its block uses the tables.
  const { rows: mostRows, tables: mostTables } = areBytes ? wasmSegmentBytes : segmentBytes;
  const table = cutRows(geometry, tables ? rowBytes * (1 + tableFactor) : rowBytes, mostTables);
  const single = areBytes ? table : cutRows(geometry, rowBytes, mostRows);
  const segments = Math.max(single.segments, table.segments);
  const perStep = positions / timeSteps;
  const blocks = Math.min(perStep, blocksOf(positions, threads));
  const sharesLists = mayShareLists && blocks === 1 && positions >= leastPositionsToShare;
  // Lists are those of all steps; sums between segments and pixels those of one at a time.
  const largestPart = Math.ceil(perStep / blocks);
  const largestBlock = largestPart * timeSteps;
  const modeBytes = roundUp(geometry.images, 64);
  // Sums between segments are float32 in either format.
  const partialBytes = segments > 1 ? roundUp(largestPart * atOnce * width * 4, 64) : 0;
  const startBytes = roundUp(largestBlock * segments * 8, 64);
  const inPlace = positionsArePixels(geometry);
  const pixels = inPlace ? 0 : pixelsUnder(geometry, largestPart);
  const pixelStartBytes = roundUp(pixels * segments * 8, 64);
  // A list has at most one entry per neuron.
  const pixelListBytes = roundUp(pixels * geometry.inputChannels * 4 + Size.listMargin, 64);
  const positionListBytes = taps * geometry.inputChannels * 4;
  const ownListBytes = startBytes + largestBlock * positionListBytes + Size.listMargin;
  return {
    blocks,
    rowBytes,
    tapBytes: tapBytes(geometry, tables, format),
    chunkBytes: taps * tapBytes(geometry, tables, format),
    inPlace,
    single,
    table,
    modeBytes,
    partialBytes,
    startBytes: sharesLists ? 0 : startBytes,
    pixelStartBytes,
    pixelListBytes,
    scratchBytes: roundUp(
      Size.lookup + modeBytes + partialBytes + pixelStartBytes + pixelListBytes + (sharesLists ? 0 : ownListBytes),
      64,
    ),
    // Threads write side by side: every position has room of its own.
    sharedListBytes: sharesLists ? startBytes + positions * (positionListBytes + Size.listMargin) : 0,
    currentBytes: largestBlock * atOnce * width * 4 + 64,
  };
}

/** A plan as the words of an instruction. */
export function spikePlanOperands(plan: SpikePlan): Record<number, number> {
  return {
    [ConvolutionWord.blocks]: plan.blocks,
    [ConvolutionWord.rowBytes]: plan.rowBytes,
    [ConvolutionWord.tapBytes]: plan.tapBytes,
    [ConvolutionWord.chunkBytes]: plan.chunkBytes,
    [ConvolutionWord.inPlace]: plan.inPlace ? 1 : 0,
    [ConvolutionWord.tapsPerSegment]: plan.single.tapsPerSegment,
    [ConvolutionWord.wordsPerSegment]: plan.single.wordsPerSegment,
    [ConvolutionWord.segments]: plan.single.segments,
    [ConvolutionWord.tableTapsPerSegment]: plan.table.tapsPerSegment,
    [ConvolutionWord.tableWordsPerSegment]: plan.table.wordsPerSegment,
    [ConvolutionWord.tableSegments]: plan.table.segments,
    [ConvolutionWord.modeBytes]: plan.modeBytes,
    [ConvolutionWord.partialBytes]: plan.partialBytes,
    [ConvolutionWord.startBytes]: plan.startBytes,
    [ConvolutionWord.pixelStartBytes]: plan.pixelStartBytes,
    [ConvolutionWord.pixelListBytes]: plan.pixelListBytes,
  };
}

function positionsArePixels(geometry: ConvolutionGeometry): boolean {
  const { kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth } = geometry;
  return kernelHeight * kernelWidth * strideHeight * strideWidth === 1 && paddingHeight + paddingWidth === 0;
}

/** The most pixels of one image that lie in the rows under `positions` consecutive positions. */
function pixelsUnder(geometry: ConvolutionGeometry, positions: number): number {
  const outputRows = Math.min(geometry.outputHeight, Math.ceil(positions / geometry.outputWidth) + 1);
  const rows = (outputRows - 1) * geometry.strideHeight + geometry.kernelHeight;
  return Math.min(geometry.inputHeight, rows) * geometry.inputWidth;
}

/** A segment is several whole taps, or part of the input channels of one. */
function cutRows(geometry: ConvolutionGeometry, bytesPerChannel: number, segmentBytes: number): Segments {
  const taps = geometry.kernelHeight * geometry.kernelWidth;
  const words = spikeWords(geometry.inputChannels);
  const tapsPerSegment = evenPart(taps, Math.floor(segmentBytes / (geometry.inputChannels * bytesPerChannel)));
  const wordsPerSegment =
    tapsPerSegment > 1 ? words : evenPart(words, Math.floor(segmentBytes / (32 * bytesPerChannel)));
  return {
    tapsPerSegment,
    wordsPerSegment,
    segments: Math.ceil(taps / tapsPerSegment) * Math.ceil(words / wordsPerSegment),
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
