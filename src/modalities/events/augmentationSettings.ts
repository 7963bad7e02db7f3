/**
 * What may be done at random to recordings of a training set, as one description that a configuration file can hold. Everything is off
 * unless asked for.
 */
import * as z from 'zod';
import { range } from '../../data/geometry/settings.js';
import { parsed } from './settings.js';

const share = z.number().min(0).max(1);
/** Of what is drawn uniformly between 0 and this, or normally with this deviation. */
const microseconds = z.number().min(0).max(1e12);

const affineSchema = z.strictObject({
  /** Largest shift each way, as a share of the sensor's side. */
  shift: share.default(0),
  /** Largest turn either way, in degrees. */
  rotation: z.number().min(0).max(180).default(0),
  zoom: range(0.05, 20).default([1, 1]),
});

/** One of the kinds that are larger than 0 is taken; what it drops is uniform up to that share (Gu et al. 2021, EventDrop). */
const dropSchema = z
  .strictObject({
    /** That anything is dropped. */
    probability: share.default(0.5),
    /** Of all events. */
    events: share.default(0),
    /** Of the span of the recording, in one piece. */
    time: share.default(0),
    /** Of the sensor, as one box with sides of its proportions. */
    area: share.default(0),
  })
  .refine(({ events, time, area }) => events + time + area > 0, 'events, time or area must be larger than 0');

const jitterSchema = z.strictObject({
  /** Standard deviation in pixels, for each event. */
  space: z.number().min(0).max(4096).default(0),
  /** Standard deviation in microseconds, for each event. */
  time: microseconds.default(0),
});

/** EventMix, of frames whatever they were made of. */
export const eventMixSchema = z.strictObject({
  /** What of space and time comes from the other recording: a box, or where a mixture of Gaussians is large (Shen et al. 2023, EventMix). */
  mask: z.enum(['box', 'gaussian']).default('gaussian'),
  /** Parameter of the Beta distribution of the share that stays. */
  alpha: z.number().positive().max(100).default(1),
  /** That a batch is mixed at all. */
  probability: share.default(0.5),
  /** Of the soft targets, which the loss then must not smooth again. */
  labelSmoothing: share.default(0),
});

/** See the fields; {@link parseEventAugmentation} fills in what is left out. */
export const eventAugmentationSchema = z.strictObject({
  /** Share of its span that a recording keeps, in one piece from anywhere. */
  timeCrop: range(1e-3, 1).default([1, 1]),
  /** Factor on the times. */
  timeSkew: range(1e-3, 1e3).default([1, 1]),
  drop: dropSchema.nullable().default(null),
  affine: affineSchema.nullable().default(null),
  /** Probabilities, each for a whole recording. */
  horizontalFlip: share.default(0),
  verticalFlip: share.default(0),
  polarityFlip: share.default(0),
  timeReversal: share.default(0),
  jitter: jitterSchema.nullable().default(null),
  /** Events of noise that are added at most, as a share of those that are there; anywhere, at any time. */
  noise: z.number().min(0).max(10).default(0),
  mix: eventMixSchema.nullable().default(null),
});

/** Augmentation as a person writes it. */
export type EventAugmentationInput = z.input<typeof eventAugmentationSchema>;
/** Augmentation with every field filled in. */
export type EventAugmentation = z.output<typeof eventAugmentationSchema>;
export type EventMixSettings = z.output<typeof eventMixSchema>;

/** Complete settings out of data from outside. Throws DataError naming `source` and the field that is wrong. */
export function parseEventAugmentation(value: unknown, source = 'event augmentation'): EventAugmentation {
  return parsed(eventAugmentationSchema, value, source);
}
