/** A sequence as a person would look at it: its bodies in the middle frame, bones as lines, seen from the front. */
import type { RgbImage } from '../../data/image.js';
import { axes, type SkeletonSequence, skeletonNames, skeletons } from '../../data/skeletons/skeletonSequence.js';

const side = 160;
const margin = 10;

export function skeletonPicture(sequence: SkeletonSequence): RgbImage {
  const { frames, bodies, joints, positions } = sequence;
  const data = new Uint8Array(3 * side * side).fill(255);
  const size = joints * axes;
  const start = Math.floor(frames / 2) * bodies * size;
  const seen = Array.from({ length: bodies }, (_, body) =>
    positions.subarray(start + body * size, start + (body + 1) * size),
  ).filter((body) => body.some((value) => value !== 0));
  const toPicture = projectionOf(seen);
  const parents = parentsOf(joints);
  for (const body of seen) {
    for (let joint = 0; joint < joints; joint++)
      drawLine(data, toPicture(body, joint), toPicture(body, parents[joint]!));
  }
  return { width: side, height: side, data };
}

/** Joints that no sensor has hang from nothing. */
function parentsOf(joints: number): readonly number[] {
  const name = skeletonNames.find((known) => skeletons[known].joints.length === joints);
  return name === undefined ? Array.from({ length: joints }, (_, joint) => joint) : skeletons[name].parents;
}

type Point = readonly [x: number, y: number];

/** All of it fits, and up is up. */
function projectionOf(bodies: readonly Float64Array[]): (body: Float64Array, joint: number) => Point {
  const bounds = [0, 1].map((axis) => {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const body of bodies) {
      for (let i = axis; i < body.length; i += axes) {
        least = Math.min(least, body[i]!);
        most = Math.max(most, body[i]!);
      }
    }
    return { middle: (least + most) / 2, extent: most - least };
  });
  const extent = Math.max(...bounds.map((bound) => bound.extent), 1e-9);
  const scale = (side - 2 * margin) / extent;
  return (body, joint) => [
    side / 2 + scale * (body[joint * axes]! - bounds[0]!.middle),
    side / 2 - scale * (body[joint * axes + 1]! - bounds[1]!.middle),
  ];
}

function drawLine(data: Uint8Array, [fromX, fromY]: Point, [toX, toY]: Point): void {
  const steps = Math.max(1, Math.ceil(Math.max(Math.abs(toX - fromX), Math.abs(toY - fromY))));
  for (let i = 0; i <= steps; i++) {
    const [x, y] = [Math.round(fromX + ((toX - fromX) * i) / steps), Math.round(fromY + ((toY - fromY) * i) / steps)];
    if (x < 0 || y < 0 || x >= side || y >= side) continue;
    data.fill(40, 3 * (y * side + x), 3 * (y * side + x) + 3);
  }
}
