/**
 * What a run needs of its input, taken when the call begins: runs wait for their turn, and callers fill their buffers again in the meantime (the next frame of a video). The
 * answer is for what was given.
 */
import type { Shape } from '../graph/shape.js';
import { toChannelsLast } from '../runtime/layout.js';
import { type InputSettings, inputShape } from './checks.js';
import type { FieldTensor } from './types.js';

export interface TakenInput {
  /** `[T or 1, B, H, W, C]` */
  readonly shape: Shape;
  readonly data: Float32Array;
}

/**
 * The layout that the engine wants is a copy anyway.
 *
 * @param room Where the copy is made, if it is of the right length.
 * @throws UsageError as `inputShape`.
 */
export function takeInput(input: FieldTensor, settings: InputSettings, room?: Float32Array): TakenInput {
  const shape = inputShape(input, settings);
  const [timeSteps, batch, height, width, channels] = shape as [number, number, number, number, number];
  const target = room?.length === input.data.length ? room : undefined;
  return { shape, data: toChannelsLast(input.data, timeSteps * batch, channels, height * width, target) };
}
