/** Where the origin is, how large a body is and which way it looks: sequences brought to a common frame before anything else is done to them. */
import { axes, type Skeleton } from '../../data/skeletons/skeletonSequence.js';
import type { JointValues } from './cropResize.js';
import { rotate } from './streams.js';

/** Of the body in its own frame: hips to shoulders. */
const torsoLength = 0.5;
/** Share of the frames that says which way a body looks. */
const lookedAt = 0.25;

type Place = readonly [x: number, y: number, z: number];

/** A body that is not there is all zeros, and stays so. */
export function isPresent({ bodies, joints, values }: JointValues, frame: number, body: number): boolean {
  const start = (frame * bodies + body) * joints * axes;
  for (let i = start; i < start + joints * axes; i++) if (values[i] !== 0) return true;
  return false;
}

/** Moves the spine that the first frame with a body has into the origin, in place: all joints of all bodies that are there. */
export function centreOnSpine(sequence: JointValues, skeleton: Skeleton): void {
  const { bodies, joints, values } = sequence;
  const first = frames(sequence).find((frame) => isPresent(sequence, frame, 0)) ?? 0;
  const origin = placeOf(sequence, first, 0, skeleton.spine);
  for (const frame of frames(sequence)) {
    for (let body = 0; body < bodies; body++) {
      if (!isPresent(sequence, frame, body)) continue;
      const start = (frame * bodies + body) * joints * axes;
      for (let i = 0; i < joints * axes; i++) values[start + i]! -= origin[i % axes]!;
    }
  }
}

/**
 * Scales each axis to −1 … 1 over all frames and joints, in place (CTR-GCN, `feeder_ucla.py`): proportions between the axes are lost. An axis without extent becomes 0, where
 * the original divides by nothing.
 */
export function scaleToRange({ values }: JointValues): void {
  for (let axis = 0; axis < axes; axis++) {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = axis; i < values.length; i += axes) {
      least = Math.min(least, values[i]!);
      most = Math.max(most, values[i]!);
    }
    const extent = most - least;
    for (let i = axis; i < values.length; i += axes)
      values[i] = extent === 0 ? 0 : ((values[i]! - least) / extent) * 2 - 1;
  }
}

/** Scales to a torso of 0.5 and turns about y until the first body's right side is on the positive x, in place. What has no extent is left as it is. */
export function alignBody(sequence: JointValues, skeleton: Skeleton): void {
  const seen = frames(sequence).filter((frame) => isPresent(sequence, frame, 0));
  const between = (frame: number, [left, right]: readonly [number, number]): Place =>
    middle(placeOf(sequence, frame, 0, left), placeOf(sequence, frame, 0, right));
  const torsos = seen.map((frame) => distance(between(frame, skeleton.hips), between(frame, skeleton.shoulders)));
  const torso = median(torsos);
  if (torso > 0) for (let i = 0; i < sequence.values.length; i++) sequence.values[i]! *= torsoLength / torso;
  let [x, z] = [0, 0];
  for (const frame of seen.slice(0, Math.max(1, Math.floor(lookedAt * seen.length)))) {
    for (const [left, right] of [skeleton.hips, skeleton.shoulders]) {
      const [from, to] = [placeOf(sequence, frame, 0, left), placeOf(sequence, frame, 0, right)];
      x += to[0] - from[0];
      z += to[2] - from[2];
    }
  }
  const across = Math.hypot(x, z);
  if (across === 0) return;
  const [c, s] = [x / across, z / across];
  rotate(sequence, [c, 0, s, 0, 1, 0, -s, 0, c]);
}

function frames({ frames: count }: JointValues): number[] {
  return Array.from({ length: count }, (_, frame) => frame);
}

function placeOf({ bodies, joints, values }: JointValues, frame: number, body: number, joint: number): Place {
  const start = ((frame * bodies + body) * joints + joint) * axes;
  return [values[start]!, values[start + 1]!, values[start + 2]!];
}

function middle(a: Place, b: Place): Place {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2];
}

function distance(a: Place, b: Place): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** 0 of nothing. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
