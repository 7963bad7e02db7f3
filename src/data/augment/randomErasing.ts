/**
 * Random erasing (Zhong et al. 2017) on normalised floats, with timm's parameters: rectangles of random area and aspect ratio
 * are overwritten with normal random numbers, a random colour or zero.
 */
import type { Random } from '../../random.js';
import { roundHalfEven, uniform } from './crop.js';
import type { RandomErasingSettings } from './settings.js';
import { type ImageLayout, stridesOf } from './tensor.js';

const attempts = 10;

/** Erases, in place and with the probability of the settings, parts of the image that begins at `offset` of `values`. */
export function eraseRandomly(
  values: Float32Array,
  offset: number,
  image: ImageLayout,
  settings: RandomErasingSettings,
  random: Random,
): void {
  if (random.uniform() >= settings.probability) return;
  const [fewest, most] = settings.count;
  const count = fewest + random.integer(most - fewest + 1);
  for (let i = 0; i < count; i++) eraseRectangle(values, offset, image, settings, count, random);
}

function eraseRectangle(
  values: Float32Array,
  offset: number,
  image: ImageLayout,
  settings: RandomErasingSettings,
  count: number,
  random: Random,
): void {
  const { area, aspect } = settings;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const target = (uniform(area[0], area[1], random) * image.height * image.width) / count;
    const ratio = Math.exp(uniform(Math.log(aspect[0]), Math.log(aspect[1]), random));
    const height = roundHalfEven(Math.sqrt(target * ratio));
    const width = roundHalfEven(Math.sqrt(target / ratio));
    if (height >= image.height || width >= image.width) continue;
    const top = random.integer(image.height - height + 1);
    const left = random.integer(image.width - width + 1);
    fill(values, offset, image, { top, left, height, width }, settings.fill, random);
    return;
  }
}

function fill(
  values: Float32Array,
  offset: number,
  image: ImageLayout,
  part: { readonly top: number; readonly left: number; readonly height: number; readonly width: number },
  kind: RandomErasingSettings['fill'],
  random: Random,
): void {
  const strides = stridesOf(image);
  for (let channel = 0; channel < image.channels; channel++) {
    const colour = kind === 'colour' ? random.normal() : 0;
    for (let y = part.top; y < part.top + part.height; y++) {
      let at = offset + channel * strides.channel + y * strides.row + part.left * strides.column;
      for (let x = 0; x < part.width; x++) {
        values[at] = kind === 'pixel' ? random.normal() : colour;
        at += strides.column;
      }
    }
  }
}
