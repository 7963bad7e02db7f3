/**
 * Which pixels the windows of a layer treat alike. In the middle of a map every pixel lies under all taps, at a border under some, and with strides neighbours differ; rows
 * and columns that the same taps reach make one class. What spikes cause is then a sum over a few classes instead of one over all pixels.
 */
import type { ConvolutionGeometry } from '../engines/kernels.js';

/** One axis of a layer's window. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

export function rowsOf(g: ConvolutionGeometry): Axis {
  const { inputHeight: input, outputHeight: output, kernelHeight: kernel } = g;
  return { input, output, kernel, stride: g.strideHeight, padding: g.paddingHeight };
}

export function columnsOf(g: ConvolutionGeometry): Axis {
  const { inputWidth: input, outputWidth: output, kernelWidth: kernel } = g;
  return { input, output, kernel, stride: g.strideWidth, padding: g.paddingWidth };
}

/** The taps that lie over each pixel of the axis in some window; each in exactly one. */
export function tapsOver({ input, output, kernel, stride, padding }: Axis): readonly (readonly number[])[] {
  const taps = Array.from({ length: input }, (): number[] => []);
  for (let position = 0; position < output; position++)
    for (let tap = 0; tap < kernel; tap++) taps[position * stride - padding + tap]?.push(tap);
  return taps;
}

export interface Classes {
  /** Of each row or column, from 0 up. */
  readonly classOf: readonly number[];
  /** A row or column of each class. */
  readonly first: readonly number[];
}

/** Rows or columns are of one class when none of the lists tells them apart. */
export function classesOf(length: number, lists: readonly (readonly unknown[])[]): Classes {
  const known = new Map<string, number>();
  const first: number[] = [];
  const classOf = Array.from({ length }, (_, at) => {
    const key = JSON.stringify(lists.map((list) => list[at]));
    const index = known.get(key) ?? known.size;
    if (index === known.size) {
      known.set(key, index);
      first.push(at);
    }
    return index;
  });
  return { classOf, first };
}

/** For each class of positions and input channel, how many weights that are not zero an active input meets. */
export interface ConnectionTable {
  /** Of each position of an image. */
  readonly classOf: readonly number[];
  /** `[class][channel]`. */
  readonly weights: Uint32Array;
}

/** @param connections `[tap][channel]`: weights to be counted. */
export function connectionTable(g: ConvolutionGeometry, connections: Uint32Array): ConnectionTable {
  const [rowTaps, columnTaps] = [tapsOver(rowsOf(g)), tapsOver(columnsOf(g))];
  const [rows, columns] = [classesOf(g.inputHeight, [rowTaps]), classesOf(g.inputWidth, [columnTaps])];
  const count = columns.first.length;
  const channels = g.inputChannels;
  const weights = new Uint32Array(rows.first.length * count * channels);
  for (const [rowClass, y] of rows.first.entries())
    for (const [columnClass, x] of columns.first.entries()) {
      const start = (rowClass * count + columnClass) * channels;
      for (const tapY of rowTaps[y]!)
        for (const tapX of columnTaps[x]!) {
          const tap = tapY * g.kernelWidth + tapX;
          for (let channel = 0; channel < channels; channel++)
            weights[start + channel]! += connections[tap * channels + channel]!;
        }
    }
  const classOf = rows.classOf.flatMap((row) => columns.classOf.map((column) => row * count + column));
  return { classOf, weights };
}

/** The table of layers that read the same map. */
export function sumOfTables(tables: readonly ConnectionTable[], channels: number): ConnectionTable {
  if (tables.length === 1) return tables[0]!;
  const positions = tables[0]!.classOf.length;
  const { classOf, first } = classesOf(
    positions,
    tables.map((table) => table.classOf),
  );
  const weights = new Uint32Array(first.length * channels);
  for (const [index, position] of first.entries())
    for (const table of tables)
      for (let channel = 0; channel < channels; channel++)
        weights[index * channels + channel]! += table.weights[table.classOf[position]! * channels + channel]!;
  return { classOf, weights };
}
