/**
 * What becomes of a recording that is stored as pictures before a network sees it, and what training may do at random, as two descriptions
 * that a configuration file can hold.
 */
import * as z from 'zod';
import { eventMixSchema } from '../events/augmentationSettings.js';
import { mostValues, parsed } from '../events/settings.js';

const side = z.int().min(1).max(4096);

/** Dark pixels, and middle ones. */
export const channels = 2;

/** See the fields; {@link parsePicturePreprocessing} fills in what is left out. The defaults are those of the published loader of HARDVS. */
export const picturePreprocessingSchema = z
  .strictObject({
    /** Consecutive pictures that a network sees, from the middle of the recording; missing ones are zero frames at the end. */
    timeSteps: z.int().min(1).max(65_536).default(8),
    /** The shorter side after bicubic resizing; null leaves pictures as they are. */
    resize: side.nullable().default(256),
    /** Height and width of what is cut from the centre; where it is larger than the picture, the border is empty. */
    size: z.tuple([side, side]).default([224, 224]),
  })
  .superRefine(({ timeSteps, size }, context) => {
    const values = timeSteps * channels * size[0] * size[1];
    if (values <= mostValues) return;
    const message = `a recording would become ${values} numbers, more than ${mostValues}; take fewer time steps or a smaller size`;
    context.addIssue({ code: 'custom', path: ['timeSteps'], message });
  });

/** See the fields. Everything is off unless asked for. */
export const pictureAugmentationSchema = z.strictObject({
  /** The first picture is drawn, all that leave enough pictures behind them being equally likely. */
  randomStart: z.boolean().default(false),
  /** Probability, for a whole recording. */
  horizontalFlip: z.number().min(0).max(1).default(0),
  mix: eventMixSchema.nullable().default(null),
});

/** With every field filled in. */
export type PicturePreprocessing = z.output<typeof picturePreprocessingSchema>;
export type PictureAugmentationInput = z.input<typeof pictureAugmentationSchema>;
export type PictureAugmentation = z.output<typeof pictureAugmentationSchema>;

/** Complete settings out of data from outside. Throws DataError naming `source` and the field that is wrong. */
export function parsePicturePreprocessing(value: unknown, source = 'preprocessing of pictures'): PicturePreprocessing {
  return parsed(picturePreprocessingSchema, value, source);
}

/** As {@link parsePicturePreprocessing}. */
export function parsePictureAugmentation(value: unknown, source = 'augmentation of pictures'): PictureAugmentation {
  return parsed(pictureAugmentationSchema, value, source);
}
