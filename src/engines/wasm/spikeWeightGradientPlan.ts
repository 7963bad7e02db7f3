/**
 * How the weight gradient of one spike-fed convolution is cut up: rows of positions, units of rows, blocks of units. Pure
 * arithmetic that does not know of threads; the kernel (`kernels/trainingSpikeWeightGradient.ts`) follows it.
 */
import type { ConvolutionGeometry } from '../kernels.js';
import { roundUp, rowWidth } from './packing.js';

/** Sums of the selections of four positions' gradients should stay in the L2 cache beside the lists that select them. */
const tableBytes = 128 * 1024;
const selections = 15;
/** Where positions are pixels they need not keep to the rows of their images. */
const flatRowWidth = 128;

type Rows = Pick<ConvolutionGeometry, 'images' | 'inputHeight' | 'inputWidth' | 'outputHeight' | 'outputWidth'>;

export interface SpikeWeightGradientPlan {
  /** The geometry's maps, or the same positions in other rows. */
  readonly rows: Rows;
  readonly unitRows: number;
  readonly unitsPerImage: number;
  readonly unitsPerBlock: number;
  readonly marginRows: number;
  readonly blocks: number;
  /** Numbers in a row of a chunk of output channels. */
  readonly width: number;
  readonly chunkBytes: number;
  readonly partBytes: number;
  readonly endBytes: number;
  readonly wordBytes: number;
  readonly listBytes: number;
  readonly scratchBytes: number;
}

export function planSpikeWeightGradient(geometry: ConvolutionGeometry): SpikeWeightGradientPlan {
  const { inputChannels, outputChannels, kernelHeight, kernelWidth, paddingWidth } = geometry;
  const rows = rowsOf(geometry);
  const width = rowWidth(outputChannels);
  const groups = Math.ceil(rows.outputWidth / 4);
  const rowBytes = groups * selections * width * 4;
  const units = unitsOf(rows, geometry, Math.floor(tableBytes / rowBytes));
  const tableRows = units.marginRows + units.unitsPerBlock * (units.unitRows + units.marginRows);
  const chunkBytes = kernelHeight * kernelWidth * inputChannels * width * 4;
  // Where lists end, and the order in which the native kernel goes through them.
  const endBytes = roundUp(kernelWidth * inputChannels * 8, 64);
  const wordBytes = roundUp(4 * Math.max(groups * 4 + kernelWidth, paddingWidth + rows.inputWidth), 64);
  const listBytes = listStride(units.unitsPerBlock * (units.unitRows + kernelHeight - 1) * groups);
  return {
    ...units,
    rows,
    blocks: Math.ceil((rows.images * units.unitsPerImage) / units.unitsPerBlock),
    width,
    chunkBytes,
    partBytes: Math.ceil(outputChannels / width) * chunkBytes,
    endBytes,
    wordBytes,
    listBytes,
    scratchBytes:
      endBytes + wordBytes + kernelWidth * inputChannels * listBytes + 64 + (tableRows + kernelHeight) * rowBytes,
  };
}

function rowsOf(geometry: ConvolutionGeometry): Rows {
  const { images, outputHeight, outputWidth, kernelHeight, kernelWidth, paddingHeight, paddingWidth } = geometry;
  if (kernelHeight * kernelWidth > 1 || paddingHeight + paddingWidth > 0) return geometry;
  const positions = images * outputHeight * outputWidth;
  const width = Math.min(positions, flatRowWidth);
  const height = Math.ceil(positions / width);
  return { images: 1, inputHeight: height, inputWidth: width, outputHeight: height, outputWidth: width };
}

/** Several whole images are a block when they fit; otherwise a unit is part of one image and a block for itself. */
function unitsOf(rows: Rows, { kernelHeight, paddingHeight }: ConvolutionGeometry, mostRows: number) {
  const marginOfImages = Math.max(0, kernelHeight - 1 - paddingHeight);
  const whole = Math.floor((mostRows - marginOfImages) / (rows.outputHeight + marginOfImages));
  if (whole >= 1) {
    return {
      unitRows: rows.outputHeight,
      unitsPerImage: 1,
      unitsPerBlock: Math.min(whole, rows.images),
      marginRows: marginOfImages,
    };
  }
  const marginRows = kernelHeight - 1;
  const most = Math.max(1, mostRows - 2 * marginRows);
  const unitsPerImage = Math.ceil(rows.outputHeight / most);
  return { unitRows: Math.ceil(rows.outputHeight / unitsPerImage), unitsPerImage, unitsPerBlock: 1, marginRows };
}

/** Bytes from list to list: room for all entries and one that is written but not kept; an odd number of cache lines. */
function listStride(entries: number): number {
  const lines = Math.ceil(((entries + 1) * 4) / 64);
  return (lines | 1) * 64;
}
