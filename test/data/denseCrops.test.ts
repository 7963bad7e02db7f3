/** What segmentation needs of images: the whole of them in a frame of any proportions, and random scales with crops around which there is nothing. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { labelledImages } from '../../src/data/datasets/images.js';
import { transformImage } from '../../src/data/geometry/image.js';
import { type ClassMask, transformMask } from '../../src/data/geometry/mask.js';
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
import { openSegmentation } from '../../src/data/segmentation/openSegmentation.js';
import { maskTargets } from '../../src/data/targets/masks.js';
import { createLoader } from '../../src/loader/loader.js';
import { workerEntry } from '../../src/loader/workerPool.js';
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

describe('a scaled crop that avoids one class', () => {
  const from = { width: 60, height: 40 };
  const settings = { ...fitting(16, 16), resize: null };
  const augmentation = parseAugmentation({ crop: { kind: 'scaled', mostOfOneClass: 0.75 } });
  /** Of mmsegmentation's lines: np.unique with counts, ignored ones left out, more than one, max / sum. */
  const share = ({ data }: Pick<ClassMask, 'data'>) => {
    const counts = new Map<number, number>();
    for (const number of data) if (number !== 255) counts.set(number, (counts.get(number) ?? 0) + 1);
    const all = [...counts.values()];
    return all.length > 1 ? Math.max(...all) / all.reduce((a, b) => a + b) : 1;
  };
  const masked = (classAt: (x: number, y: number) => number): ClassMask => ({
    ...from,
    data: Uint8Array.from({ length: 60 * 40 }, (_, i) => classAt(i % 60, Math.floor(i / 60))),
  });
  const drawn = (mask: ClassMask | undefined, i: number) => {
    const random = randomFor('sample', 6, i);
    const look = mask && ((transform: Transform) => maskTargets.largestShare!(transformMask(mask, transform)));
    return { steps: drawSteps(from, augmentation, settings, random, look), next: random.bits() };
  };

  it.each([
    [[0, 0, 0, 1], 0.75],
    [[0, 255, 255, 1], 0.5],
    [[2, 2, 2, 2], 1],
    [[255, 255, 7, 255], 1],
    [[255, 255], 1],
    [[1, 2, 3, 3], 0.5],
  ])('knows the share of the commonest class of %j', (numbers, expected) => {
    const data = Uint8Array.from(numbers);
    expect(maskTargets.largestShare!({ width: numbers.length, height: 1, data })).toBe(expected);
    expect(share({ data })).toBe(expected);
  });

  it('takes the first of ten places that shows less of one class, else the eleventh', () => {
    // A road with a thin stripe: most places show nothing but road.
    const mask = masked((x) => (x > 50 && x < 56 ? 1 : 0));
    let [first, later, none] = [0, 0, 0];
    for (let i = 0; i < 400; i++) {
      const { steps } = drawn(mask, i);
      const random = randomFor('sample', 6, i);
      const factor = 0.5 + 1.5 * random.uniform();
      const to = { width: Math.round(60 * factor), height: Math.round(40 * factor) };
      const places = Array.from({ length: 11 }, () => {
        const top = random.integer(to.height - 16 + 1);
        return { top, left: random.integer(to.width - 16 + 1), width: 16, height: 16 };
      });
      const [resize, cut] = steps as [Resize, Cut];
      expect(resize.to).toEqual(to);
      const shares = places.map((region) => share(transformMask(mask, { from, steps: [resize, { ...cut, region }] })));
      const found = shares.slice(0, 10).findIndex((value) => value < 0.75);
      expect(cut.region).toEqual(places[found < 0 ? 10 : found]);
      if (found === 0) first++;
      else if (found > 0) later++;
      else none++;
    }
    // All three happen.
    expect(Math.min(first, later, none)).toBeGreaterThan(10);
  });

  it('draws as many numbers whatever the mask shows', () => {
    const [striped, even] = [masked((x) => x % 2), masked(() => 3)];
    for (let i = 0; i < 20; i++) {
      expect(drawn(striped, i).next).toBe(drawn(even, i).next);
      expect(drawn(undefined, i).next).toBe(drawn(even, i).next);
      // Where all places will do, the first is taken.
      expect(drawn(striped, i).steps).toEqual(drawn(undefined, i).steps);
    }
  });

  it('is nothing to ask where targets are no masks', () => {
    const dataset = labelledImages({
      name: 'noise',
      classes: ['a'],
      labels: Int32Array.of(0),
      store: { kind: 'pixels', height: 40, width: 60, channels: 3, pixels: new Uint8Array(7200) },
    });
    const crop = { kind: 'scaled', mostOfOneClass: 0.75 } as const;
    expect(() =>
      createLoader(dataset, { batchSize: 1, workers: 0, preprocessing: settings, augmentation: { crop } }),
    ).toThrow(/^noise: crops can avoid one class where targets are masks, these are classes; leave mostOfOneClass out/);
  });
});

describe('a loader of images with masks', () => {
  it('crops by what masks show, and gives the same batches with workers and from the middle of an epoch', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spikeformer-crops-'));
    try {
      const size = { width: 60, height: 40 };
      for (const part of ['train', 'trainannot']) await mkdir(join(folder, part));
      await writeFile(join(folder, 'classes.json'), JSON.stringify({ classes: ['road', 'stripe'], void_id: 2 }));
      for (let i = 0; i < 6; i++) {
        await sharp(noise(size).data, { raw: { ...size, channels: 3 } })
          .png()
          .toFile(join(folder, 'train', `${i}.png`));
        const mask = Uint8Array.from({ length: 2400 }, (_, p) => (p % 60 > 40 + i && p % 60 < 54 ? 1 : 0));
        await sharp(mask, { raw: { ...size, channels: 1 } })
          .toColourspace('b-w')
          .png()
          .toFile(join(folder, 'trainannot', `${i}.png`));
      }
      const dataset = await openSegmentation(folder, { split: 'train' });
      const batches = async (crop: object, workers: number, batch = 0) => {
        const augmentation = { crop: { kind: 'scaled', ...crop }, colour: {} } as const;
        const preprocessing = { ...fitting(16, 16), resize: null };
        const loader = createLoader(dataset, { batchSize: 2, seed: 3, workers, preprocessing, augmentation });
        const made: { readonly input: Float32Array; readonly labels: Int32Array }[] = [];
        try {
          for await (const { input, labels } of loader.epoch(1, { batch })) made.push({ input, labels });
        } finally {
          await loader.close();
        }
        return made;
      };
      const avoiding = await batches({ mostOfOneClass: 0.75 }, 0);
      expect(await batches({ mostOfOneClass: 0.75 }, 0, 1)).toEqual(avoiding.slice(1));
      if (workerEntry()) expect(await batches({ mostOfOneClass: 0.75 }, 1)).toEqual(avoiding);
      const stripes = (made: typeof avoiding) =>
        made.flatMap(({ labels }) => [...labels]).filter((label) => label === 1).length;
      expect(stripes(avoiding)).toBeGreaterThan(stripes(await batches({}, 0)));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
