/** Sequences of skeletons as `predict --draw` draws them: moving, or as still moments, with what was decided when. */

import { isRecording, type SkeletonSample } from '../data/skeletons/preparations.js';
import { chooseAgcnBodies } from '../data/skeletons/prepareAgcn.js';
import { chooseCtrgcnBodies } from '../data/skeletons/prepareCtrgcn.js';
import { type SkeletonSequence, skeletons } from '../data/skeletons/skeletonSequence.js';
import { baseName } from '../energy/reportText.js';
import { skeletonAnimation } from '../insight/skeletons/animation.js';
import { skeletonStrip } from '../insight/skeletons/strip.js';
import type { SkeletonPreprocessing } from '../modalities/skeletons/settings.js';
import { stepFrames } from '../modalities/skeletons/stepFrames.js';

export const drawingForms = ['animation', 'strip'] as const;
export type DrawingForm = (typeof drawingForms)[number];

/** How samples that move are drawn. */
export interface Shown<Preprocessing> {
  readonly form: DrawingForm;
  readonly preprocessing: Preprocessing;
  /** The leading class after each time step; empty where answers are no classes. */
  readonly leading: readonly { readonly className: string; readonly probability: number }[];
}

/** Of both Kinects; files do not say it. */
const framesPerSecond = 30;

/** A whole SVG file. */
export function drawSequence(
  sample: SkeletonSample,
  { form, preprocessing, leading }: Shown<SkeletonPreprocessing>,
): string {
  const sequence = asRecorded(sample, preprocessing);
  const starts = stepFrames(sequence.frames, preprocessing);
  const picture = {
    sequence,
    skeleton: skeletons[preprocessing.skeleton],
    decisions: leading.map((decision, step) => ({ ...decision, frame: starts[step]! })),
    label: baseName(sequence.name),
    framesPerSecond,
  };
  return form === 'strip' ? skeletonStrip(picture) : skeletonAnimation(picture);
}

/** The bodies that the network sees, where the sensor saw them: preparations move them, and 2s-AGCN's lays them on their backs. */
function asRecorded(sample: SkeletonSample, { preparation }: SkeletonPreprocessing): SkeletonSequence {
  if (!isRecording(sample)) return sample;
  return preparation === 'agcn' ? chooseAgcnBodies(sample) : chooseCtrgcnBodies(sample);
}
