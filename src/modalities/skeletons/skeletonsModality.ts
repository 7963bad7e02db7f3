/** Sequences of skeletons as a modality: files that are read, moved as chance decides, and become rows of joints. */

import { DataError } from '../../data/errors.js';
import { openSkeletons } from '../../data/skeletons/openSkeletons.js';
import { isRecording, type SkeletonSample } from '../../data/skeletons/preparations.js';
import { chooseAgcnBodies } from '../../data/skeletons/prepareAgcn.js';
import { readSequence, type SequenceStore, sequenceBytes, sequenceSize } from '../../data/skeletons/sequenceStore.js';
import { skeletons } from '../../data/skeletons/skeletonSequence.js';
import { checkOptionNames } from '../../optionNames.js';
import type { Random } from '../../random.js';
import type { DrawnChange, Modality, Preparation } from '../modality.js';
import { skeletonPicture } from './picture.js';
import { preparedJoints, type SkeletonChange, writeFeatures } from './prepared.js';
import {
  parseSkeletonAugmentation,
  parseSkeletonPreprocessing,
  type SkeletonAugmentation,
  type SkeletonAugmentationInput,
  type SkeletonPreprocessing,
} from './settings.js';
import { skeletonsInput } from './skeletonsInput.js';
import { rotationOf } from './streams.js';

/** How sequences become floats, as a caller of the loader writes it. */
export interface SkeletonSettingsInput {
  readonly preprocessing: SkeletonPreprocessing;
  /** Default: none, each sequence as in evaluation. */
  readonly augmentation?: SkeletonAugmentationInput;
}

interface SkeletonSettings {
  readonly preprocessing: SkeletonPreprocessing;
  readonly augmentation: SkeletonAugmentation | undefined;
}

interface DrawnSkeletonChange extends DrawnChange {
  readonly change: SkeletonChange | undefined;
}

export const skeletonsModality: Modality<SkeletonSample, SequenceStore, SkeletonSettings, DrawnSkeletonChange> = {
  name: 'skeletons',
  parse,
  open: readSequence,
  waits: () => true,
  prepare,
  // As recorded, by the choice that refuses no recording that has a body: the network's preparation is not known here.
  picture: (sample) => skeletonPicture(isRecording(sample) ? chooseAgcnBodies(sample) : sample),
  openLabelled: openSkeletons,
  contentOf: (store) => ({
    what: 'files',
    inMemory: store.kind === 'held' || store.files.kind === 'encoded',
    sizeOf: (position) => sequenceSize(store, position),
    bytesOf: (position) => sequenceBytes(store, position),
  }),
};

function parse(written: unknown, source: string): SkeletonSettings {
  const input = written as SkeletonSettingsInput;
  checkOptionNames<SkeletonSettingsInput>(source, input, { preprocessing: true, augmentation: true });
  if (input.preprocessing === undefined) throw new DataError(`${source}: preprocessing is missing`);
  const { augmentation } = input;
  return {
    preprocessing: parseSkeletonPreprocessing(input.preprocessing, source),
    augmentation: augmentation && parseSkeletonAugmentation(augmentation, `${source}: augmentation`),
  };
}

function prepare({ preprocessing, augmentation }: SkeletonSettings): Preparation<SkeletonSample, DrawnSkeletonChange> {
  return {
    shape: skeletonsInput.shapeOf(preprocessing),
    draw: (_sample, random) => ({
      change: augmentation && drawChange(preprocessing, augmentation, random),
      geometry: undefined,
    }),
    // What is moved is where the body is after normalising, which is done where the floats are written.
    augment: (sample) => sample,
    tensor: (sample, { change }, batch, offset, frameStride) =>
      writeFeatures(preparedJoints(sample, preprocessing, change), preprocessing, batch, offset, frameStride),
  };
}

function drawChange(
  { skeleton, timeSteps }: SkeletonPreprocessing,
  { crop, shortest, rotation, rotationDeviation, axisScale, jointOffset, randomFrames }: SkeletonAugmentation,
  random: Random,
): SkeletonChange {
  const between = (from: number, to: number) => from + (to - from) * random.uniform();
  const either = (largest: number) => between(-largest, largest);
  const { length: joints } = skeletons[skeleton].joints;
  const [x, y, z] = rotation;
  const [dx, dy, dz] = rotationDeviation;
  const isNone = (angles: readonly number[]) => angles.every((angle) => angle === 0);
  return {
    crop: crop === null ? undefined : { share: between(...crop), place: random.uniform(), shortest },
    rotations: [
      ...(isNone(rotation) ? [] : [rotationOf([either(x), either(y), either(z)])]),
      ...(isNone(rotationDeviation)
        ? []
        : [rotationOf([dx * random.normal(), dy * random.normal(), dz * random.normal()])]),
    ],
    axisScales: axisScale === 0 ? [1, 1, 1] : [1 + either(axisScale), 1 + either(axisScale), 1 + either(axisScale)],
    jointOffsets:
      jointOffset === 0
        ? new Float64Array(0)
        : Float64Array.from({ length: 3 * joints }, () => jointOffset * random.normal()),
    framePlaces: randomFrames
      ? Array.from({ length: timeSteps }, () => random.uniform()).sort((a, b) => a - b)
      : undefined,
  };
}
