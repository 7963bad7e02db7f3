/**
 * Reads Python's pickle format (protocols 1 to 5) into inert data and executes nothing: what is built is in `pickleValues.ts`, and
 * what a pickle's wish to call something leads to is decided by the `PickleWorld` that the caller passes. Instructions are in
 * `pickleInstructions.ts`, what they work on in `pickleMachine.ts`.
 */
import { pickleInstructions } from './pickleInstructions.js';
import { DEFAULT_PICKLE_LIMITS, type PickleLimits } from './pickleLimits.js';
import { OutOfBytes, PickleMachine, type PickleResult } from './pickleMachine.js';
import type { PickleWorld } from './pickleValues.js';

/**
 * Reads one pickle that starts at `start`.
 *
 * @returns undefined when the bytes end before the pickle does.
 * @throws CheckpointError when the pickle is malformed, exceeds the limits, or is refused by the world.
 */
export function readPickle(
  bytes: Uint8Array,
  fileName: string,
  world: PickleWorld,
  start = 0,
  limits: PickleLimits = DEFAULT_PICKLE_LIMITS,
): PickleResult | undefined {
  try {
    return new PickleMachine(bytes, fileName, world, start, limits).run(pickleInstructions);
  } catch (error) {
    if (error instanceof OutOfBytes) return undefined;
    throw error;
  }
}
