/** The published ways in which a recording of bodies becomes a sequence, by name. Runs in a page too. */
import type { BodyRecording } from './bodyRecording.js';
import { prepareAgcn } from './prepareAgcn.js';
import { prepareCtrgcn } from './prepareCtrgcn.js';
import type { SkeletonSequence } from './skeletonSequence.js';

export const preparationNames = ['ctrgcn', 'agcn'] as const;
export type PreparationName = (typeof preparationNames)[number];

const preparations: Readonly<Record<PreparationName, (recording: BodyRecording) => SkeletonSequence>> = {
  ctrgcn: prepareCtrgcn,
  agcn: (recording) => prepareAgcn(recording),
};

/** Bodies over time as a file gives them: chosen already, or all that a sensor tracked. */
export type SkeletonSample = SkeletonSequence | BodyRecording;

export function isRecording(sample: SkeletonSample): sample is BodyRecording {
  return !('positions' in sample);
}

/** @throws DataError for a recording that cannot be prepared so. */
export function sequenceOf(sample: SkeletonSample, preparation: PreparationName = 'ctrgcn'): SkeletonSequence {
  return isRecording(sample) ? preparations[preparation](sample) : sample;
}
