/**
 * The four views of one sequence that the field trains on: joints, bones, and how either moves from frame to frame; and a turn in space before them, as in the published
 * feeders (CTR-GCN, Chen et al., ICCV 2021). Bones come before motion, so that the motion of bones is that of the bone's vector.
 */
import { axes } from '../../data/skeletons/skeletonSequence.js';
import type { JointValues } from './cropResize.js';

export const streamNames = ['joint', 'bone', 'jointMotion', 'boneMotion'] as const;
export type StreamName = (typeof streamNames)[number];

/**
 * Writes a stream of a sequence, laid out as the sequence is. A bone is a joint minus its parent, 0 for the root; motion is the next frame minus this one, 0 in the last.
 *
 * @param parents For each joint the one that it hangs from (`Skeleton.parents`); the root's is itself.
 * @param into As many numbers as the sequence has; may be the sequence's own memory for `joint` and `jointMotion` only.
 */
export function writeStream(
  sequence: JointValues,
  stream: StreamName,
  parents: readonly number[],
  into: Float32Array | Float64Array,
): void {
  if (stream === 'bone' || stream === 'boneMotion') writeBones(sequence, parents, into);
  else into.set(sequence.values);
  if (stream === 'jointMotion' || stream === 'boneMotion') moveInPlace(sequence, into);
}

function writeBones(
  { frames, bodies, joints, values }: JointValues,
  parents: readonly number[],
  into: Float32Array | Float64Array,
): void {
  for (let body = 0; body < frames * bodies; body++) {
    const start = body * joints;
    for (let joint = 0; joint < joints; joint++) {
      const [to, parent] = [(start + joint) * axes, (start + parents[joint]!) * axes];
      for (let axis = 0; axis < axes; axis++) into[to + axis] = values[to + axis]! - values[parent + axis]!;
    }
  }
}

/** In the order of frames: each is replaced when nothing needs it any more. */
function moveInPlace({ frames, bodies, joints }: JointValues, values: Float32Array | Float64Array): void {
  const size = bodies * joints * axes;
  const last = (frames - 1) * size;
  for (let i = 0; i < last; i++) values[i] = values[i + size]! - values[i]!;
  values.fill(0, last, last + size);
}

/** Of 9 numbers, row after row. */
export type Rotation = readonly number[];

/**
 * Turns about x, then y, then z by angles in radians: `Rz · Ry · Rx`. As published, each is the transpose of the usual matrix (positive angles turn clockwise
 * to whom the axis points).
 */
export function rotationOf([x, y, z]: readonly [x: number, y: number, z: number]): Rotation {
  const [cx, sx, cy, sy, cz, sz] = [Math.cos(x), Math.sin(x), Math.cos(y), Math.sin(y), Math.cos(z), Math.sin(z)];
  const aboutX = [1, 0, 0, 0, cx, sx, 0, -sx, cx];
  const aboutY = [cy, 0, -sy, 0, 1, 0, sy, 0, cy];
  const aboutZ = [cz, sz, 0, -sz, cz, 0, 0, 0, 1];
  return product(aboutZ, product(aboutY, aboutX));
}

function product(a: Rotation, b: Rotation): Rotation {
  const rows = Array.from(a, (_, i) => [Math.floor(i / axes) * axes, i % axes] as const);
  return rows.map(
    ([row, column]) => a[row]! * b[column]! + a[row + 1]! * b[column + 3]! + a[row + 2]! * b[column + 6]!,
  );
}

/** Turns every joint of every frame in place, about the origin. */
export function rotate({ values }: JointValues, rotation: Rotation): void {
  const [a, b, c, d, e, f, g, h, i] = rotation as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let at = 0; at < values.length; at += axes) {
    const [x, y, z] = [values[at]!, values[at + 1]!, values[at + 2]!];
    values[at] = a * x + b * y + c * z;
    values[at + 1] = d * x + e * y + f * z;
    values[at + 2] = g * x + h * y + i * z;
  }
}
