/** Which part of a sequence each time step of a network sees, in frames as they were recorded: for whoever shows decisions beside the sequence. */
import { centreCrop } from './cropResize.js';
import type { SkeletonPreprocessing } from './settings.js';

/**
 * The frame at which each time step's part begins, in evaluation; a part ends where the next begins. Between two frames where there are more time steps than
 * frames. With `linear` the parts are equal and each step is the middle of its own, `(t + ½) · length / T`; with `nearest` each begins with its frame. Motion with a reach
 * looks beyond the part.
 */
export function stepFrames(
  frames: number,
  { timeSteps, sampling, keep }: Pick<SkeletonPreprocessing, 'timeSteps' | 'sampling' | 'keep'>,
): readonly number[] {
  const { begin, length } = centreCrop(frames, keep);
  const nearest = timeSteps === 1 ? 0 : (length - 1) / (timeSteps - 1);
  return Array.from({ length: timeSteps }, (_, t) =>
    sampling === 'linear' ? begin + (t * length) / timeSteps : begin + Math.trunc(t * nearest),
  );
}
