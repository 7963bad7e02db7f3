/** Where a position goes in one step of a transform, and where it came from. Positions are continuous, see `transform.ts`. */
import type { Affine, AffineMatrix, Cut, GeometricStep } from './transform.js';

export type Position = readonly [x: number, y: number];

/** Where what was at (x, y) before the step is after it, inside the frame or not. What a reflecting border repeats is not followed. */
export function forward(step: GeometricStep, [x, y]: Position): Position {
  switch (step.kind) {
    case 'cut':
      return [x - step.region.left, y - step.region.top];
    case 'resize':
      return [(x * step.to.width) / step.from.width, (y * step.to.height) / step.from.height];
    case 'mirror':
      return [step.from.width - x, y];
    case 'affine':
      return solved(step.matrix, x, y);
  }
}

/** Where what is at (x, y) after the step was before it; undefined when nothing was there. */
export function backward(step: GeometricStep, [x, y]: Position): Position | undefined {
  switch (step.kind) {
    case 'cut':
      return uncut(step, x, y);
    case 'resize':
      return [(x * step.from.width) / step.to.width, (y * step.from.height) / step.to.height];
    case 'mirror':
      return [step.from.width - x, y];
    case 'affine': {
      const [a, b, c, d, e, f] = step.matrix;
      return within([a * x + b * y + c, d * x + e * y + f], step);
    }
  }
}

/** The same along one axis, for steps that move the axes apart from each other: all but affine ones. */
export function backwardAlong(
  step: Exclude<GeometricStep, Affine>,
  axis: 'width' | 'height',
  position: number,
): number | undefined {
  switch (step.kind) {
    case 'cut': {
      const [at, size] = [position + (axis === 'width' ? step.region.left : step.region.top), step.from[axis]];
      if (step.border === 'reflect') return reflected(at, size);
      return at >= 0 && at < size ? at : undefined;
    }
    case 'resize':
      return (position * step.from[axis]) / step.to[axis];
    case 'mirror':
      return axis === 'width' ? step.from.width - position : position;
  }
}

/** By how much a step enlarges areas. */
export function enlargement(step: GeometricStep): number {
  switch (step.kind) {
    case 'cut':
    case 'mirror':
      return 1;
    case 'resize':
      return (step.to.width * step.to.height) / (step.from.width * step.from.height);
    case 'affine':
      return 1 / Math.abs(determinant(step.matrix));
  }
}

function uncut(step: Cut, x: number, y: number): Position | undefined {
  const position: Position = [x + step.region.left, y + step.region.top];
  if (step.border !== 'reflect') return within(position, step);
  return [reflected(position[0], step.from.width), reflected(position[1], step.from.height)];
}

/** Around the centre of the border pixel, which is not repeated. */
function reflected(position: number, size: number): number {
  if (position < 0) return 1 - position;
  return position < size ? position : 2 * size - 1 - position;
}

function within(position: Position, { from }: GeometricStep): Position | undefined {
  const [x, y] = position;
  return x >= 0 && x < from.width && y >= 0 && y < from.height ? position : undefined;
}

function determinant([a, b, , d, e]: AffineMatrix): number {
  return a * e - b * d;
}

/** The output position whose input position is (x, y). */
function solved(matrix: AffineMatrix, x: number, y: number): Position {
  const [a, b, c, d, e, f] = matrix;
  const [u, v] = [x - c, y - f];
  const scale = determinant(matrix);
  return [(e * u - b * v) / scale, (a * v - d * u) / scale];
}
