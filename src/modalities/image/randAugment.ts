/**
 * RandAugment (Cubuk et al. 2020) in the form that the training recipe names `rand-m9-mstd0.5-inc1`: timm's fifteen operations
 * whose severity grows with the magnitude, each drawn with replacement, applied with probability 0.5, at a magnitude drawn
 * around the given one. The operations are Pillow's; the stream of random numbers is our own.
 */
import { DataError } from '../../data/errors.js';
import { rotation, shearX, shearY, translationX, translationY } from '../../data/geometry/affine.js';
import type { AffineMatrix, Sampling } from '../../data/geometry/transform.js';
import type { Size } from '../../data/resize.js';
import type { Random } from '../../random.js';
import type { RandAugmentSettings } from './settings.js';
import type { ImageStep, PhotometricStep } from './steps.js';

/** Magnitudes go from 0 to this. */
export const highestMagnitude = 10;

/** One kind of change; `strength` is the magnitude as a share of the highest, 0 to 1. */
export interface AugmentOperation {
  readonly name: string;
  draw(strength: number, random: Random, size: Size, sampling: Sampling): ImageStep;
}

const largestRotation = 30;
const largestShear = 0.3;
const largestTranslation = 0.45;
const largestAddition = 110;
const largestEnhancement = 0.9;
const smallestEnhancementFactor = 0.1;

/** The operations in timm's order, each growing more severe with its strength. */
export const increasingOperations: readonly AugmentOperation[] = [
  photometric('AutoContrast', 'autoContrast', () => 0),
  photometric('Equalize', 'equalize', () => 0),
  photometric('Invert', 'invert', () => 0),
  geometric('Rotate', largestRotation, (degrees, size) => rotation(size, degrees)),
  photometric('Posterize', 'posterize', (strength) => 4 - Math.trunc(strength * 4)),
  photometric('Solarize', 'solarize', (strength) => 256 - Math.trunc(strength * 256)),
  photometric('SolarizeAdd', 'solarizeAdd', (strength) => Math.trunc(strength * largestAddition)),
  photometric('Color', 'adjustColour', enhancement),
  photometric('Contrast', 'adjustContrast', enhancement),
  photometric('Brightness', 'adjustBrightness', enhancement),
  photometric('Sharpness', 'adjustSharpness', enhancement),
  geometric('ShearX', largestShear, shearX),
  geometric('ShearY', largestShear, shearY),
  geometric('TranslateX', largestTranslation, (share, size) => translationX(size, share)),
  geometric('TranslateY', largestTranslation, (share, size) => translationY(size, share)),
];

function photometric(
  name: string,
  operation: PhotometricStep['operation'],
  amountOf: (strength: number, random: Random) => number,
): AugmentOperation {
  return {
    name,
    draw: (strength, random) => ({ kind: 'photometric', operation, amount: amountOf(strength, random) }),
  };
}

function geometric(
  name: string,
  largest: number,
  matrixOf: (amount: number, size: Size) => AffineMatrix,
): AugmentOperation {
  return {
    name,
    draw: (strength, random, from, sampling) => {
      const matrix = matrixOf(eitherSign(strength * largest, random), from);
      return { kind: 'affine', from, matrix, sampling };
    },
  };
}

/**
 * What becomes of an image of this size in `layers` randomly chosen operations. `fill` is the colour of what comes in from beyond the
 * border.
 */
export function drawRandAugment(
  size: Size,
  settings: RandAugmentSettings,
  fill: Sampling['fill'],
  random: Random,
): readonly ImageStep[] {
  const sampling = { interpolation: settings.interpolation, fill };
  const steps: ImageStep[] = [];
  for (let layer = 0; layer < settings.layers; layer++) {
    const operation = increasingOperations[random.integer(increasingOperations.length)]!;
    if (random.uniform() >= settings.probability) continue;
    steps.push(operation.draw(drawnStrength(settings, random), random, size, sampling));
  }
  return steps;
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
