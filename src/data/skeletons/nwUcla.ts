/**
 * Sequences of Northwestern-UCLA Multiview Action 3D as the field passes them around: one JSON object a file, `{"file_name", "label", "skeletons": [frame][20 joints][x, y, z]}`,
 * metres in the camera's frame. It comes from outside: sizes and every number are checked. Runs in a page too.
 */
import { DataError } from '../errors.js';
import { axes, type SkeletonSequence, skeletons } from './skeletonSequence.js';

const { length: joints } = skeletons.kinect20.joints;
/** An hour of the sensor. */
const mostFrames = 108_000;
/** A frame takes less than 2 kB of text. */
const mostBytes = 2000 * mostFrames;

/** The ten actions by their number in file names; 7 and 10 do not exist. The place in this list is the class. */
export const nwUclaActions: ReadonlyMap<number, string> = new Map([
  [1, 'pick up with one hand'],
  [2, 'pick up with two hands'],
  [3, 'drop trash'],
  [4, 'walk around'],
  [5, 'sit down'],
  [6, 'stand up'],
  [8, 'donning'],
  [9, 'doffing'],
  [11, 'throw'],
  [12, 'carry'],
]);

/** What a file's name says. */
export interface NwUclaName {
  readonly action: number;
  readonly subject: number;
  readonly repetition: number;
  /** Of the three cameras. */
  readonly view: number;
}

/** Out of `aAA_sSS_eEE_vVV.json`, in any folder; undefined where a name is another. */
export function nwUclaName(file: string): NwUclaName | undefined {
  const found = /(?:^|\/)a(\d{2})_s(\d{2})_e(\d{2})_v(\d{2})(?:\.json)?$/.exec(file);
  if (found === null) return undefined;
  const [action, subject, repetition, view] = found.slice(1).map(Number) as [number, number, number, number];
  return { action, subject, repetition, view };
}

/**
 * @param name What messages call the file.
 * @throws DataError naming the file and what is wrong with it.
 */
export function parseNwUcla(bytes: Uint8Array, name: string): SkeletonSequence {
  if (bytes.length > mostBytes)
    throw new DataError(`${name}: has ${bytes.length} bytes; a sequence of skeletons has at most ${mostBytes}`);
  const frames = framesOf(bytes, name);
  const positions = new Float64Array(frames.length * joints * axes);
  let next = 0;
  for (const [f, frame] of frames.entries()) {
    if (!Array.isArray(frame) || frame.length !== joints)
      throw wrong(
        name,
        f,
        `${Array.isArray(frame) ? `${frame.length} joints` : typeof frame}, expected ${joints} joints`,
      );
    for (const [j, place] of (frame as readonly unknown[]).entries()) {
      if (!Array.isArray(place) || place.length !== axes) throw wrong(name, f, `joint ${j} is not [x, y, z]`);
      for (const value of place as readonly unknown[]) {
        // JSON has numbers beyond float64's range, which are read as infinite.
        if (typeof value !== 'number' || !Number.isFinite(value))
          throw wrong(name, f, `joint ${j} has a coordinate that is no finite number`);
        positions[next++] = value;
      }
    }
  }
  return { name, frames: frames.length, bodies: 1, joints, positions };
}

function framesOf(bytes: Uint8Array, name: string): readonly unknown[] {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DataError(`${name}: is no JSON (${(cause as Error).message.split('\n')[0]}); fetch the file again`, {
      cause,
    });
  }
  const frames: unknown =
    typeof document === 'object' && document !== null ? Reflect.get(document, 'skeletons') : undefined;
  if (!Array.isArray(frames))
    throw new DataError(
      `${name}: has no list "skeletons"; a sequence of NW-UCLA was expected: {"skeletons": [frame][${joints}][x, y, z]}`,
    );
  if (frames.length === 0) throw new DataError(`${name}: has no frames; leave the file out`);
  if (frames.length > mostFrames)
    throw new DataError(`${name}: has ${frames.length} frames; at most ${mostFrames} are read`);
  return frames as readonly unknown[];
}

function wrong(name: string, frame: number, what: string): DataError {
  return new DataError(`${name}: frame ${frame}: ${what}; leave the file out or fetch it again`);
}
