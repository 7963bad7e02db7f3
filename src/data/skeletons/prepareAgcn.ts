/**
 * NTU RGB+D as 2s-AGCN prepares it (Shi et al., CVPR 2019; `ntu_gendata.py`, `preprocess.py`): two bodies of largest energy, the first body's middle of the spine as the
 * origin of every frame, spine and shoulders of the first frame along z and x. Kept as published, accidents too:
 *
 * - A body is its place in a frame's list, not its id: the original reads ids as float64, in which they are all the same. Bodies that change places are mixed. The fifth and
 *   later ones are not seen.
 * - Whether something is there is told by a sum that is not 0.
 * - A body without the first frame loses all its empty frames and moves to the front; one with the first frame keeps those in its middle. An empty end is filled by repeating
 *   what there is.
 * - In frames without the first body the second is not centred.
 */
import { type BodyRecording, requireBodies } from './bodyRecording.js';
import { axes, type SkeletonSequence } from './skeletonSequence.js';

const seenBodies = 4;
const chosenBodies = 2;
/** Joints, counted from 0. */
const [spineBase, spineMiddle, leftShoulder, rightShoulder] = [0, 1, 4, 8];

export interface AgcnOptions {
  /**
   * Frames of the sequence, where there are more than the recording's: both bodies are repeated from the beginning. 300 gives the published arrays. Without it the sequence
   * is as long as the recording and is the beginning of the published one.
   */
  readonly fillTo?: number;
}

/** @throws DataError for a recording without any body. */
export function prepareAgcn(recording: BodyRecording, { fillTo = 0 }: AgcnOptions = {}): SkeletonSequence {
  requireBodies(recording);
  const { name, joints } = recording;
  const bodies = mostEnergetic(recording);
  const frames = Math.max(recording.frames.length, fillTo);
  const people = bodies.map((body) => filled(new Float32Array(body), frames, joints));
  centre(people, joints);
  const first = people[0]!;
  turn(people, joints, difference(first, spineMiddle, spineBase), [0, 0, 1]);
  turn(people, joints, difference(first, rightShoulder, leftShoulder), [1, 0, 0]);
  return { name, frames, bodies: chosenBodies, joints, positions: sideBySide(people, frames, joints * axes) };
}

/**
 * The two bodies that move most, `[frames, bodies, joints, 3]`, as recorded. Energy is the sum over x, y, z of the standard deviation over frames and joints; of equal bodies
 * the later comes first, so that the second of a single body is an empty one.
 */
export function chooseAgcnBodies(recording: BodyRecording): SkeletonSequence {
  const { name, joints, frames } = recording;
  const positions = sideBySide(mostEnergetic(recording), frames.length, joints * axes);
  return { name, frames: frames.length, bodies: chosenBodies, joints, positions };
}

function mostEnergetic({ frames, joints }: BodyRecording): Float64Array[] {
  const size = joints * axes;
  const seen = Array.from({ length: seenBodies }, () => new Float64Array(frames.length * size));
  for (const [frame, bodies] of frames.entries())
    for (const [place, body] of bodies.slice(0, seenBodies).entries()) seen[place]!.set(body.joints, frame * size);
  const energies = seen.map((body) => energyOf(body, size));
  const order = energies.map((_, place) => place).sort((a, b) => energies[b]! - energies[a]! || b - a);
  return order.slice(0, chosenBodies).map((place) => seen[place]!);
}

function energyOf(body: Float64Array, size: number): number {
  const sums = [0, 0, 0];
  const there: Float64Array[] = [];
  for (let at = 0; at < body.length; at += size) {
    const frame = body.subarray(at, at + size);
    if (sum(frame) !== 0) there.push(frame);
  }
  const count = (there.length * size) / axes;
  for (const frame of there) for (let i = 0; i < size; i++) sums[i % axes]! += frame[i]!;
  const squares = [0, 0, 0];
  for (const frame of there)
    for (let i = 0; i < size; i++) squares[i % axes]! += (frame[i]! - sums[i % axes]! / count) ** 2;
  return there.length === 0 ? 0 : squares.reduce((energy, square) => energy + Math.sqrt(square / count), 0);
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

/** Without empty frames at the front, and its end repeated from the beginning. */
function filled(body: Float32Array, frames: number, joints: number): Float32Array {
  const size = joints * axes;
  const long = new Float32Array(frames * size);
  const isThere = (values: Float32Array, frame: number) => sum(values.subarray(frame * size, (frame + 1) * size)) !== 0;
  let length = 0;
  const keepsGaps = isThere(body, 0);
  for (let frame = 0; frame * size < body.length; frame++) {
    if (!keepsGaps && !isThere(body, frame)) continue;
    long.set(body.subarray(frame * size, (frame + 1) * size), length++ * size);
  }
  while (length > 0 && !isThere(long, length - 1)) length--;
  for (let frame = length; length > 0 && frame < frames; frame++)
    long.copyWithin(frame * size, (frame - length) * size, (frame - length + 1) * size);
  return long;
}

/** The first body's middle of the spine becomes the origin, frame by frame; joints that are not there stay 0. */
function centre(people: readonly Float32Array[], joints: number): void {
  const size = joints * axes;
  const first = people[0]!.slice();
  for (const person of people) {
    for (let at = 0; at < person.length; at += axes) {
      if (sum(person.subarray(at, at + axes)) === 0) {
        person.fill(0, at, at + axes);
        continue;
      }
      const origin = Math.floor(at / size) * size + spineMiddle * axes;
      for (let axis = 0; axis < axes; axis++) person[at + axis]! -= first[origin + axis]!;
    }
  }
}

/** Of two joints of the first frame. */
function difference(person: Float32Array, to: number, from: number): number[] {
  return [0, 1, 2].map((axis) => Math.fround(person[to * axes + axis]! - person[from * axes + axis]!));
}

/** Turns all frames so that `direction` points along `axis`. */
function turn(
  people: readonly Float32Array[],
  joints: number,
  direction: readonly number[],
  axis: readonly number[],
): void {
  const rotation = rotationBetween(direction, axis);
  const size = joints * axes;
  for (const person of people) {
    for (let frame = 0; frame < person.length; frame += size) {
      if (sum(person.subarray(frame, frame + size)) === 0) continue;
      for (let at = frame; at < frame + size; at += axes) {
        const [x, y, z] = [person[at]!, person[at + 1]!, person[at + 2]!];
        for (let row = 0; row < axes; row++)
          person[at + row] = rotation[3 * row]! * x + rotation[3 * row + 1]! * y + rotation[3 * row + 2]! * z;
      }
    }
  }
}

/** Too short to have a direction. */
const negligible = 1e-6;

/** The rotation about the normal of both vectors, row after row (Euler–Rodrigues); none when either has no direction or they are parallel. */
function rotationBetween(from: readonly number[], to: readonly number[]): readonly number[] {
  const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const [x, y, z] = from as [number, number, number];
  const [u, v, w] = to as [number, number, number];
  const normal = [y * w - z * v, z * u - x * w, x * v - y * u] as const;
  const magnitude = (vector: readonly number[]) => vector.reduce((total, value) => total + Math.abs(value), 0);
  if (magnitude(normal) < negligible || magnitude(from) < negligible) return identity;
  const cosine = (x * u + y * v + z * w) / (Math.hypot(x, y, z) * Math.hypot(u, v, w));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (angle < negligible) return identity;
  const scale = Math.sin(angle / 2) / Math.hypot(...normal);
  const a = Math.cos(angle / 2);
  const [b, c, d] = normal.map((value) => -value * scale) as [number, number, number];
  return [
    a * a + b * b - c * c - d * d,
    2 * (b * c + a * d),
    2 * (b * d - a * c),
    2 * (b * c - a * d),
    a * a + c * c - b * b - d * d,
    2 * (c * d + a * b),
    2 * (b * d + a * c),
    2 * (c * d - a * b),
    a * a + d * d - b * b - c * c,
  ];
}

function sideBySide(people: readonly (Float32Array | Float64Array)[], frames: number, size: number): Float64Array {
  const positions = new Float64Array(people.length * frames * size);
  for (const [place, person] of people.entries())
    for (let frame = 0; frame < frames; frame++)
      positions.set(person.subarray(frame * size, (frame + 1) * size), (frame * people.length + place) * size);
  return positions;
}
