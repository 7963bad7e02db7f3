/**
 * What a depth sensor tracked, frame by frame, before anybody chose which bodies act: what readers of recordings return and preparations (`prepareAgcn.ts`,
 * `prepareCtrgcn.ts`) make a sequence of.
 */
import { DataError } from '../errors.js';

/** One body in one frame. */
export interface TrackedBody {
  /** As the sensor numbered it, letter for letter: numbers of 17 digits do not fit a float64. */
  readonly id: string;
  /** x, y, z in metres, `[joints, 3]`. */
  readonly joints: Float64Array;
}

export interface BodyRecording {
  /** What messages call it: its file. */
  readonly name: string;
  readonly joints: number;
  /** The bodies of each frame in the file's order; none in some frames is usual. */
  readonly frames: readonly (readonly TrackedBody[])[];
}

/** @throws DataError for a recording in which nobody was tracked: there is nothing to learn from it. */
export function requireBodies({ name, frames }: BodyRecording): void {
  if (frames.some((bodies) => bodies.length > 0)) return;
  throw new DataError(
    `${name}: no body was tracked in any of its ${frames.length} frames; leave the file out, or list it in samples_with_missing_skeletons.txt beside the recordings`,
  );
}
