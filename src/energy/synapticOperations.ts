/**
 * How many outputs an input reaches: as many as there are windows over its pixel, fewer at the border of a padded convolution. Exact: whole numbers, no rate and no mean.
 */
import type { ConvolutionGeometry } from '../engines/kernels.js';
import { type Axis, columnsOf, rowsOf, tapsOver } from './positionClasses.js';

/** Windows over each row of pixels (or column): how many outputs along this axis a spike reaches. */
export function windowsAlong(axis: Axis): readonly number[] {
  return tapsOver(axis).map(({ length }) => length);
}

/** Multiplications of a convolution on real numbers for one image: taps that lie within the map. */
export function multiplicationsOfConvolution(geometry: ConvolutionGeometry): number {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const windows = sum(windowsAlong(rowsOf(geometry))) * sum(windowsAlong(columnsOf(geometry)));
  return (windows * geometry.inputChannels * geometry.outputChannels) / geometry.groups;
}
