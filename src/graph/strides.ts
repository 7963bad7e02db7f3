/** How coarse a graph's maps are, read off the nodes between the image and them and not off anybody's table. */
import type { Graph } from './graph.js';

/** Pixels of the input between two neighbours in a column, and in a row. */
export type Stride = readonly [rows: number, columns: number];

/**
 * For each value the product of the strides on the way to it. A node that thins a map says so by its attribute `stride`; all others keep
 * the stride of their first input. For values that are no maps the figure is that of the last map before them.
 */
export function stridesOf({ input, nodes }: Pick<Graph, 'input' | 'nodes'>): ReadonlyMap<string, Stride> {
  const strides = new Map<string, Stride>([[input, [1, 1]]]);
  for (const { name, inputs, attributes } of nodes) {
    const [rows, columns] = strides.get(inputs[0]!)!;
    const { stride } = attributes;
    strides.set(name, Array.isArray(stride) ? [rows * stride[0], columns * stride[1]] : [rows, columns]);
  }
  return strides;
}
