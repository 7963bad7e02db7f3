/**
 * How a convolution on real numbers is cut into blocks of positions, whose inputs lie beside each other in scratch (the kernels multiply four positions at once), and how
 * much scratch it needs.
 */
import type { ConvolutionGeometry } from '../kernels.js';
import { Width } from './instructionSet.js';
import { roundUp } from './packing.js';

/** A block's inputs should stay in the L2 cache while all panels of weights pass over them. */
const blockBytes = 256 * 1024;
const positionsPerBlock = 128;
const leastPositionsPerBlock = 8;

export interface DensePlan {
  readonly blocks: number;
  /** In the largest block, a multiple of four. */
  readonly positions: number;
}

/** @param rowBytes Of the inputs of one position. */
export function planDense(positions: number, rowBytes: number): DensePlan {
  const perBlock = Math.max(leastPositionsPerBlock, Math.min(positionsPerBlock, Math.floor(blockBytes / rowBytes)));
  const tiles = Math.ceil(positions / Width.tile);
  const blocks = Math.ceil((tiles * Width.tile) / perBlock);
  return { blocks, positions: Math.ceil(tiles / blocks) * Width.tile };
}

/** Scratch of the convolution in float32: a block's rows, and those of one tile before they are interleaved. */
export function denseScratchBytes(plan: DensePlan, rowBytes: number): number {
  return roundUp((plan.positions + Width.tile) * rowBytes, 64);
}

/** Scratch of the depthwise convolution: a ring of padded rows of sixteen channels. */
export function depthwiseScratchBytes({ kernelHeight, inputWidth, paddingWidth }: ConvolutionGeometry): number {
  return kernelHeight * (inputWidth + 2 * paddingWidth) * Width.depthwise * 4;
}
