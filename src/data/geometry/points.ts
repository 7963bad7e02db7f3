/** A drawn transform applied to points: landmarks, joints of a body. */

import type { Size } from '../resize.js';
import { forward, type Position } from './mapping.js';
import { isMirrored, sizeAfter, type Transform } from './transform.js';

/** A position in pixels from the upper left corner; the first pixel's centre is at (0.5, 0.5). */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface TransformedPoint extends Point {
  /** False when the point left the picture, also if a later step brought its place back. */
  readonly inside: boolean;
}

/** Where the points are afterwards, in their order. */
export function transformPoints(points: readonly Point[], { from, steps }: Transform): TransformedPoint[] {
  return points.map((point) => {
    let position: Position = [point.x, point.y];
    let inside = isInside(position, from);
    for (const step of steps) {
      position = forward(step, position);
      inside &&= isInside(position, sizeAfter(step));
    }
    return { x: position[0], y: position[1], inside };
  });
}

/**
 * As {@link transformPoints}, for joints that have a left and a right one: in a mirror image, what was the left hand is the right hand.
 *
 * @param pairs Numbers of joints that change names.
 */
export function transformJoints(
  joints: readonly Point[],
  transform: Transform,
  pairs: readonly (readonly [left: number, right: number])[],
): TransformedPoint[] {
  const moved = transformPoints(joints, transform);
  if (!isMirrored(transform)) return moved;
  const named = [...moved];
  for (const [left, right] of pairs) {
    named[left] = moved[right]!;
    named[right] = moved[left]!;
  }
  return named;
}

function isInside([x, y]: Position, { width, height }: Size): boolean {
  return x >= 0 && x <= width && y >= 0 && y <= height;
}
