/**
 * Random erasing (Zhong et al. 2017) on normalised floats, with timm's parameters: rectangles of random area and aspect ratio
 * are overwritten with normal random numbers, a random colour or zero.
 */
import { uniform } from '../../data/geometry/crop.js';
import { roundHalfEven } from '../../data/rounding.js';
import type { Random } from '../../random.js';
import { type ImageLayout, stridesOf } from './layout.js';
import type { RandomErasingSettings } from './settings.js';

const attempts = 10;

/** A rectangle of pixels and what they become: float32 [channels, height, width]. */
export interface ErasedRectangle {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array;
}

type ImageSize = Pick<ImageLayout, 'height' | 'width' | 'channels'>;

/** With the probability of the settings, what is to be erased of an image of this size; else nothing. */
export function drawErasing(
  image: ImageSize,
  settings: RandomErasingSettings,
  random: Random,
): readonly ErasedRectangle[] {
  if (random.uniform() >= settings.probability) return [];
  const [fewest, most] = settings.count;
  const count = fewest + random.integer(most - fewest + 1);
  const drawn = Array.from({ length: count }, () => drawRectangle(image, settings, count, random));
  return drawn.filter((rectangle) => rectangle !== undefined);
}

/** Undefined when no rectangle of the drawn proportions fits into the image. */
function drawRectangle(
  image: ImageSize,
  settings: RandomErasingSettings,
  count: number,
  random: Random,
): ErasedRectangle | undefined {
  const { area, aspect } = settings;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const target = (uniform(area[0], area[1], random) * image.height * image.width) / count;
    const ratio = Math.exp(uniform(Math.log(aspect[0]), Math.log(aspect[1]), random));
    const height = roundHalfEven(Math.sqrt(target * ratio));
    const width = roundHalfEven(Math.sqrt(target / ratio));
    if (height >= image.height || width >= image.width) continue;
    const top = random.integer(image.height - height + 1);
    const left = random.integer(image.width - width + 1);
    return { top, left, height, width, values: drawFill(image.channels, height * width, settings.fill, random) };
  }
  return undefined;
}

function drawFill(channels: number, pixels: number, kind: RandomErasingSettings['fill'], random: Random): Float32Array {
  const values = new Float32Array(channels * pixels);
  if (kind === 'pixel') for (let i = 0; i < values.length; i++) values[i] = random.normal();
  if (kind === 'colour')
    for (let channel = 0; channel < channels; channel++)
      values.fill(random.normal(), channel * pixels, (channel + 1) * pixels);
  return values;
}

/** Overwrites the rectangles, in place, in the image that begins at `offset` of `values`. */
export function erase(
  values: Float32Array,
  offset: number,
  image: ImageLayout,
  rectangles: readonly ErasedRectangle[],
): void {
  const strides = stridesOf(image);
  for (const { top, left, height, width, values: fill } of rectangles) {
    let from = 0;
    for (let channel = 0; channel < image.channels; channel++) {
      for (let y = top; y < top + height; y++) {
        let at = offset + channel * strides.channel + y * strides.row + left * strides.column;
        for (let x = 0; x < width; x++, at += strides.column) values[at] = fill[from++]!;
      }
    }
  }
}
