/** A drawn transform applied to the bytes of an image, with the pixels of Pillow and torchvision. Nothing is drawn here. */
import { type RgbImage, rasterOf } from '../image.js';
import { cropFilled, type Region, resizeBicubic, resizeBilinear, resizedPart } from '../resize.js';
import { transformAffine } from './affine.js';
import type { Colour, Cut, GeometricStep, Interpolation, Transform } from './transform.js';

/** The image after all steps; the image itself when there are none. Its bytes are never written to. */
export function transformImage(image: RgbImage, { steps }: Pick<Transform, 'steps'>): RgbImage {
  let result = image;
  for (let i = 0; i < steps.length; i++) {
    const [step, next] = [steps[i]!, steps[i + 1]];
    if (step.kind === 'resize' && next?.kind === 'cut' && next.border !== 'reflect') {
      // Of a resized image only what is kept of it needs to be computed.
      const resize = resizeOf(step.interpolation);
      const part = resizedPart(rasterOf(result), step.to, next.region, resize, colourOf(next.border));
      result = { width: part.width, height: part.height, data: part.data };
      i++;
    } else result = transformOnce(result, step);
  }
  return result;
}

function transformOnce(image: RgbImage, step: GeometricStep): RgbImage {
  switch (step.kind) {
    case 'cut':
      return cut(image, step);
    case 'resize':
      return { ...step.to, data: resizeOf(step.interpolation)(rasterOf(image), step.to).data };
    case 'mirror':
      return flipHorizontally(image);
    case 'affine':
      return transformAffine(image, step.matrix, step.sampling);
  }
}

function resizeOf(interpolation: Interpolation) {
  return interpolation === 'bicubic' ? resizeBicubic : resizeBilinear;
}

function cut(image: RgbImage, { region, border }: Cut): RgbImage {
  if (border === 'reflect') return cutReflected(image, region);
  return {
    width: region.width,
    height: region.height,
    data: cropFilled(rasterOf(image), region, colourOf(border)).data,
  };
}

function colourOf(border: 'zero' | Colour): readonly number[] {
  return border === 'zero' ? [] : border;
}

function cutReflected({ width, height, data }: RgbImage, region: Region): RgbImage {
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
