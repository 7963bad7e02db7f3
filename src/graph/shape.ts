/**
 * Shapes of the values that flow along a graph's edges.
 *
 * Activations are channels last with time in front: feature maps `[T, B, H, W, C]`, tokens `[T, B, N, C]`, vectors
 * `[T, B, C]`, and after the mean over time `[B, C]`. The public interface and all files speak `[B, C, H, W]`; the
 * conversion happens once, at the edge (`runtime/layout.ts`).
 */
export type Shape = readonly number[];

/** What an edge carries: `binary` spikes, `integer` counts of spikes, or `real` numbers. Computed, never assumed. */
export type ValueKind = 'binary' | 'integer' | 'real';

/** The number of elements in a tensor of this shape. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** The shape as people write it: `[4, 1, 56, 56, 96]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** The last axis: in every layout of this project the channels. */
export function channelsOf(shape: Shape): number {
  return shape[shape.length - 1] ?? 1;
}
