/** What segmentation needs of images: the whole of them in a frame of any proportions, and random scales with crops around which there is nothing. */
import { describe, expect, it } from 'vitest';
import { transformImage } from '../../src/data/geometry/image.js';
import { transformMask } from '../../src/data/geometry/mask.js';
import type { Cut, Resize, Transform } from '../../src/data/geometry/transform.js';
import type { RgbImage } from '../../src/data/image.js';
import {
  cropPixels,
  imagenetPreprocessing,
  type PreprocessSettings,
  parsePreprocessSettings,
  preprocess,
  preprocessedLength,
} from '../../src/data/preprocess.js';
import { resizeBicubic, type Size } from '../../src/data/resize.js';
import { randomFor } from '../../src/data/seed.js';
import { applySteps, drawSteps, geometryOf } from '../../src/modalities/image/augment.js';
import { imageInput } from '../../src/modalities/image/imageInput.js';
import { parseAugmentation } from '../../src/modalities/image/settings.js';

const fitting = (height: number, width: number): PreprocessSettings => ({
  ...imagenetPreprocessing,
  resize: 'fit',
  crop: [height, width],
});

/** ImageNet's mean in bytes. */
const mean = [124, 116, 104];

function noise({ width, height }: Size): RgbImage {
  const random = randomFor('sample', width, height);
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.integer(256)) };
}

function pixel({ width, data }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

function isMean(image: RgbImage, x: number, y: number): boolean {
  return pixel(image, x, y).join() === mean.join();
}

describe('an image that is made to fit', () => {
  it('stays as it is when it has the size', () => {
    const image = noise({ width: 24, height: 18 });
    expect(cropPixels(image, fitting(18, 24))).toEqual(image.data);
  });

  it.each([
    [
      { width: 48, height: 18 },
      { left: 0, top: 4, width: 24, height: 9 },
    ],
    [
      { width: 9, height: 36 },
      { left: 9, top: 0, width: 5, height: 18 },
    ],
    [
      { width: 8, height: 6 },
      { left: 0, top: 0, width: 24, height: 18 },
    ],
    [
      { width: 1, height: 4000 },
      { left: 11, top: 0, width: 1, height: 18 },
    ],
  ])('of %j is seen as a whole, with the mean colour around it', (from, inside) => {
    const image = noise(from);
    const size = { width: 24, height: 18 };
    const made = { ...size, data: cropPixels(image, fitting(18, 24)) };
    const whole = { width: inside.width, height: inside.height };
    const expected = { ...whole, data: resizeBicubic({ ...image, channels: 3 }, whole).data };
    for (let y = 0; y < size.height; y++) {
      for (let x = 0; x < size.width; x++) {
        const [u, v] = [x - inside.left, y - inside.top];
        const isInside = u >= 0 && u < whole.width && v >= 0 && v < whole.height;
        expect(pixel(made, x, y)).toEqual(isInside ? pixel(expected, u, v) : mean);
      }
    }
  });

  it('has next to nothing for the network where it does not reach', () => {
    const floats = preprocess(noise({ width: 48, height: 18 }), fitting(18, 24));
    // Half a byte is 1 / 510, divided by the deviation.
    for (const at of [0, 18 * 24, 2 * 18 * 24]) expect(Math.abs(floats[at]!)).toBeLessThanOrEqual(1 / 510 / 0.224);
  });

  it('is the same for evaluation, for training without chance, and for its mask', () => {
    const image = noise({ width: 50, height: 20 });
    const settings = fitting(18, 24);
    const steps = drawSteps(image, parseAugmentation({}), settings, randomFor('sample', 1));
    expect(applySteps(image, steps).data).toEqual(cropPixels(image, settings));
    const mask = { width: 50, height: 20, data: new Uint8Array(1000).fill(7) };
    const moved = transformMask(mask, geometryOf(image, steps));
    const shown = applySteps(image, steps);
    expect([...moved.data]).toEqual(
      Array.from({ length: 18 * 24 }, (_, i) => (isMean(shown, i % 24, Math.floor(i / 24)) ? 255 : 7)),
    );
  });

  it('may be asked for in settings from outside, and for another size of the input', () => {
    const settings = parsePreprocessSettings(JSON.parse(JSON.stringify(fitting(180, 240))), 'test');
    expect(settings).toEqual(fitting(180, 240));
    expect(preprocessedLength(settings)).toBe(3 * 180 * 240);
    expect(imageInput.resized(settings, 96)).toEqual(fitting(96, 96));
    expect(() => parsePreprocessSettings({ ...settings, resize: 'fill' }, 'test')).toThrow(/wrong at resize/);
  });
});

describe('a scaled crop', () => {
  const from = { width: 48, height: 36 };
  const image = noise(from);
  const settings = { ...fitting(18, 24), resize: null };
  const augmentation = parseAugmentation({ crop: { kind: 'scaled' } });
  const drawn = Array.from({ length: 300 }, (_, i): Transform => {
    return geometryOf(from, drawSteps(from, augmentation, settings, randomFor('sample', 2, i)));
  });
  const parts = drawn.map(({ steps }) => steps as [Resize, Cut]);

  it('scales the whole image by all factors of its range, both sides alike', () => {
    const factors = parts.map(([{ to }]) => to.width / from.width);
    expect(Math.min(...factors)).toBeGreaterThan(0.49);
    expect(Math.min(...factors)).toBeLessThan(0.53);
    expect(Math.max(...factors)).toBeLessThan(2.01);
    expect(Math.max(...factors)).toBeGreaterThan(1.95);
    for (const [{ to }] of parts) expect(Math.abs(to.height - to.width * 0.75)).toBeLessThanOrEqual(1);
  });

  it('is of the input’s size and shows the resized image, and the mean colour where that does not reach', () => {
    const steps = drawSteps(
      from,
      parseAugmentation({ crop: { kind: 'scaled', scale: [0.3, 0.6] } }),
      settings,
      randomFor('sample', 4),
    );
    const [{ to }, { region }] = steps as [Resize, Cut];
    const whole = { ...to, data: resizeBicubic({ ...image, channels: 3 }, to).data };
    const made = applySteps(image, steps);
    expect([made.width, made.height]).toEqual([24, 18]);
    for (let y = 0; y < 18; y++) {
      for (let x = 0; x < 24; x++) {
        const [u, v] = [x + region.left, y + region.top];
        const isInside = u >= 0 && u < to.width && v >= 0 && v < to.height;
        expect(pixel(made, x, y)).toEqual(isInside ? pixel(whole, u, v) : mean);
      }
    }
  });

  it('lies anywhere in a larger image, and has a smaller one anywhere in it', () => {
    const larger = parts.filter(([{ to }]) => to.width > 80);
    expect(new Set(larger.map(([, { region }]) => region.left)).size).toBeGreaterThan(20);
    for (const [{ to }, { region }] of parts) {
      expect(region.left).toBeGreaterThanOrEqual(Math.min(0, to.width - 24));
      expect(region.left).toBeLessThanOrEqual(Math.max(0, to.width - 24));
      expect(region.top).toBeGreaterThanOrEqual(Math.min(0, to.height - 18));
      expect(region.top).toBeLessThanOrEqual(Math.max(0, to.height - 18));
    }
  });

  it('has no class in a mask exactly where the image does not reach', () => {
    const small = { width: 6, height: 50 };
    const settings = { ...fitting(18, 24), resize: null };
    const picture = { ...small, data: new Uint8Array(900).fill(9) };
    const mask = { ...small, data: new Uint8Array(300).fill(3) };
    for (let i = 0; i < 20; i++) {
      const steps = drawSteps(small, augmentation, settings, randomFor('sample', 5, i));
      const shown = transformImage(picture, { steps: geometryOf(small, steps).steps });
      const { data } = transformMask(mask, geometryOf(small, steps));
      expect([...data]).toEqual(
        Array.from({ length: 18 * 24 }, (_, at) => (isMean(shown, at % 24, Math.floor(at / 24)) ? 255 : 3)),
      );
    }
  });

  it('scales from the size that evaluation gives the image', () => {
    const steps = drawSteps(
      from,
      parseAugmentation({ crop: { kind: 'scaled', scale: [1, 1] } }),
      fitting(18, 24),
      randomFor('sample', 6),
    );
    const shown = applySteps(image, steps);
    expect(shown.data).toEqual(cropPixels(image, fitting(18, 24)));
  });

  it('takes scales of which the first is not larger than the second', () => {
    expect(() => parseAugmentation({ crop: { kind: 'scaled', scale: [2, 0.5] } })).toThrow(/crop\.scale/);
  });
});
