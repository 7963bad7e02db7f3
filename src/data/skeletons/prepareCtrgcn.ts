/**
 * NTU RGB+D as CTR-GCN prepares it (Chen et al., ICCV 2021; `get_raw_skes_data.py`, `get_raw_denoised_data.py`, `seq_transformation.py`), which is what the files
 * `NTU60_CS.npz` hold: bodies by id, those that are too short or too wide dropped as noise, the one that moves most first, and one origin for the whole sequence. Kept as
 * published, accidents too:
 *
 * - A body that leaves and comes back has no gap: its later frames move to the front.
 * - A single id is never checked for noise; lengths are checked where there are two or more.
 * - A third body takes the first's column, else the second's, where its frames and theirs overlap by no more than one, judged by the hull of all frames of the column, which is
 *   at the beginning frame 0 for the second; else it is dropped. It overwrites what is there.
 * - Whether something is there is told by a sum that is not 0.
 *
 * Not kept: the order of samples, which the original groups by subject.
 */
import { DataError } from '../errors.js';
import { type BodyRecording, requireBodies } from './bodyRecording.js';
import { axes, type SkeletonSequence } from './skeletonSequence.js';

/** Bodies that are there for no more frames are noise. */
const noiseFrames = 11;
/** A frame whose width is more than this part of its height is a bad one, and a body with this share of bad frames is noise. */
const [widestFrame, mostBadFrames] = [0.8, 0.69754];
const actors = 2;
const spineMiddle = 1;

/** All that was seen of one id. */
interface Track {
  readonly id: string;
  /** Counted among frames that have a body. */
  readonly start: number;
  /** Joints of each frame in which it was there, one after the other, as the published float32. */
  readonly frames: Float32Array[];
  motion: number;
}

/** @throws DataError for a recording without any body, or none but short ones. */
export function prepareCtrgcn(recording: BodyRecording): SkeletonSequence {
  return translated(chooseCtrgcnBodies(recording));
}

/** The two actors as recorded, without frames in which neither is; the second is all 0 when there is none. @throws DataError as {@link prepareCtrgcn}. */
export function chooseCtrgcnBodies(recording: BodyRecording): SkeletonSequence {
  requireBodies(recording);
  const { name, joints } = recording;
  const size = joints * axes;
  const frames = recording.frames.filter((bodies) => bodies.length > 0).length;
  const tracks = tracksOf(recording);
  const chosen = tracks.length === 1 ? tracks : withoutNoise(tracks, name);
  const positions = new Float64Array(frames * actors * size);
  const write = ({ start, frames: seen }: Track, actor: number) => {
    for (const [i, values] of seen.entries()) positions.set(values, ((start + i) * actors + actor) * size);
  };
  assign(chosen, write);
  const there = tracks.length === 1 ? positions : withoutEmptyFrames(positions, actors * size);
  if (there.every((value) => value === 0))
    throw new DataError(`${name}: all joints of its bodies are at 0; leave the file out`);
  return { name, frames: there.length / (actors * size), bodies: actors, joints, positions: there };
}

function tracksOf({ name, frames }: BodyRecording): Track[] {
  const tracks = new Map<string, Track>();
  let valid = 0;
  for (const bodies of frames) {
    if (bodies.length === 0) continue;
    if (new Set(bodies.map(({ id }) => id)).size < bodies.length)
      throw new DataError(
        `${name}: two bodies of one frame have the same id; prepare it as agcn does, which looks at no ids`,
      );
    for (const { id, joints } of bodies) {
      const track = tracks.get(id) ?? { id, start: valid, frames: [], motion: 0 };
      track.frames.push(new Float32Array(joints));
      tracks.set(id, track);
    }
    valid++;
  }
  return [...tracks.values()];
}

/** By motion, largest first. */
function withoutNoise(tracks: readonly Track[], name: string): Track[] {
  const long = tracks.filter(({ frames }) => frames.length > noiseFrames);
  if (long.length === 0)
    throw new DataError(
      `${name}: none of its ${tracks.length} bodies is there for more than ${noiseFrames} frames; prepare it as agcn does, or leave it out`,
    );
  if (long.length === 1) return long;
  for (const track of long) track.motion = motionOf(track.frames);
  const kept = new Set(long);
  for (const track of long) {
    // The last one stays whatever it looks like.
    if (kept.size === 1) break;
    const good = track.frames.filter(isUpright);
    const bad = track.frames.length - good.length;
    if (bad === 0) continue;
    if (bad / track.frames.length >= mostBadFrames) kept.delete(track);
    else track.motion = Math.min(track.motion, motionOf(good));
  }
  return [...kept].sort((a, b) => b.motion - a.motion);
}

/** The sum over x, y, z of the variance over frames and joints. */
function motionOf(frames: readonly Float32Array[]): number {
  const [sums, squares] = [
    [0, 0, 0],
    [0, 0, 0],
  ];
  let count = 0;
  for (const frame of frames) {
    count += frame.length / axes;
    for (let i = 0; i < frame.length; i++) sums[i % axes]! += frame[i]!;
  }
  for (const frame of frames)
    for (let i = 0; i < frame.length; i++) squares[i % axes]! += (frame[i]! - sums[i % axes]! / count) ** 2;
  return squares.reduce((motion, square) => motion + square / count, 0);
}

function isUpright(frame: Float32Array): boolean {
  return rangeOf(frame, 0) <= widestFrame * rangeOf(frame, 1);
}

function rangeOf(frame: Float32Array, axis: number): number {
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = axis; i < frame.length; i += axes) {
    lowest = Math.min(lowest, frame[i]!);
    highest = Math.max(highest, frame[i]!);
  }
  return Math.fround(highest - lowest);
}

/** Gives each body a column. */
function assign([first, ...others]: readonly Track[], write: (track: Track, actor: number) => void): void {
  write(first!, 0);
  const hulls = [
    { start: first!.start, end: endOf(first!) },
    { start: 0, end: 0 },
  ];
  for (const track of others) {
    const end = endOf(track);
    const actor = hulls.findIndex((hull) => Math.min(hull.end, end) - Math.max(hull.start, track.start) <= 0);
    if (actor < 0) continue;
    write(track, actor);
    const { start: from, end: until } = hulls[actor]!;
    hulls[actor] = { start: Math.min(from, track.start), end: Math.max(until, end) };
  }
}

/** Its last frame, if it were never away. */
function endOf({ start, frames }: Track): number {
  return start + frames.length - 1;
}

function withoutEmptyFrames(positions: Float64Array, size: number): Float64Array {
  const kept = new Float64Array(positions.length);
  let length = 0;
  for (let at = 0; at < positions.length; at += size) {
    const frame = positions.subarray(at, at + size);
    if (!isThere(frame)) continue;
    kept.set(frame, length);
    length += size;
  }
  return kept.slice(0, length);
}

function isThere(values: Float64Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum !== 0;
}

/** The origin is the middle of the first actor's spine in its first frame. Actors that are not there stay at 0. */
function translated(sequence: SkeletonSequence): SkeletonSequence {
  const { frames, joints } = sequence;
  const size = joints * axes;
  const positions = sequence.positions.slice();
  const actorAt = (values: Float64Array, frame: number, actor: number) =>
    values.subarray((frame * actors + actor) * size, (frame * actors + actor + 1) * size);
  let first = 0;
  while (first < frames - 1 && actorAt(positions, first, 0).every((value) => value === 0)) first++;
  const origin = actorAt(sequence.positions, first, 0).subarray(axes * spineMiddle, axes * (spineMiddle + 1));
  for (let frame = 0; frame < frames; frame++) {
    for (let actor = 0; actor < actors; actor++) {
      const values = actorAt(positions, frame, actor);
      if (!isThere(values)) values.fill(0);
      else for (let i = 0; i < size; i++) values[i] = Math.fround(values[i]! - origin[i % axes]!);
    }
  }
  return { ...sequence, positions };
}
