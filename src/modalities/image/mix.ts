/**
 * Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) of a whole batch, as timm does it in batch mode: one weight for the
 * batch, image i mixed with image B - 1 - i. The weight is drawn from a symmetric Beta distribution. What becomes of targets is their own business.
 */
import type { Box } from '../../data/geometry/boxes.js';
import type { Mixture } from '../../data/targets/targetKind.js';
import type { Random } from '../../random.js';
import { symmetricBeta } from '../beta.js';
import { type ImageLayout, imageLength, stridesOf } from './layout.js';
import type { MixSettings } from './settings.js';

/** Mixes the `batch` images of `input` in place, or leaves them by chance, and says how. */
export function mixBatch(
  input: Float32Array,
  image: ImageLayout,
  batch: number,
  settings: MixSettings,
  random: Random,
): Mixture {
  const weight = random.uniform() < settings.probability ? mixImages(input, image, batch, settings, random) : 1;
  return { weight, labelSmoothing: settings.labelSmoothing };
}

/** The share of every image's own label. */
function mixImages(
  input: Float32Array,
  image: ImageLayout,
  batch: number,
  settings: MixSettings,
  random: Random,
): number {
  const both = settings.mixup > 0 && settings.cutmix > 0;
  const cut = both ? random.uniform() < settings.cutmixProbability : settings.cutmix > 0;
  const weight = symmetricBeta(cut ? settings.cutmix : settings.mixup, random);
  if (!cut) {
    blendWithOpposite(input, imageLength(image), batch, weight);
    return weight;
  }
  const box = randomBox(image, weight, random);
  swapWithOpposite(input, image, batch, box);
  return 1 - ((box.bottom - box.top) * (box.right - box.left)) / (image.height * image.width);
}

/** x_i becomes weight x_i + (1 - weight) x_(B-1-i). */
export function blendWithOpposite(input: Float32Array, length: number, batch: number, weight: number): void {
  for (let i = 0; i < batch >> 1; i++) {
    let a = i * length;
    let b = (batch - 1 - i) * length;
    for (let k = 0; k < length; k++, a++, b++) {
      const [first, second] = [input[a]!, input[b]!];
      input[a] = weight * first + (1 - weight) * second;
      input[b] = weight * second + (1 - weight) * first;
    }
  }
}

/** Inside the box, images i and B - 1 - i change places. */
export function swapWithOpposite(input: Float32Array, image: ImageLayout, batch: number, box: Box): void {
  const strides = stridesOf(image);
  const length = imageLength(image);
  for (let i = 0; i < batch >> 1; i++) {
    const distance = (batch - 1 - 2 * i) * length;
    for (let channel = 0; channel < image.channels; channel++) {
      for (let y = box.top; y < box.bottom; y++) {
        let at = i * length + channel * strides.channel + y * strides.row + box.left * strides.column;
        for (let x = box.left; x < box.right; x++, at += strides.column) {
          const value = input[at]!;
          input[at] = input[at + distance]!;
          input[at + distance] = value;
        }
      }
    }
  }
}

/** A box of 1 - `weight` of the area around a random centre, cut off at the border. */
export function randomBox(
  { height, width }: Pick<ImageLayout, 'height' | 'width'>,
  weight: number,
  random: Random,
): Box {
  const side = Math.sqrt(1 - weight);
  const halfHeight = Math.trunc(height * side) >> 1;
  const halfWidth = Math.trunc(width * side) >> 1;
  const y = random.integer(height);
  const x = random.integer(width);
  return {
    top: Math.max(y - halfHeight, 0),
    bottom: Math.min(y + halfHeight, height),
    left: Math.max(x - halfWidth, 0),
    right: Math.min(x + halfWidth, width),
  };
}
