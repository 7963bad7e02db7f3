import { describe, expect, it } from 'vitest';
import { rotate, type Sampling, shearX, shearY, translateX, translateY } from '../../src/data/augment/affine.js';
import { resizedCrop } from '../../src/data/augment/crop.js';
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
} from '../../src/data/augment/photometric.js';
import type { RgbImage } from '../../src/data/image.js';
import { type ExpectedOperation, expected, generatedImage, sha256 } from './augmentFixture.js';

const photometric = {
  autoContrast,
  equalize,
  invert,
  posterize,
  solarize,
  solarizeAdd,
  adjustColour,
  adjustContrast,
  adjustBrightness,
  adjustSharpness,
};
const geometric = { rotate, shearX, shearY, translateX, translateY };

function apply(image: RgbImage, { operation, argument, interpolation }: ExpectedOperation): RgbImage {
  if (interpolation !== undefined) {
    const sampling: Sampling = { interpolation, fill: expected.fill };
    return geometric[operation as keyof typeof geometric](image, argument, sampling);
  }
  return photometric[operation as keyof typeof photometric](image, argument);
}

const titled = expected.images.map((image) => ({
  ...image,
  title: `a ${image.kind} image of ${image.width} x ${image.height}`,
}));

describe('the operations of RandAugment', () => {
  it.each(titled)('make of $title what Pillow makes of it, byte for byte', (example) => {
    const image = generatedImage(example);
    expect(sha256(image.data)).toBe(example.sha256);
    const different = example.operations.filter(
      (operation) => sha256(apply(image, operation).data) !== operation.sha256,
    );
    expect(different).toEqual([]);
  });

  it('leave the image they are given untouched', () => {
    for (const example of expected.images) {
      const image = generatedImage(example);
      for (const operation of example.operations) apply(image, operation);
      expect(sha256(image.data)).toBe(example.sha256);
    }
  });

  it('are compared on an image that each of them changes', () => {
    const dull = expected.images.find(({ kind, width }) => kind === 'dull' && width === 32)!;
    const changing = dull.operations.filter((operation) => operation.sha256 !== dull.sha256);
    const names = (operations: readonly ExpectedOperation[]) => new Set(operations.map(({ operation }) => operation));
    expect(names(dull.operations).size).toBe(15);
    expect(names(changing)).toEqual(names(dull.operations));
  });
});

describe('a resized crop', () => {
  it.each(expected.resizedCrops)('of $region to $size, $interpolation, is Pillow’s crop and resize', (example) => {
    const [width, height] = example.size;
    const image = generatedImage(expected.images[0]!);
    const crop = resizedCrop(image, example.region, { width, height }, example.interpolation);
    expect(sha256(crop.data)).toBe(example.sha256);
  });
});
