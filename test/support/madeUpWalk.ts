/** Motion that nobody recorded: a body that walks past and lifts an arm, for tests and for pictures in the documents. */
import { axes, type SkeletonSequence, skeletons } from '../../src/data/skeletons/skeletonSequence.js';

interface MadeUp {
  readonly frames: number;
  readonly bodies?: number;
  /** Frames in which a body is not there. */
  readonly missing?: (frame: number, body: number) => boolean;
}

/** A person of 1.7 m who walks 1 m to the right in front of a Kinect v1 and waves the right hand; a second one goes the other way. */
export function madeUpWalk({ frames, bodies = 1, missing = () => false }: MadeUp): SkeletonSequence {
  const joints = skeletons.kinect20.joints.length;
  const positions = new Float64Array(frames * bodies * joints * axes);
  for (let frame = 0; frame < frames; frame++) {
    for (let body = 0; body < bodies; body++) {
      if (missing(frame, body)) continue;
      const pose = poseAt(frames === 1 ? 0 : frame / (frames - 1), body);
      positions.set(pose.flat(), (frame * bodies + body) * joints * axes);
    }
  }
  return { name: 'made-up walk', frames, bodies, joints, positions };
}

type Place = readonly [x: number, y: number, z: number];

/** In the order of `skeletons.kinect20`. Lengths are those of a grown person. */
function poseAt(time: number, body: number): readonly Place[] {
  const forward = body % 2 === 0 ? 1 : -1;
  const [x, z] = [forward * (time - 0.5) + 0.9 * body, 2.5 + 0.4 * body];
  const stride = 4 * Math.PI * time;
  const bounce = 0.03 * Math.cos(2 * stride);
  const at = (dx: number, y: number, dz = 0): Place => [x + dx, y + bounce, z + dz];
  const leg = (side: number): readonly Place[] => {
    const swing = 0.45 * Math.sin(stride + (side > 0 ? 0 : Math.PI));
    const bend = swing + 0.5 * Math.max(0, -Math.sin(stride + (side > 0 ? 0.8 : Math.PI + 0.8)));
    const knee: Place = at(0.1 * side + 0.42 * forward * Math.sin(swing), -0.42 * Math.cos(swing));
    const ankle: Place = [
      knee[0] - 0.42 * forward * Math.sin(bend - swing),
      knee[1] - 0.42 * Math.cos(bend - swing),
      z,
    ];
    return [at(0.1 * side, 0), knee, ankle, [ankle[0] + 0.14 * forward, ankle[1] - 0.05, z]];
  };
  const arm = (side: number, lift: number): readonly Place[] => {
    const upper = lift + 0.25 * Math.sin(stride);
    const lower = 1.7 * upper;
    const elbow: Place = at(0.2 * side + 0.28 * side * Math.sin(upper), 0.5 - 0.28 * Math.cos(upper));
    const wrist: Place = [elbow[0] + 0.25 * side * Math.sin(lower), elbow[1] - 0.25 * Math.cos(lower), z];
    const hand: Place = [wrist[0] + 0.08 * side * Math.sin(lower), wrist[1] - 0.08 * Math.cos(lower), z];
    return [at(0.2 * side, 0.5), elbow, wrist, hand];
  };
  const wave = Math.sin(Math.PI * Math.min(1, Math.max(0, 2 * time - 0.8))) * 1.7;
  const trunk = [at(0, 0.05), at(0, 0.3), at(0, 0.55), at(0, 0.75)];
  return [...trunk, ...arm(-1, 0.15), ...arm(1, 0.15 + wave), ...leg(-1), ...leg(1)];
}

/** The same people in the text of NTU RGB+D's recordings, whose sensor has 25 joints: hands end in tips and thumbs. Bodies are listed in the frames in which they are there. */
export function walkAsNtu({ frames, bodies, joints, positions }: SkeletonSequence): string {
  const lines = [String(frames)];
  for (let frame = 0; frame < frames; frame++) {
    const people = Array.from({ length: bodies }, (_, body) => {
      const start = (frame * bodies + body) * joints * axes;
      return positions.subarray(start, start + joints * axes);
    });
    const there = [...people.entries()].filter(([, person]) => person.some((value) => value !== 0));
    lines.push(String(there.length));
    for (const [body, person] of there) {
      lines.push(`7205759403792${7000 + body} 0 1 1 1 1 0 0.1 -0.2 2`, '25');
      for (const joint of inKinect25) {
        const place = [...person.subarray(joint * axes, (joint + 1) * axes)].map((value) => value.toFixed(7));
        lines.push(`${place.join(' ')} 250.1 200.2 900.3 500.4 0 0 0 1 2`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

/** For each joint of a Kinect v2 the nearest of a Kinect v1. */
const inKinect25 = [...Array.from({ length: 20 }, (_, joint) => joint), 2, 7, 7, 11, 11];
