/**
 * One change of an image as a value: of where things are, or of colours, which then is a name and how strong. What the latter compute is
 * in `photometric.ts` and `colourChanges.ts`.
 */
import type { GeometricStep } from '../../data/geometry/transform.js';
import type { RgbImage } from '../../data/image.js';
import { addBrightness, scaleContrast, scaleSaturation, turnHue } from './colourChanges.js';
import {
  adjustBrightness,
  adjustColour,
  adjustContrast,
  adjustSharpness,
  autoContrast,
  equalize,
  invert,
  posterize,
  solarize,
  solarizeAdd,
} from './photometric.js';

const operations = {
  autoContrast,
  equalize,
  invert,
  posterize,
  solarize,
  solarizeAdd,
  adjustColour,
  adjustContrast,
  adjustBrightness,
  adjustSharpness,
  addBrightness,
  scaleContrast,
  scaleSaturation,
  turnHue,
} as const satisfies Record<string, (image: RgbImage, amount: number) => RgbImage>;

/** `amount` is the operation's bits, threshold, addend, factor or degrees; those without one do not look at it. */
export interface PhotometricStep {
  readonly kind: 'photometric';
  readonly operation: keyof typeof operations;
  readonly amount: number;
}

export type ImageStep = GeometricStep | PhotometricStep;

/** The image with other colours. The one that is given stays as it is. */
export function applyPhotometric(image: RgbImage, { operation, amount }: PhotometricStep): RgbImage {
  return operations[operation](image, amount);
}
