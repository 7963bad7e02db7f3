/**
 * Everything that happens at random to the bytes of one image, in the order of timm's training transform: crop, mirror,
 * RandAugment. Erasing and mixing come later, on floats.
 */
import type { Random } from '../../random.js';
import type { RgbImage } from '../image.js';
import { cropPixels, type PreprocessSettings } from '../preprocess.js';
import type { Colour } from './affine.js';
import { flipHorizontally, padAndCrop, randomResizedCrop, roundHalfEven } from './crop.js';
import { randAugment } from './randAugment.js';
import type { AugmentationSettings } from './settings.js';

/** One training image of the size of the preprocessing's crop. Throws DataError or ImageError when the crop cannot be made. */
export function augmentImage(
  image: RgbImage,
  augmentation: AugmentationSettings,
  preprocessing: PreprocessSettings,
  random: Random,
): RgbImage {
  const cropped = crop(image, augmentation, preprocessing, random);
  // Drawn also when it cannot happen, so that switching one augmentation off leaves the others as they were.
  const mirrored = random.uniform() < augmentation.horizontalFlip ? flipHorizontally(cropped) : cropped;
  const { randAugment: settings } = augmentation;
  return settings === null ? mirrored : randAugment(mirrored, settings, meanColour(preprocessing), random);
}

function crop(
  image: RgbImage,
  augmentation: AugmentationSettings,
  preprocessing: PreprocessSettings,
  random: Random,
): RgbImage {
  const [height, width] = preprocessing.crop;
  const settings = augmentation.crop;
  switch (settings.kind) {
    case 'centre':
      return { width, height, data: cropPixels(image, preprocessing) };
    case 'padded':
      return padAndCrop(image, settings, { width, height }, random);
    case 'resized':
      return randomResizedCrop(image, settings, { width, height }, random);
  }
}

function meanColour({ mean }: PreprocessSettings): Colour {
  const byte = (value: number) => Math.min(Math.max(roundHalfEven(255 * value), 0), 255);
  return [byte(mean[0]), byte(mean[1]), byte(mean[2])];
}
