/**
 * Random crops and mirror images of RGB bytes, with the parameters and distributions of torchvision's RandomCrop,
 * RandomResizedCrop (the crop of Szegedy et al. 2015) and RandomHorizontalFlip. The random numbers are our own stream.
 */
import type { Random } from '../../random.js';
import { DataError } from '../errors.js';
import { type RgbImage, rasterOf } from '../image.js';
import { cropWithBlack, type Region, resizeBicubic, resizeBilinear, type Size } from '../resize.js';
import type { CropSettings } from './settings.js';

type PaddedCrop = Extract<CropSettings, { kind: 'padded' }>;
type ResizedCrop = Extract<CropSettings, { kind: 'resized' }>;

/**
 * A crop of `size` at a random place of the image widened by `padding` on every side. Throws DataError when the widened image
 * is smaller than the crop, or reflection would need more pixels than there are.
 */
export function padAndCrop(image: RgbImage, settings: PaddedCrop, size: Size, random: Random): RgbImage {
  const { padding, border } = settings;
  const room = { width: image.width + 2 * padding - size.width, height: image.height + 2 * padding - size.height };
  if (room.width < 0 || room.height < 0) {
    throw new DataError(
      `an image of ${image.width} x ${image.height} pixels with ${padding} pixels around it is smaller than the crop of ` +
        `${size.width} x ${size.height}; use more padding, a smaller crop, or crop kind "resized"`,
    );
  }
  const top = random.integer(room.height + 1) - padding;
  const left = random.integer(room.width + 1) - padding;
  const region = { left, top, width: size.width, height: size.height };
  if (border === 'reflect') return cropReflected(image, region, padding);
  return { width: size.width, height: size.height, data: cropWithBlack(rasterOf(image), region).data };
}

function cropReflected(image: RgbImage, region: Region, padding: number): RgbImage {
  const { width, height, data } = image;
  if (padding >= width || padding >= height) {
    throw new DataError(
      `an image of ${width} x ${height} pixels cannot be reflected by ${padding} pixels; padding must be smaller than both sides`,
    );
  }
  const output = new Uint8Array(region.width * region.height * 3);
  let to = 0;
  for (let y = 0; y < region.height; y++) {
    const row = reflected(region.top + y, height) * width;
    for (let x = 0; x < region.width; x++) {
      const from = (row + reflected(region.left + x, width)) * 3;
      output[to++] = data[from]!;
      output[to++] = data[from + 1]!;
      output[to++] = data[from + 2]!;
    }
  }
  return { width: region.width, height: region.height, data: output };
}

/** The border pixel itself is not repeated: position -1 is pixel 1. */
function reflected(position: number, size: number): number {
  if (position < 0) return -position;
  return position < size ? position : 2 * (size - 1) - position;
}

const attempts = 10;

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

/** A random part of the image, resized to `size`. */
export function randomResizedCrop(image: RgbImage, settings: ResizedCrop, size: Size, random: Random): RgbImage {
  return resizedCrop(image, randomRegion(image, settings, random), size, settings.interpolation);
}

/** The part of the image in `region`, which is cut out before it is resized: pixels around it have no influence. */
export function resizedCrop(
  image: RgbImage,
  region: Region,
  size: Size,
  interpolation: ResizedCrop['interpolation'],
): RgbImage {
  const part = cropWithBlack(rasterOf(image), region);
  const resize = interpolation === 'bicubic' ? resizeBicubic : resizeBilinear;
  return { width: size.width, height: size.height, data: resize(part, size).data };
}

/** The mirror image. */
export function flipHorizontally(image: RgbImage): RgbImage {
  const { width, height, data } = image;
  const output = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let from = ((y + 1) * width - 1) * 3; from >= y * width * 3; from -= 3) {
      output[to++] = data[from]!;
      output[to++] = data[from + 1]!;
      output[to++] = data[from + 2]!;
    }
  }
  return { width, height, data: output };
}

/** Uniform between two numbers. */
export function uniform(from: number, to: number, random: Random): number {
  return from + (to - from) * random.uniform();
}

/** Python's `round`. */
export function roundHalfEven(value: number): number {
  const nearest = Math.round(value);
  return value - Math.floor(value) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}
