/**
 * Strided views of flat storages, as PyTorch describes tensors: which stretch of the storage a view touches, and gathering it
 * into row-major order. Strides count elements and are not negative.
 */
import { elementCount, type Shape } from '../graph/shape.js';

/** True when row-major order is the order of the storage, so no gathering is needed. */
export function isContiguous(shape: Shape, strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** Elements from the view's first to its last, both included; 0 for an empty view. */
export function spanOf(shape: Shape, strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  let last = 0;
  for (const [axis, size] of shape.entries()) last += (size - 1) * strides[axis]!;
  return last + 1;
}

/** Copies the view whose first element is the first of `span` into row-major order; elements have 1, 2, 4 or 8 bytes. */
export function gather(
  span: Uint8Array<ArrayBuffer>,
  bytesPerElement: number,
  shape: Shape,
  strides: readonly number[],
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(elementCount(shape) * bytesPerElement);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < result.length; to += bytesPerElement) {
    for (let byte = 0; byte < bytesPerElement; byte++) result[to + byte] = span[from * bytesPerElement + byte]!;
    from = advance(index, from, shape, strides);
  }
  return result;
}

/** Moves `index` to the next position in row-major order and returns that position's place in the storage. */
function advance(index: number[], from: number, shape: Shape, strides: readonly number[]): number {
  let place = from;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis]!++;
    place += strides[axis]!;
    if (index[axis]! < shape[axis]!) return place;
    place -= shape[axis]! * strides[axis]!;
    index[axis] = 0;
  }
  return place;
}
