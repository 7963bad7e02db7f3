/**
 * Bodies as lines on a page: where the joints of a sequence come to lie, and the paths through them. The view is from the front and orthographic: x of the sensor
 * goes to the right, y up, z is left out. Since x of a Kinect grows to the sensor's left, a person who faces it is seen as in a mirror, right hand at the right.
 */
import { axes, type Skeleton, type SkeletonSequence } from '../../data/skeletons/skeletonSequence.js';

/** A rectangle of the page, in its units; y goes down. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** From metres to the page. */
export interface Projection {
  /** Units of the page for a metre, the same for x and y. */
  readonly scale: number;
  x(metres: number): number;
  y(metres: number): number;
}

/** Half a metre: what stands still in one point is not magnified without end. */
const leastExtent = 0.5;

/** Such that everything of all frames and bodies that is there fits into the box, in its middle. */
export function projectionInto(box: Box, sequence: SkeletonSequence): Projection {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let frame = 0; frame < sequence.frames; frame++) {
    for (let body = 0; body < sequence.bodies; body++) {
      if (!isThere(sequence, frame, body)) continue;
      for (let joint = 0; joint < sequence.joints; joint++) {
        const [x, y] = placeOf(sequence, frame, body, joint);
        [left, right] = [Math.min(left, x), Math.max(right, x)];
        [low, high] = [Math.min(low, y), Math.max(high, y)];
      }
    }
  }
  // Nobody is there in any frame.
  if (left > right) [left, right, low, high] = [0, 0, 0, 0];
  const scale = Math.min(
    box.width / Math.max(leastExtent, right - left),
    box.height / Math.max(leastExtent, high - low),
  );
  const [middleX, middleY] = [(left + right) / 2, (low + high) / 2];
  return {
    scale,
    x: (metres) => box.x + box.width / 2 + (metres - middleX) * scale,
    y: (metres) => box.y + box.height / 2 - (metres - middleY) * scale,
  };
}

/** Whether a body has a place in a frame: one that is not there has zeros. */
export function isThere({ positions, bodies, joints }: SkeletonSequence, frame: number, body: number): boolean {
  const start = (frame * bodies + body) * joints * axes;
  for (let i = start; i < start + joints * axes; i++) if (positions[i] !== 0) return true;
  return false;
}

function placeOf({ positions, bodies, joints }: SkeletonSequence, frame: number, body: number, joint: number) {
  const start = ((frame * bodies + body) * joints + joint) * axes;
  return [positions[start]!, positions[start + 1]!] as const;
}

export const sides = ['left', 'right', 'middle'] as const;
export type Side = (typeof sides)[number];

/** Rows of joints that one line goes through, by the side of the body that they are on. */
export type Limbs = Readonly<Record<Side, readonly (readonly number[])[]>>;

/** Every bone of the skeleton is once in a row; an arm is one row from the hand to the spine, so that files are short. */
export function limbsOf(skeleton: Skeleton): Limbs {
  const of = (side: Side) => limbsOn(skeleton, side);
  return { left: of('left'), right: of('right'), middle: of('middle') };
}

function limbsOn({ joints, parents }: Skeleton, side: Side): number[][] {
  // A bone is called by its joint; the root, which is its own parent, has none.
  const left = new Set(
    joints.flatMap((name, joint) => (parents[joint] !== joint && sideOf(name) === side ? [joint] : [])),
  );
  const inner = new Set([...left].map((joint) => parents[joint]!));
  const limbs: number[][] = [];
  for (const tip of [...left].sort((a, b) => Number(inner.has(a)) - Number(inner.has(b)))) {
    const limb = [tip];
    for (let joint = tip; left.delete(joint); joint = limb.at(-1)!) limb.push(parents[joint]!);
    if (limb.length > 1) limbs.push(limb);
  }
  return limbs;
}

function sideOf(joint: string): Side {
  return sides.find((side) => joint.startsWith(`${side} `) && side !== 'middle') ?? 'middle';
}

/** Path data of a body; `head` is a single point, which a round line end makes a disc. */
export type Figure = Readonly<Record<Side | 'head', string>>;

/** All figures of a skeleton have the same commands in the same order, so that one can move into another. */
export function figureAt(
  { sequence, skeleton, limbs }: { sequence: SkeletonSequence; skeleton: Skeleton; limbs: Limbs },
  projection: Projection,
  frame: number,
  body: number,
): Figure {
  const point = (joint: number) => {
    const [x, y] = placeOf(sequence, frame, body, joint);
    return `${short(projection.x(x))} ${short(projection.y(y))}`;
  };
  const path = (side: Side) => limbs[side].map((limb) => `M${limb.map(point).join(' ')}`).join('');
  return {
    left: path('left'),
    right: path('right'),
    middle: path('middle'),
    head: `M${point(skeleton.head)}h0`,
  };
}

/** A tenth of a unit is finer than a screen. */
export function short(value: number): string {
  return String(Number(value.toFixed(1)));
}
