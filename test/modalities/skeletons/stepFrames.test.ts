/** Which frames a time step sees, against the published sampling that the network's input is made with. */
import { describe, expect, it } from 'vitest';
import { centreCrop, resizeInTime } from '../../../src/modalities/skeletons/cropResize.js';
import { stepFrames } from '../../../src/modalities/skeletons/stepFrames.js';

describe('the frames of a time step', () => {
  it.each([
    [64, 16, 1],
    [300, 16, 0.95],
    [11, 4, 0.8],
  ])('hold the moment of each step in their middle: %d frames, %d steps, %d kept', (frames, timeSteps, keep) => {
    // Joints whose place is their time are resampled to times.
    const values = Float64Array.from({ length: 3 * frames }, (_, i) => Math.floor(i / 3));
    const crop = centreCrop(frames, keep);
    const times = resizeInTime({ frames, bodies: 1, joints: 1, values }, crop, timeSteps).values;
    const starts = stepFrames(frames, { timeSteps, keep, sampling: 'linear' });
    const ends = [...starts.slice(1), crop.begin + crop.length];
    // A frame is half a frame after its beginning.
    for (const [t, start] of starts.entries()) expect((start + ends[t]!) / 2 - 0.5).toBeCloseTo(times[3 * t]!, 4);
  });

  it('begin with the frame that is taken where none lie between', () => {
    // np.linspace(0, 9, 4).astype(int)
    expect(stepFrames(10, { timeSteps: 4, keep: 1, sampling: 'nearest' })).toEqual([0, 3, 6, 9]);
    expect(stepFrames(12, { timeSteps: 4, keep: 0.8, sampling: 'nearest' })).toEqual([1, 4, 7, 10]);
    expect(stepFrames(1, { timeSteps: 3, keep: 1, sampling: 'nearest' })).toEqual([0, 0, 0]);
    expect(stepFrames(5, { timeSteps: 1, keep: 1, sampling: 'nearest' })).toEqual([0]);
  });

  it('are parts of a single frame', () => {
    expect(stepFrames(1, { timeSteps: 4, keep: 1, sampling: 'linear' })).toEqual([0, 0.25, 0.5, 0.75]);
  });
});
