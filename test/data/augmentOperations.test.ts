import { describe, expect, it } from 'vitest';
import {
  rotation,
  shearX,
  shearY,
  transformAffine,
  translationX,
  translationY,
} from '../../src/data/geometry/affine.js';
import { transformImage } from '../../src/data/geometry/image.js';
import type { AffineMatrix } from '../../src/data/geometry/transform.js';
import type { RgbImage } from '../../src/data/image.js';
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
} from '../../src/modalities/image/photometric.js';
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
const geometric: Record<string, (image: RgbImage, argument: number) => AffineMatrix> = {
  rotate: rotation,
  shearX: (_, factor) => shearX(factor),
  shearY: (_, factor) => shearY(factor),
  translateX: translationX,
  translateY: translationY,
};

function apply(image: RgbImage, { operation, argument, interpolation }: ExpectedOperation): RgbImage {
  if (interpolation !== undefined) {
    return transformAffine(image, geometric[operation]!(image, argument), { interpolation, fill: expected.fill });
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
    const { region, interpolation } = example;
    const crop = transformImage(image, {
      steps: [
        { kind: 'cut', from: image, region, border: 'zero' },
        { kind: 'resize', from: region, to: { width, height }, interpolation },
      ],
    });
    expect(sha256(crop.data)).toBe(example.sha256);
  });
});
