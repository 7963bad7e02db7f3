/**
 * Everything that happens at random to the bytes of one image: it is turned, and then, in the order of timm's training transform, crop, mirror,
 * colours, RandAugment. It is drawn as a value first and applied then. Erasing and mixing come later, on floats.
 */
import { drawCrop, drawMirror, drawRotation, type LargestShare } from '../../data/geometry/crop.js';
import { transformImage } from '../../data/geometry/image.js';
import type { GeometricStep, Transform } from '../../data/geometry/transform.js';
import type { RgbImage } from '../../data/image.js';
import { meanColour, type PreprocessSettings } from '../../data/preprocess.js';
import type { Size } from '../../data/resize.js';
import type { Random } from '../../random.js';
import { drawColour } from './drawColour.js';
import { drawRandAugment } from './randAugment.js';
import type { AugmentationSettings } from './settings.js';
import { applyPhotometric, type ImageStep } from './steps.js';

/**
 * What becomes of an image of this size: one of the size of the preprocessing's crop. What crops that avoid one class ask of its mask, `largestShare` says. Throws DataError when the crop cannot be made.
 */
export function drawSteps(
  from: Size,
  augmentation: AugmentationSettings,
  preprocessing: PreprocessSettings,
  random: Random,
  largestShare?: LargestShare,
): readonly ImageStep[] {
  const [height, width] = preprocessing.crop;
  const input = { width, height };
  const crop = drawCrop(from, augmentation.crop, preprocessing, random, largestShare);
  const mirror = drawMirror(input, augmentation.horizontalFlip, random);
  // What is drawn first stays as it was without what is drawn later: in that order, whatever comes first in the image.
  const { randAugment } = augmentation;
  const layers = randAugment === null ? [] : drawRandAugment(input, randAugment, meanColour(preprocessing), random);
  const colour = augmentation.colour ? drawColour(augmentation.colour, random) : [];
  const turn = drawRotation(from, augmentation.rotation ?? 0, meanColour(preprocessing), random);
  return [...turn, ...crop, ...mirror, ...colour, ...layers];
}

/** What of it moves things, for targets that have places. */
export function geometryOf({ width, height }: Size, steps: readonly ImageStep[]): Transform {
  return { from: { width, height }, steps: steps.filter((step) => step.kind !== 'photometric') };
}

/** The image after all steps. The image that is given stays as it is. */
export function applySteps(image: RgbImage, steps: readonly ImageStep[]): RgbImage {
  let result = image;
  let moves: GeometricStep[] = [];
  for (const step of steps) {
    if (step.kind === 'photometric') {
      result = applyPhotometric(transformImage(result, { steps: moves }), step);
      moves = [];
    } else moves.push(step);
  }
  return transformImage(result, { steps: moves });
}
