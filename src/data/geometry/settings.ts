/** Which part of an image training shows, as a description that a configuration file can hold. */
import * as z from 'zod';

/** Two numbers within limits, the first not larger than the second. */
export const range = (lowest: number, highest: number) =>
  z
    .tuple([z.number().min(lowest).max(highest), z.number().min(lowest).max(highest)])
    .refine(([from, to]) => from <= to, 'the first number must not be larger than the second');

export const interpolationSchema = z.enum(['bicubic', 'bilinear']);

export const cropSchema = z.discriminatedUnion('kind', [
  /** No chance: resize and centre crop as in evaluation. */
  z.strictObject({ kind: z.literal('centre') }),
  /** torchvision's RandomCrop: a border of `padding` pixels, then a crop anywhere. */
  z.strictObject({
    kind: z.literal('padded'),
    padding: z.int().min(0).max(1024).default(4),
    border: z.enum(['zero', 'reflect']).default('zero'),
  }),
  /** torchvision's RandomResizedCrop: a part of the image of random area and aspect ratio, resized. */
  z.strictObject({
    kind: z.literal('resized'),
    scale: range(1e-4, 1).default([0.08, 1]),
    ratio: range(1e-2, 1e2).default([3 / 4, 4 / 3]),
    interpolation: interpolationSchema.default('bicubic'),
  }),
  /**
   * What segmentation is trained with: the whole image resized by a random factor of the size that evaluation gives it, then a crop anywhere;
   * the mean colour, and no class, where the image does not reach.
   */
  z.strictObject({
    kind: z.literal('scaled'),
    scale: range(0.01, 16).default([0.5, 2]),
    interpolation: interpolationSchema.default('bicubic'),
    /**
     * Of images with masks: a crop in which one class has this share of the pixels or more is drawn again, up to ten times. Left out: any crop is taken.
     */
    mostOfOneClass: z.number().positive().max(1).optional(),
  }),
]);

/** See {@link cropSchema}. */
export type CropSettings = z.output<typeof cropSchema>;
export type PaddedCrop = Extract<CropSettings, { kind: 'padded' }>;
export type ResizedCrop = Extract<CropSettings, { kind: 'resized' }>;
export type ScaledCrop = Extract<CropSettings, { kind: 'scaled' }>;
