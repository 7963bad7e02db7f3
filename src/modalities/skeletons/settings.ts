/**
 * What becomes of a sequence of skeletons before a network sees it, and what training may do at random, as two descriptions that a configuration file can hold.
 */
import * as z from 'zod';
import { range } from '../../data/geometry/settings.js';
import { preparationNames } from '../../data/skeletons/preparations.js';
import { axes, skeletonNames, skeletons } from '../../data/skeletons/skeletonSequence.js';
import { parsed } from '../events/settings.js';
import { streamNames } from './streams.js';

const featureSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { stream: value } : value),
  z.discriminatedUnion('stream', [
    z.strictObject({
      stream: z.enum(streamNames),
      /** Values are multiplied by it. */
      scale: z.number().positive().max(1e6).default(1),
      /**
       * Of motion, in frames: the value so much later minus that so much earlier, the first and the last frame being held. 0 as published: the next minus this
       * one, 0 in the last.
       */
      reach: z.int().min(0).max(256).default(0),
    }),
    /** Which joint it is, one of as many channels as there are joints 1: nothing else tells a network that sees joints alike. */
    z.strictObject({ stream: z.literal('identity') }),
  ]),
);

/** See the fields; {@link parseSkeletonPreprocessing} fills in what is left out. */
export const skeletonPreprocessingSchema = z
  .strictObject({
    /** Whose joints. */
    skeleton: z.enum(skeletonNames),
    /** Which bodies of a recording of NTU RGB+D act, and where their origin is; of sequences that are prepared already it says nothing. */
    preparation: z.enum(preparationNames).default('ctrgcn'),
    /** Bodies that a network sees, one beside the other; of more the first, missing ones are zeros. */
    bodies: z.int().min(1).max(4).default(1),
    /** Frames that a network sees, a time step each. */
    timeSteps: z.int().min(1).max(4096),
    /**
     * `none`: as it is stored. `range`: the spine of the first frame is the origin, and each axis goes from −1 to 1 over the sequence (the published feeder of NW-UCLA).
     * `body`: the spine of the first frame is the origin, the median of hips to shoulders is 0.5 long, and the body stands across x, turned about the vertical by what
     * the first quarter of the sequence says.
     */
    normalise: z.enum(['none', 'range', 'body']).default('none'),
    /** How so many frames become of others: between neighbours in a straight line, or every so manieth, rounded down. */
    sampling: z.enum(['linear', 'nearest']).default('linear'),
    /** Share of the frames that is seen, from the middle. */
    keep: z.number().positive().max(1).default(1),
    /** What a joint's channels are, one after the other. */
    features: z.array(featureSchema).min(1).max(16).prefault(['joint']),
  })
  .superRefine(({ features }, context) => {
    for (const [index, feature] of features.entries()) {
      if (feature.stream === 'identity' || feature.reach === 0 || feature.stream.endsWith('Motion')) continue;
      const message = `${feature.stream} has no reach; jointMotion and boneMotion have`;
      context.addIssue({ code: 'custom', path: ['features', index, 'reach'], message });
    }
  });

const perAxis = (largest: number) => {
  const value = z.number().min(0).max(largest);
  return z.tuple([value, value, value]).default([0, 0, 0]);
};

/** See the fields. Everything is off unless asked for. */
export const skeletonAugmentationSchema = z.strictObject({
  /** Share of the frames that is kept, from anywhere, instead of the middle. */
  crop: range(1e-3, 1).nullable().default(null),
  /** No fewer frames than these are kept, as far as there are so many; 64 as published. */
  shortest: z.int().min(1).max(100_000).default(1),
  /** Largest turns about x, y and z, either way, in radians. */
  rotation: perAxis(Math.PI),
  /** Standard deviations of further turns. */
  rotationDeviation: perAxis(Math.PI),
  /** Each axis is stretched by a factor of its own, up to so much more or less than 1. */
  axisScale: z.number().min(0).max(0.9).default(0),
  /** Standard deviation by which each joint is somewhere else, in all frames alike. */
  jointOffset: z.number().min(0).max(10).default(0),
  /** With `nearest`: frames are drawn, and sorted, as the published feeder of NW-UCLA does. */
  randomFrames: z.boolean().default(false),
});

/** Preprocessing of skeletons as a person writes it. */
export type SkeletonPreprocessingInput = z.input<typeof skeletonPreprocessingSchema>;
/** With every field filled in. */
export type SkeletonPreprocessing = z.output<typeof skeletonPreprocessingSchema>;
export type SkeletonAugmentationInput = z.input<typeof skeletonAugmentationSchema>;
export type SkeletonAugmentation = z.output<typeof skeletonAugmentationSchema>;
/** A part of what a joint's channels are. */
export type SkeletonFeature = SkeletonPreprocessing['features'][number];

/** Complete settings out of data from outside. Throws DataError naming `source` and the field that is wrong. */
export function parseSkeletonPreprocessing(
  value: unknown,
  source = 'preprocessing of skeletons',
): SkeletonPreprocessing {
  return parsed(skeletonPreprocessingSchema, value, source);
}

/** As {@link parseSkeletonPreprocessing}. */
export function parseSkeletonAugmentation(value: unknown, source = 'augmentation of skeletons'): SkeletonAugmentation {
  return parsed(skeletonAugmentationSchema, value, source);
}

/** Channels of a joint. */
export function channelsOf({ features, skeleton }: Pick<SkeletonPreprocessing, 'features' | 'skeleton'>): number {
  return features.reduce(
    (sum, { stream }) => sum + (stream === 'identity' ? skeletons[skeleton].joints.length : axes),
    0,
  );
}
