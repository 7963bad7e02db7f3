/**
 * What may be done at random to training images, as one description that a configuration file can hold. Everything is off
 * unless asked for; the size of the result is that of the preprocessing's crop.
 */
import * as z from 'zod';
import { DataError } from '../../data/errors.js';
import { cropSchema, interpolationSchema, range } from '../../data/geometry/settings.js';

const share = z.number().min(0).max(1);

const randAugmentSchema = z.strictObject({
  /** Operations per image. */
  layers: z.int().min(0).max(16).default(2),
  magnitude: z.number().min(0).max(10).default(9),
  /** Standard deviation of the magnitude. */
  magnitudeDeviation: z.number().min(0).max(100).default(0.5),
  /** Of each operation. */
  probability: share.default(0.5),
  interpolation: interpolationSchema.default('bicubic'),
});

const randomErasingSchema = z.strictObject({
  probability: share.default(0.25),
  /** `pixel`: a normal random number for each value; `colour`: one for each channel; `zero`: the mean colour. */
  fill: z.enum(['pixel', 'colour', 'zero']).default('pixel'),
  /** Share of the image that is erased, all rectangles together. */
  area: range(1e-4, 1).default([0.02, 1 / 3]),
  /** Height by width. */
  aspect: range(1e-2, 1e2).default([0.3, 1 / 0.3]),
  /** How many rectangles, from and to. */
  count: z
    .tuple([z.int().min(1).max(64), z.int().min(1).max(64)])
    .refine(([from, to]) => from <= to, 'the first number must not be larger than the second')
    .default([1, 1]),
});

const mixSchema = z
  .strictObject({
    /** Parameter of the Beta distribution of mixup's weight; 0 switches mixup off. */
    mixup: z.number().min(0).max(100).default(0),
    /** The same for the area that cutmix keeps; 0 switches cutmix off. */
    cutmix: z.number().min(0).max(100).default(0),
    /** That a batch is mixed at all. */
    probability: share.default(1),
    /** That a mixed batch is cut rather than blended, when both are on. */
    cutmixProbability: share.default(0.5),
    /** Of the soft targets, which the loss then must not smooth again. */
    labelSmoothing: share.default(0),
  })
  .refine(({ mixup, cutmix }) => mixup > 0 || cutmix > 0, 'mixup or cutmix must be larger than 0');

/** The defaults are those of mmsegmentation's PhotoMetricDistortion. */
const colourSchema = z.strictObject({
  /** At most so much is added to each byte, or subtracted. */
  brightness: z.number().min(0).max(255).default(32),
  /** What bytes are multiplied by. */
  contrast: range(0, 10).default([0.5, 1.5]),
  /** What the saturation is multiplied by. */
  saturation: range(0, 10).default([0.5, 1.5]),
  /** In degrees, one way or the other. */
  hue: z.number().min(0).max(180).default(36),
  /** Of each of the four. */
  probability: share.default(0.5),
});

/** See the fields; {@link parseAugmentation} fills in what is left out. */
export const augmentationSchema = z.strictObject({
  crop: cropSchema.default({ kind: 'centre' }),
  /** Probability of a mirror image. */
  horizontalFlip: share.default(0),
  /** The image is turned by up to so many degrees, one way or the other, before it is cropped; its corners get the mean colour. Left out: it is not. */
  rotation: z.number().min(0).max(180).optional(),
  /** Left out or null: none. */
  colour: colourSchema.nullable().optional(),
  randAugment: randAugmentSchema.nullable().default(null),
  randomErasing: randomErasingSchema.nullable().default(null),
  mix: mixSchema.nullable().default(null),
});

/** Augmentation as a person writes it. */
export type AugmentationInput = z.input<typeof augmentationSchema>;
/** Augmentation with every field filled in. */
export type AugmentationSettings = z.output<typeof augmentationSchema>;
export type RandAugmentSettings = z.output<typeof randAugmentSchema>;
export type RandomErasingSettings = z.output<typeof randomErasingSchema>;
export type ColourSettings = z.output<typeof colourSchema>;
export type MixSettings = z.output<typeof mixSchema>;

/** Complete settings out of data from outside. Throws DataError naming `source` and the field that is wrong. */
export function parseAugmentation(value: unknown, source = 'augmentation'): AugmentationSettings {
  const parsed = augmentationSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = issue.path.length > 0 ? issue.path.join('.') : 'the whole';
  throw new DataError(`${source}: the settings are wrong at ${field}: ${issue.message}`);
}
