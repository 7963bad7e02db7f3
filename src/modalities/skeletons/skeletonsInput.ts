/** Sequences of skeletons as a network's input: a row of joints for each time step. Reads nothing. */
import * as z from 'zod';
import type { SkeletonSample } from '../../data/skeletons/preparations.js';
import { protocols } from '../../data/skeletons/protocols.js';
import { skeletons } from '../../data/skeletons/skeletonSequence.js';
import { UsageError } from '../../errors.js';
import type { InputKind } from '../input.js';
import { preparedJoints, writeFeatures } from './prepared.js';
import {
  channelsOf,
  parseSkeletonPreprocessing,
  type SkeletonAugmentation,
  type SkeletonPreprocessing,
  skeletonAugmentationSchema,
  skeletonPreprocessingSchema,
} from './settings.js';

export const skeletonsInput: InputKind<SkeletonSample, SkeletonPreprocessing, SkeletonAugmentation> = {
  name: 'skeletons',
  noun: 'sequence',
  preprocessing: skeletonPreprocessingSchema,
  augmentation: skeletonAugmentationSchema,
  reading: {
    /** How the data set is divided into training and test; left out, its usual way. */
    protocol: z.enum(protocols).optional(),
  },
  assumed: undefined,
  parse: parseSkeletonPreprocessing,
  shapeOf: (preprocessing) => ({
    frames: preprocessing.timeSteps,
    channels: channelsOf(preprocessing),
    places: [rowLength(preprocessing)],
  }),
  implies: ({ skeleton, bodies }) => ({ joints: skeletons[skeleton].joints.length, bodies }),
  sizeOf: (preprocessing) => [1, rowLength(preprocessing)],
  resized: () => {
    throw new UsageError('sequences of skeletons have as many joints as they have; leave out the size of the input');
  },
  withTimeSteps: (preprocessing, timeSteps) => ({ ...preprocessing, timeSteps }),
  normalisation: () => undefined,
  isSample: (value) => 'joints' in value && 'frames' in value && ('positions' in value || Array.isArray(value.frames)),
  inMemory: 'a sequence {name, frames, bodies, joints, positions}',
  sources: 'the path of a sequence of skeletons, or its bytes',
  mixes: () => false,
  write: (sample, preprocessing, target, offset, frameStride) =>
    writeFeatures(preparedJoints(sample, preprocessing), preprocessing, target, offset, frameStride),
};

/** Joints of all bodies side by side. */
function rowLength({ skeleton, bodies }: SkeletonPreprocessing): number {
  return bodies * skeletons[skeleton].joints.length;
}
