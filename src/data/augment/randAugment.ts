/**
 * RandAugment (Cubuk et al. 2020) in the form that the training recipe names `rand-m9-mstd0.5-inc1`: timm's fifteen operations
 * whose severity grows with the magnitude, each drawn with replacement, applied with probability 0.5, at a magnitude drawn
 * around the given one. The operations are Pillow's; the stream of random numbers is our own.
 */
import type { Random } from '../../random.js';
import { DataError } from '../errors.js';
import type { RgbImage } from '../image.js';
import { rotate, type Sampling, shearX, shearY, translateX, translateY } from './affine.js';
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
import type { RandAugmentSettings } from './settings.js';

/** Magnitudes go from 0 to this. */
export const highestMagnitude = 10;

/** One kind of change; `strength` is the magnitude as a share of the highest, 0 to 1. */
export interface AugmentOperation {
  readonly name: string;
  apply(image: RgbImage, strength: number, random: Random, sampling: Sampling): RgbImage;
}

const largestRotation = 30;
const largestShear = 0.3;
const largestTranslation = 0.45;
const largestAddition = 110;
const largestEnhancement = 0.9;
const smallestEnhancementFactor = 0.1;

/** The operations in timm's order, each growing more severe with its strength. */
export const increasingOperations: readonly AugmentOperation[] = [
  { name: 'AutoContrast', apply: (image) => autoContrast(image) },
  { name: 'Equalize', apply: (image) => equalize(image) },
  { name: 'Invert', apply: (image) => invert(image) },
  {
    name: 'Rotate',
    apply: (image, strength, random, sampling) =>
      rotate(image, eitherSign(strength * largestRotation, random), sampling),
  },
  { name: 'Posterize', apply: (image, strength) => posterize(image, 4 - Math.trunc(strength * 4)) },
  { name: 'Solarize', apply: (image, strength) => solarize(image, 256 - Math.trunc(strength * 256)) },
  { name: 'SolarizeAdd', apply: (image, strength) => solarizeAdd(image, Math.trunc(strength * largestAddition)) },
  { name: 'Color', apply: (image, strength, random) => adjustColour(image, enhancement(strength, random)) },
  { name: 'Contrast', apply: (image, strength, random) => adjustContrast(image, enhancement(strength, random)) },
  { name: 'Brightness', apply: (image, strength, random) => adjustBrightness(image, enhancement(strength, random)) },
  { name: 'Sharpness', apply: (image, strength, random) => adjustSharpness(image, enhancement(strength, random)) },
  {
    name: 'ShearX',
    apply: (image, strength, random, sampling) => shearX(image, eitherSign(strength * largestShear, random), sampling),
  },
  {
    name: 'ShearY',
    apply: (image, strength, random, sampling) => shearY(image, eitherSign(strength * largestShear, random), sampling),
  },
  {
    name: 'TranslateX',
    apply: (image, strength, random, sampling) =>
      translateX(image, eitherSign(strength * largestTranslation, random), sampling),
  },
  {
    name: 'TranslateY',
    apply: (image, strength, random, sampling) =>
      translateY(image, eitherSign(strength * largestTranslation, random), sampling),
  },
];

/** One image after `layers` randomly chosen operations. `fill` is the colour of what comes in from beyond the border. */
export function randAugment(
  image: RgbImage,
  settings: RandAugmentSettings,
  fill: Sampling['fill'],
  random: Random,
): RgbImage {
  const sampling = { interpolation: settings.interpolation, fill };
  let result = image;
  for (let layer = 0; layer < settings.layers; layer++) {
    const operation = increasingOperations[random.integer(increasingOperations.length)]!;
    if (random.uniform() >= settings.probability) continue;
    result = operation.apply(result, drawnStrength(settings, random), random, sampling);
  }
  return result;
}

/**
 * The settings behind timm's notation, such as `rand-m9-mstd0.5-inc1` (m magnitude, n layers, mstd deviation of the magnitude,
 * p probability of each operation). Throws DataError for a part it does not know and for the operations without `inc1`.
 */
export function parseRandAugment(text: string): RandAugmentSettings {
  const [kind, ...parts] = text.split('-');
  const values = new Map(parts.map((part) => partOf(part, text)));
  if (kind !== 'rand' || values.get('inc') !== 1) {
    throw new DataError(`RandAugment "${text}" is not supported; expected a form like rand-m9-mstd0.5-inc1`);
  }
  return {
    layers: values.get('n') ?? 2,
    magnitude: values.get('m') ?? highestMagnitude,
    magnitudeDeviation: values.get('mstd') ?? 0,
    probability: values.get('p') ?? 0.5,
    interpolation: 'bicubic',
  };
}

function partOf(part: string, text: string): [string, number] {
  const match = /^(m|n|mstd|p|inc)(\d+(?:\.\d+)?)$/.exec(part);
  if (match === null) {
    throw new DataError(`RandAugment "${text}" has the unknown part "${part}"; known are m, n, mstd, p and inc1`);
  }
  return [match[1]!, Number(match[2])];
}

function drawnStrength({ magnitude, magnitudeDeviation }: RandAugmentSettings, random: Random): number {
  const drawn = magnitudeDeviation > 0 ? magnitude + magnitudeDeviation * random.normal() : magnitude;
  return Math.max(0, Math.min(drawn, highestMagnitude)) / highestMagnitude;
}

function eitherSign(value: number, random: Random): number {
  return random.uniform() < 0.5 ? value : -value;
}

function enhancement(strength: number, random: Random): number {
  return Math.max(smallestEnhancementFactor, 1 + eitherSign(strength * largestEnhancement, random));
}
