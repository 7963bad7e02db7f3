/**
 * Drawing of turns, crops and mirror images, with the parameters and distributions of torchvision's RandomCrop, RandomResizedCrop (the crop of
 * Szegedy et al. 2015) and RandomHorizontalFlip, and of the random scale with a crop that segmentation is trained with. The random numbers
 * are our own stream. Nothing is applied here.
 */
import type { Random } from '../../random.js';
import { DataError } from '../errors.js';
import { meanColour, type PreprocessSettings, resizedSize } from '../preprocess.js';
import { centreCropRegion, type Region, type Size } from '../resize.js';
import { roundHalfEven } from '../rounding.js';
import { rotation } from './affine.js';
import type { CropSettings, PaddedCrop, ResizedCrop, ScaledCrop } from './settings.js';
import type { Affine, Colour, GeometricStep, Mirror, Transform } from './transform.js';

/** Of places that are looked for. */
const attempts = 10;

/** The share that the commonest class has of the pixels that have one, once an image is transformed so; 1 where there are not two classes. */
export type LargestShare = (transform: Transform) => number;

/** The part of an image of size `from` that becomes the input. Throws DataError when the settings do not fit the image. */
export function drawCrop(
  from: Size,
  settings: CropSettings,
  preprocessing: PreprocessSettings,
  random: Random,
  largestShare?: LargestShare,
): readonly GeometricStep[] {
  const [height, width] = preprocessing.crop;
  switch (settings.kind) {
    case 'centre':
      return centreCrop(from, preprocessing);
    case 'padded':
      return drawPaddedCrop(from, settings, { width, height }, random);
    case 'resized':
      return drawResizedCrop(from, settings, { width, height }, random);
    case 'scaled':
      return drawScaledCrop(from, settings, preprocessing, random, largestShare);
  }
}

/** As in evaluation: the image is resized, the centre is kept. No chance. */
export function centreCrop(from: Size, preprocessing: PreprocessSettings): readonly GeometricStep[] {
  const { resize, crop, interpolation } = preprocessing;
  const [height, width] = crop;
  const to = resizedSize(from, preprocessing);
  const border = resize === 'fit' ? meanColour(preprocessing) : 'zero';
  const cut = { kind: 'cut', from: to, region: centreCropRegion(to, { width, height }), border } as const;
  return resize === null ? [cut] : [{ kind: 'resize', from, to, interpolation }, cut];
}

/**
 * The whole image as evaluation resizes it, times a random factor, and a part of the input's size at a random place of it. Of a side that is
 * shorter than the input's all is kept, at a random place, and the mean colour around it. With `mostOfOneClass` up to ten places are tried, as in mmsegmentation's
 * RandomCrop (`cat_max_ratio`), and where none will do an eleventh is taken as it is. How many numbers are drawn depends on the settings alone.
 */
export function drawScaledCrop(
  from: Size,
  { scale, interpolation, mostOfOneClass }: ScaledCrop,
  preprocessing: PreprocessSettings,
  random: Random,
  largestShare?: LargestShare,
): readonly GeometricStep[] {
  const [height, width] = preprocessing.crop;
  const base = resizedSize(from, preprocessing);
  const factor = uniform(scale[0], scale[1], random);
  const scaled = (side: number) => Math.max(1, Math.round(side * factor));
  const to = { width: scaled(base.width), height: scaled(base.height) };
  const border = meanColour(preprocessing);
  const places = Array.from(
    { length: mostOfOneClass === undefined ? 1 : attempts + 1 },
    (): readonly GeometricStep[] => {
      const top = drawOffset(to.height - height, random);
      const left = drawOffset(to.width - width, random);
      return [
        { kind: 'resize', from, to, interpolation },
        { kind: 'cut', from: to, region: { left, top, width, height }, border },
      ];
    },
  );
  if (mostOfOneClass === undefined || !largestShare) return places[0]!;
  const fits = (steps: readonly GeometricStep[]) => largestShare({ from, steps }) < mostOfOneClass;
  return places.slice(0, attempts).find(fits) ?? places[attempts]!;
}

/** From 0 to `room`, both included, or from `room` to 0 where it is negative. */
function drawOffset(room: number, random: Random): number {
  const drawn = random.integer(Math.abs(room) + 1);
  return room < 0 ? -drawn : drawn;
}

/**
 * A crop of `size` at a random place of the image widened by `padding` on every side. Throws DataError when the widened image
 * is smaller than the crop, or reflection would need more pixels than there are.
 */
export function drawPaddedCrop(
  from: Size,
  { padding, border }: PaddedCrop,
  size: Size,
  random: Random,
): readonly GeometricStep[] {
  const room = { width: from.width + 2 * padding - size.width, height: from.height + 2 * padding - size.height };
  if (room.width < 0 || room.height < 0) {
    throw new DataError(
      `an image of ${from.width} x ${from.height} pixels with ${padding} pixels around it is smaller than the crop of ` +
        `${size.width} x ${size.height}; use more padding, a smaller crop, or crop kind "resized"`,
    );
  }
  if (border === 'reflect' && (padding >= from.width || padding >= from.height)) {
    throw new DataError(
      `an image of ${from.width} x ${from.height} pixels cannot be reflected by ${padding} pixels; padding must be smaller than both sides`,
    );
  }
  const top = random.integer(room.height + 1) - padding;
  const left = random.integer(room.width + 1) - padding;
  return [{ kind: 'cut', from, region: { left, top, width: size.width, height: size.height }, border }];
}

/** A random part of the image, cut out and then resized to `to`: pixels around it have no influence. */
export function drawResizedCrop(from: Size, settings: ResizedCrop, to: Size, random: Random): readonly GeometricStep[] {
  const region = randomRegion(from, settings, random);
  const part = { width: region.width, height: region.height };
  return [
    { kind: 'cut', from, region, border: 'zero' },
    { kind: 'resize', from: part, to, interpolation: settings.interpolation },
  ];
}

/** A mirror image with this probability. One number is drawn in any case, so that other augmentations stay as they were without it. */
export function drawMirror(from: Size, probability: number, random: Random): readonly Mirror[] {
  return random.uniform() < probability ? [{ kind: 'mirror', from }] : [];
}

/** A turn around the centre by up to `largest` degrees either way, in the frame of the image. No number is drawn when there is none. */
export function drawRotation(from: Size, largest: number, fill: Colour, random: Random): readonly Affine[] {
  if (largest === 0) return [];
  const matrix = rotation(from, uniform(-largest, largest, random));
  return [{ kind: 'affine', from, matrix, sampling: { interpolation: 'bilinear', fill } }];
}

/** Where RandomResizedCrop cuts: ten attempts at a part of random area and aspect ratio, else the largest central part. */
export function randomRegion(size: Size, settings: ResizedCrop, random: Random): Region {
  const { width, height } = size;
  const [lowest, highest] = settings.ratio;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const area = width * height * uniform(settings.scale[0], settings.scale[1], random);
    const aspect = Math.exp(uniform(Math.log(lowest), Math.log(highest), random));
    const part = { width: roundHalfEven(Math.sqrt(area * aspect)), height: roundHalfEven(Math.sqrt(area / aspect)) };
    if (part.width > 0 && part.width <= width && part.height > 0 && part.height <= height) {
      const top = random.integer(height - part.height + 1);
      const left = random.integer(width - part.width + 1);
      return { left, top, ...part };
    }
  }
  return centralRegion(size, lowest, highest);
}

function centralRegion({ width, height }: Size, lowest: number, highest: number): Region {
  const part = { width, height };
  if (width / height < lowest) part.height = Math.max(roundHalfEven(width / lowest), 1);
  else if (width / height > highest) part.width = Math.max(roundHalfEven(height * highest), 1);
  return { left: Math.floor((width - part.width) / 2), top: Math.floor((height - part.height) / 2), ...part };
}

/** Uniform between two numbers. */
export function uniform(from: number, to: number, random: Random): number {
  return from + (to - from) * random.uniform();
}
