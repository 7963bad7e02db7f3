/**
 * A drawn transform applied to boxes. A box is followed as a polygon that is cut off at each frame (Sutherland and Hodgman 1974), and the
 * box around what is left is given: never larger than what can be seen, which the box around turned corners would be.
 */
import type { Size } from '../resize.js';
import { enlargement, forward, type Position } from './mapping.js';
import { sizeAfter, type Transform } from './transform.js';

/** Borders of a rectangle in pixels from the upper left corner, right and bottom excluded: a whole image is (0, 0, width, height). */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface TransformedBox extends Box {
  /** The share of the box's area that is still in the picture. 0: it has vanished, and all borders are 0. */
  readonly visible: number;
}

/** What a small part of a pixel leaves after rounding is nothing. */
const leastShare = 1e-9;

/** Where the boxes are afterwards, in their order; those that vanished are among them, marked. A box without an area has vanished. */
export function transformBoxes(boxes: readonly Box[], transform: Transform): TransformedBox[] {
  return boxes.map((box) => transformBox(box, transform));
}

function transformBox(box: Box, { from, steps }: Transform): TransformedBox {
  const { left, top, right, bottom } = box;
  let whole = Math.max(right - left, 0) * Math.max(bottom - top, 0);
  let polygon: readonly Position[] = [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ];
  polygon = clipped(polygon, from);
  for (const step of steps) {
    whole *= enlargement(step);
    polygon = clipped(
      polygon.map((corner) => forward(step, corner)),
      sizeAfter(step),
    );
  }
  const visible = whole > 0 ? areaOf(polygon) / whole : 0;
  if (visible < leastShare) return { left: 0, top: 0, right: 0, bottom: 0, visible: 0 };
  const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
  return {
    left: Math.min(...xs),
    top: Math.min(...ys),
    right: Math.max(...xs),
    bottom: Math.max(...ys),
    visible: Math.min(visible, 1),
  };
}

/** The part of a convex polygon inside a frame. */
function clipped(polygon: readonly Position[], { width, height }: Size): readonly Position[] {
  let part = polygon;
  part = clippedAt(part, ([x]) => x);
  part = clippedAt(part, ([x]) => width - x);
  part = clippedAt(part, ([, y]) => y);
  return clippedAt(part, ([, y]) => height - y);
}

/** The part where `distance`, which is linear, is not negative. */
function clippedAt(polygon: readonly Position[], distance: (corner: Position) => number): readonly Position[] {
  const kept: Position[] = [];
  for (const [i, corner] of polygon.entries()) {
    const previous = polygon.at(i - 1)!;
    const [here, there] = [distance(corner), distance(previous)];
    if (here < 0 !== there < 0) {
      const share = there / (there - here);
      kept.push([previous[0] + share * (corner[0] - previous[0]), previous[1] + share * (corner[1] - previous[1])]);
    }
    if (here >= 0) kept.push(corner);
  }
  return kept;
}

/** By the shoelace formula. */
function areaOf(polygon: readonly Position[]): number {
  let twice = 0;
  for (const [i, [x, y]] of polygon.entries()) {
    const [previousX, previousY] = polygon.at(i - 1)!;
    twice += previousX * y - x * previousY;
  }
  return Math.abs(twice) / 2;
}
