import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/data/errors.js';
import { drawPaddedCrop, randomRegion } from '../../src/data/geometry/crop.js';
import { flipHorizontally, transformImage } from '../../src/data/geometry/image.js';
import type { PaddedCrop } from '../../src/data/geometry/settings.js';
import type { RgbImage } from '../../src/data/image.js';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import type { Size } from '../../src/data/resize.js';
import { randomFor } from '../../src/data/seed.js';
import { mixedLabels } from '../../src/data/targets/classes.js';
import { symmetricBeta } from '../../src/modalities/beta.js';
import { applySteps, drawSteps } from '../../src/modalities/image/augment.js';
import type { ImageLayout } from '../../src/modalities/image/layout.js';
import { mixBatch, randomBox } from '../../src/modalities/image/mix.js';
import { drawRandAugment, increasingOperations, parseRandAugment } from '../../src/modalities/image/randAugment.js';
import { drawErasing, erase } from '../../src/modalities/image/randomErasing.js';
import { augmentationSchema, parseAugmentation } from '../../src/modalities/image/settings.js';
import type { Random } from '../../src/random.js';
import { expected, generatedImage } from './augmentFixture.js';

const complete = augmentationSchema.parse({
  crop: { kind: 'resized' },
  randAugment: {},
  randomErasing: { probability: 1 },
  mix: { mixup: 0.8, cutmix: 1 },
});
const erasing = complete.randomErasing!;
const mix = complete.mix!;
const square: ImageLayout = { layout: 'channelsFirst', height: 32, width: 32, channels: 3 };

const random = (place: number) => randomFor('sample', 7, place);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const times = <Result>(count: number, work: (i: number) => Result) => Array.from({ length: count }, (_, i) => work(i));

/** Pixel (x, y) holds x, y and 255. */
function coordinates(width: number, height: number): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return [pixel % width, Math.floor(pixel / width), 255][i % 3]!;
  });
  return { width, height, data };
}

const pixelAt = ({ width, data }: RgbImage, x: number, y: number) => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

function padAndCrop(image: RgbImage, settings: PaddedCrop, size: Size, generator: Random): RgbImage {
  return transformImage(image, { steps: drawPaddedCrop(image, settings, size, generator) });
}

describe('rotation', () => {
  const steps = (rotation: number | undefined, i: number) =>
    drawSteps(
      { width: 9, height: 9 },
      augmentationSchema.parse({ crop: { kind: 'padded', padding: 2 }, horizontalFlip: 0.5, rotation }),
      plainPreprocessing(9, { mean: [0.5, 0.5, 0.5], std: [1, 1, 1] }),
      random(i),
    );
  const degreesOf = (drawn: ReturnType<typeof steps>) => {
    const [turn] = drawn;
    if (turn?.kind !== 'affine') throw new Error('the first step is no turn');
    return (Math.atan2(turn.matrix[1], turn.matrix[0]) * -180) / Math.PI;
  };

  it('turns by every angle within the limit, either way, around the centre, before the crop', () => {
    const degrees = times(2000, (i) => degreesOf(steps(30, i)));
    expect(Math.min(...degrees)).toBeGreaterThan(-30);
    expect(Math.min(...degrees)).toBeLessThan(-29.5);
    expect(Math.max(...degrees)).toBeLessThan(30);
    expect(Math.max(...degrees)).toBeGreaterThan(29.5);
    expect(Math.abs(mean(degrees))).toBeLessThan(2);
    const [turn] = steps(30, 0);
    const turned = applySteps(coordinates(9, 9), [turn!]);
    expect(pixelAt(turned, 4, 4)).toEqual([4, 4, 255]);
    // A corner that comes from outside has the mean colour.
    const corners = times(50, (i) => applySteps(coordinates(9, 9), [steps(30, i)[0]!])).map((image) =>
      pixelAt(image, 0, 0),
    );
    expect(corners.some((pixel) => pixel.every((value) => value === 128))).toBe(true);
  });

  it('leaves what else is drawn as it is without it', () => {
    for (let i = 0; i < 50; i++) {
      expect(steps(30, i).slice(1)).toEqual(steps(undefined, i));
      expect(steps(0, i)).toEqual(steps(undefined, i));
    }
  });
});

describe('pad and crop', () => {
  const size = { width: 8, height: 8 };

  it('puts black around the image and cuts at every place equally often', () => {
    const places = new Map<string, number>();
    for (let i = 0; i < 8100; i++) {
      const crop = padAndCrop(coordinates(8, 8), { kind: 'padded', padding: 4, border: 'zero' }, size, random(i));
      const inside = times(64, (pixel) => pixelAt(crop, pixel % 8, pixel >> 3)).findIndex((pixel) => pixel[2] === 255);
      const [x, y] = pixelAt(crop, inside % 8, inside >> 3);
      const place = `${x! - (inside % 8)},${y! - (inside >> 3)}`;
      places.set(place, (places.get(place) ?? 0) + 1);
    }
    expect(places.size).toBe(81);
    // 100 are expected at each of the 81 places; five standard deviations are 50.
    expect(Math.min(...places.values())).toBeGreaterThan(50);
    expect(Math.max(...places.values())).toBeLessThan(150);
  });

  it('reflects without repeating the border pixel', () => {
    for (let i = 0; i < 200; i++) {
      const crop = padAndCrop(coordinates(8, 8), { kind: 'padded', padding: 4, border: 'reflect' }, size, random(i));
      const columns = times(8, (x) => pixelAt(crop, x, 0)[0]!);
      const padded = [4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3].join();
      expect(padded).toContain(columns.join());
      expect(new Set(times(8, (y) => pixelAt(crop, 0, y)[1])).size).toBeGreaterThan(3);
    }
  });

  it('refuses a crop that is larger than the padded image, and a reflection wider than it', () => {
    const settings = { kind: 'padded', padding: 1, border: 'zero' } as const;
    expect(() => padAndCrop(coordinates(4, 8), settings, size, random(0))).toThrow(/4 x 8 pixels with 1 pixels around/);
    const reflect = { kind: 'padded', padding: 8, border: 'reflect' } as const;
    expect(() => padAndCrop(coordinates(8, 8), reflect, size, random(0))).toThrow(DataError);
  });
});

describe('a mirror image', () => {
  it('has the columns in reverse, and mirrored again is the image', () => {
    const image = coordinates(5, 3);
    const mirrored = flipHorizontally(image);
    expect(times(5, (x) => pixelAt(mirrored, x, 1))).toEqual(times(5, (x) => [4 - x, 1, 255]));
    expect(flipHorizontally(mirrored)).toEqual(image);
  });
});

describe('a random resized crop', () => {
  const crop = complete.crop.kind === 'resized' ? complete.crop : undefined;

  it('has torchvision’s parameters by default', () => {
    expect(crop).toEqual({ kind: 'resized', scale: [0.08, 1], ratio: [3 / 4, 4 / 3], interpolation: 'bicubic' });
  });

  it('lies in the image, with areas and aspect ratios from the whole of their ranges', () => {
    const regions = times(3000, (i) => randomRegion({ width: 200, height: 160 }, crop!, random(i)));
    expect(regions.every(({ left, width }) => left >= 0 && left + width <= 200)).toBe(true);
    expect(regions.every(({ top, height }) => top >= 0 && top + height <= 160)).toBe(true);
    const areas = regions.map(({ width, height }) => (width * height) / 32_000);
    const aspects = regions.map(({ width, height }) => Math.log(width / height));
    expect(Math.min(...areas)).toBeGreaterThan(0.078);
    expect(Math.min(...areas)).toBeLessThan(0.09);
    expect(Math.max(...areas)).toBeGreaterThan(0.95);
    expect(Math.min(...aspects)).toBeGreaterThan(Math.log(3 / 4) - 0.02);
    expect(Math.max(...aspects)).toBeLessThan(Math.log(4 / 3) + 0.02);
  });

  it('falls back to the largest central part of an image that is too narrow', () => {
    expect(randomRegion({ width: 4, height: 400 }, { ...crop!, scale: [1, 1] }, random(0))).toEqual({
      left: 0,
      top: 197,
      width: 4,
      height: 5,
    });
  });
});

describe('RandAugment', () => {
  it('reads timm’s notation, and refuses what it would do differently', () => {
    expect(parseRandAugment('rand-m9-mstd0.5-inc1')).toEqual(complete.randAugment);
    expect(parseRandAugment('rand-m7-n3-p0.3-inc1')).toMatchObject({ magnitude: 7, layers: 3, probability: 0.3 });
    expect(() => parseRandAugment('rand-m9-mstd0.5')).toThrow(/expected a form like rand-m9-mstd0.5-inc1/);
    expect(() => parseRandAugment('rand-m9-w0-inc1')).toThrow(/unknown part "w0"/);
    expect(() => parseRandAugment('augmix-m3')).toThrow(DataError);
  });

  it('uses the fifteen operations of timm’s increasing list', () => {
    expect(increasingOperations.map(({ name }) => name).join(' ')).toBe(
      'AutoContrast Equalize Invert Rotate Posterize Solarize SolarizeAdd Color Contrast Brightness Sharpness ShearX ShearY TranslateX TranslateY',
    );
  });

  it('leaves the quarter of images alone for which neither of two operations is chosen', () => {
    const image = generatedImage(expected.images.find(({ kind, width }) => kind === 'dull' && width === 32)!);
    const untouched = times(
      2000,
      (i) => drawRandAugment(image, complete.randAugment!, [1, 2, 3], random(i)).length === 0,
    );
    // Four standard deviations of 2,000 throws are 0.04.
    expect(Math.abs(mean(untouched.map(Number)) - 0.25)).toBeLessThan(0.04);
  });

  it('grows more severe with the magnitude', () => {
    const image = generatedImage(expected.images.find(({ kind, width }) => kind === 'dull' && width === 32)!);
    const change = (name: string, strength: number) => {
      const operation = increasingOperations.find((candidate) => candidate.name === name)!;
      const sampling = { interpolation: 'bicubic', fill: [0, 0, 0] } as const;
      const { data } = applySteps(image, [operation.draw(strength, random(1), image, sampling)]);
      return mean([...data].map((value, i) => Math.abs(value - image.data[i]!)));
    };
    for (const { name } of increasingOperations.slice(3))
      expect(change(name, 0.9), name).toBeGreaterThan(change(name, 0.1));
  });
});

describe('random erasing', () => {
  const erased = (i: number, layout = square) => {
    const values = new Float32Array(32 * 32 * 3).fill(99);
    erase(values, 0, layout, drawErasing(layout, erasing, random(i)));
    return values;
  };

  it('has timm’s parameters by default', () => {
    expect({ ...augmentationSchema.parse({ randomErasing: {} }).randomErasing }).toEqual({
      probability: 0.25,
      fill: 'pixel',
      area: [0.02, 1 / 3],
      aspect: [0.3, 1 / 0.3],
      count: [1, 1],
    });
  });

  it('overwrites one rectangle of all channels, of 2 % to a third of the area, with standard normal numbers', () => {
    const all: number[] = [];
    const shares: number[] = [];
    const aspects: number[] = [];
    for (let i = 0; i < 500; i++) {
      const values = erased(i);
      const pixels = times(1024, (pixel) => pixel).filter((pixel) => values[pixel] !== 99);
      const [columns, rows] = [pixels.map((pixel) => pixel % 32), pixels.map((pixel) => pixel >> 5)];
      const width = Math.max(...columns) - Math.min(...columns) + 1;
      const height = Math.max(...rows) - Math.min(...rows) + 1;
      expect(pixels.length).toBe(width * height);
      expect(pixels.every((pixel) => values[pixel + 1024] !== 99 && values[pixel + 2048] !== 99)).toBe(true);
      shares.push(pixels.length / 1024);
      aspects.push(height / width);
      for (const value of values) if (value !== 99) all.push(value);
    }
    expect(Math.min(...shares)).toBeGreaterThan(0.015);
    expect(Math.max(...shares)).toBeLessThan(0.36);
    expect(aspects.filter((aspect) => aspect > 2).length).toBeGreaterThan(50);
    expect(aspects.filter((aspect) => aspect < 0.5).length).toBeGreaterThan(50);
    expect(Math.max(...aspects.map((aspect) => Math.max(aspect, 1 / aspect)))).toBeLessThan(4.5);
    expect(Math.abs(mean(all))).toBeLessThan(0.01);
    expect(mean(all.map((value) => value * value))).toBeCloseTo(1, 1);
  });

  it('erases the same pixels in either layout', () => {
    const first = erased(3);
    const last = erased(3, { ...square, layout: 'channelsLast' });
    expect(times(3072, (i) => last[(i % 1024) * 3 + Math.floor(i / 1024)])).toEqual([...first]);
  });

  it('happens with its probability', () => {
    const happened = times(2000, (i) => {
      const rectangles = drawErasing(square, { ...erasing, probability: 0.25 }, random(i));
      return Number(rectangles.length > 0);
    });
    expect(Math.abs(mean(happened) - 0.25)).toBeLessThan(0.04);
  });
});

describe('mixing', () => {
  it.each([0.2, 0.8, 1, 4])('draws Beta(%f, itself): its mean and variance are those of the distribution', (shape) => {
    const generator = random(shape * 10);
    const draws = times(20_000, () => symmetricBeta(shape, generator));
    expect(Math.abs(mean(draws) - 0.5)).toBeLessThan(0.015);
    const variance = mean(draws.map((value) => (value - 0.5) ** 2));
    expect(variance * 4 * (2 * shape + 1)).toBeCloseTo(1, 1);
  });

  it('cuts a box of the area that the weight leaves, unless the border is in the way', () => {
    const boxes = times(2000, (i) => randomBox({ height: 32, width: 32 }, 0.75, random(i)));
    const areas = boxes.map(({ top, bottom, left, right }) => (bottom - top) * (right - left));
    expect(Math.max(...areas)).toBe(256);
    expect(Math.min(...areas)).toBe(64);
  });

  it('makes targets that say what the pixels say', () => {
    for (let i = 0; i < 200; i++) {
      // Image k is the constant k, so that the pixels tell how much of which image they hold.
      const input = Float32Array.from({ length: 4 * 3072 }, (_, at) => Math.floor(at / 3072));
      const labels = Int32Array.of(0, 1, 2, 3);
      const targets = mixedLabels(labels, 4, mixBatch(input, square, 4, mix, random(i)));
      for (let k = 0; k < 4; k++) {
        const own = targets[k * 4 + k]!;
        const other = targets[k * 4 + 3 - k]!;
        expect(own + other).toBeCloseTo(1, 5);
        expect(mean([...input.subarray(k * 3072, (k + 1) * 3072)])).toBeCloseTo(own * k + other * (3 - k), 3);
      }
    }
  });

  it('cuts the same box in either layout', () => {
    const image: ImageLayout = { ...square, height: 6, width: 5 };
    const first = Float32Array.from({ length: 180 }, (_, i) => i);
    const last = Float32Array.from({ length: 180 }, (_, i) => {
      const [b, pixel, channel] = [Math.floor(i / 90), Math.floor((i % 90) / 3), i % 3];
      return b * 90 + channel * 30 + pixel;
    });
    const cutmix = { ...mix, mixup: 0 };
    mixBatch(first, image, 2, cutmix, random(5));
    mixBatch(last, { ...image, layout: 'channelsLast' }, 2, cutmix, random(5));
    expect(times(180, (i) => last[Math.floor(i / 90) * 90 + ((i % 90) % 30) * 3 + Math.floor((i % 90) / 30)])).toEqual([
      ...first,
    ]);
    expect([...first]).not.toEqual(times(180, (i) => i));
  });

  it('smooths as timm’s mixup_target does', () => {
    // timm: off = 0.1 / 4 and on = 1 - 0.1 + off, for both labels, weighted 0.7 and 0.3.
    const targets = [...mixedLabels(Int32Array.of(0, 2), 4, { weight: 0.7, labelSmoothing: 0.1 })];
    const wanted = [0.7 * 0.925 + 0.3 * 0.025, 0.025, 0.3 * 0.925 + 0.7 * 0.025, 0.025];
    for (const [i, value] of wanted.entries()) expect(targets[i]).toBeCloseTo(value, 6);
  });
});

describe('augmentation settings', () => {
  it('are all off when nothing is asked for', () => {
    expect(parseAugmentation({})).toEqual({
      crop: { kind: 'centre' },
      horizontalFlip: 0,
      randAugment: null,
      randomErasing: null,
      mix: null,
    });
  });

  it('are refused with the name of the field that is wrong', () => {
    expect(() => parseAugmentation({ horizontalFlip: 2 }, 'run.json')).toThrow(
      /^run\.json: .* wrong at horizontalFlip/,
    );
    expect(() => parseAugmentation({ randAugment: { magnitude: 11 } })).toThrow(/at randAugment\.magnitude/);
    expect(() => parseAugmentation({ crop: { kind: 'resized', scale: [1, 0.5] } })).toThrow(/at crop\.scale/);
    expect(() => parseAugmentation({ mix: {} })).toThrow(/mixup or cutmix must be larger than 0/);
    expect(() => parseAugmentation({ flip: 0.5 })).toThrow(DataError);
  });
});
