/**
 * Where masks, boxes and points go. What is right is not taken from the code: Pillow and torchvision's definitions (test/fixtures/geometry), and the
 * image itself, into which boxes and points are drawn before it is transformed.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { rotation } from '../../src/data/geometry/affine.js';
import { type Box, transformBoxes } from '../../src/data/geometry/boxes.js';
import { transformImage } from '../../src/data/geometry/image.js';
import { type ClassMask, transformMask } from '../../src/data/geometry/mask.js';
import { type Point, transformJoints, transformPoints } from '../../src/data/geometry/points.js';
import { outputSize, type Transform } from '../../src/data/geometry/transform.js';
import type { RgbImage } from '../../src/data/image.js';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import type { Size } from '../../src/data/resize.js';
import { randomFor } from '../../src/data/seed.js';
import { applySteps, drawSteps, geometryOf } from '../../src/modalities/image/augment.js';
import { type AugmentationInput, parseAugmentation } from '../../src/modalities/image/settings.js';

interface Expected {
  readonly mask: Size & { readonly data: readonly number[] };
  readonly cases: readonly {
    readonly name: string;
    readonly transform: Transform;
    readonly size: Size;
    readonly mask: readonly number[];
    readonly points: readonly (readonly [x: number, y: number])[];
    readonly boxes: readonly (readonly [left: number, top: number, right: number, bottom: number])[];
  }[];
}

const path = fileURLToPath(new URL('../fixtures/geometry/expected.json', import.meta.url));
const expected: Expected = JSON.parse(readFileSync(path, 'utf8'));

// The same as in make.py.
const points = [
  { x: 12.5, y: 9.5 },
  { x: 20, y: 15.5 },
  { x: 17.25, y: 20.75 },
  { x: 0.5, y: 0.5 },
  { x: 39.5, y: 30.5 },
];
const boxes = [
  { left: 14, top: 9, right: 22, bottom: 16 },
  { left: 17.5, top: 10.25, right: 19, bottom: 20 },
];

describe.each(expected.cases)('$name', ({ transform, size, ...wanted }) => {
  it('makes of a mask what Pillow’s nearest neighbour makes of it', () => {
    const mask = transformMask({ ...expected.mask, data: Uint8Array.from(expected.mask.data) }, transform);
    expect({ width: mask.width, height: mask.height }).toEqual(size);
    expect([...mask.data]).toEqual(wanted.mask);
  });

  it('moves points as the inverse matrix says', () => {
    const moved = transformPoints(points, transform);
    for (const [i, { x, y, inside }] of moved.entries()) {
      const [wantedX, wantedY] = wanted.points[i]!;
      expect(x).toBeCloseTo(wantedX, 9);
      expect(y).toBeCloseTo(wantedY, 9);
      if (transform.steps.length === 1)
        expect(inside).toBe(wantedX >= 0 && wantedX <= size.width && wantedY >= 0 && wantedY <= size.height);
    }
  });

  it('moves boxes that stay in the picture as torchvision does', () => {
    const moved = transformBoxes(boxes, transform);
    for (const [i, box] of moved.entries()) {
      const [left, top, right, bottom] = wanted.boxes[i]!;
      // Of what is cut off while it is turned, torchvision's box is too large.
      if (box.visible < 1 - 1e-9) continue;
      expect([box.left, box.top, box.right, box.bottom].map((value) => value.toFixed(9))).toEqual(
        [left, top, right, bottom].map((value) => value.toFixed(9)),
      );
    }
    expect(moved.some(({ visible }) => visible > 0.99)).toBe(true);
  });
});

/** Black, with white where `isIn` says so of a pixel's centre. */
function drawn({ width, height }: Size, isIn: (x: number, y: number) => boolean): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++)
    if (isIn((i % width) + 0.5, Math.floor(i / width) + 0.5)) data.fill(255, 3 * i, 3 * i + 3);
  return { width, height, data };
}

/** Red of every pixel as [x, y, value], of pixels brighter than `least`. */
function bright({ width, data }: RgbImage, least: number): [x: number, y: number, value: number][] {
  const found: [number, number, number][] = [];
  for (let i = 0; i < data.length / 3; i++)
    if (data[3 * i]! > least) found.push([(i % width) + 0.5, Math.floor(i / width) + 0.5, data[3 * i]!]);
  return found;
}

const augmentations: readonly (readonly [string, AugmentationInput])[] = [
  ['a padded crop', { crop: { kind: 'padded', padding: 30 }, horizontalFlip: 0.5 }],
  ['a resized crop', { crop: { kind: 'resized', interpolation: 'bilinear' }, horizontalFlip: 0.5 }],
  ['a scaled crop', { crop: { kind: 'scaled', interpolation: 'bilinear' }, horizontalFlip: 0.5 }],
  ['a centre crop', { horizontalFlip: 0.5 }],
  ['RandAugment', { randAugment: { layers: 4, probability: 1, interpolation: 'bilinear' }, horizontalFlip: 0.5 }],
];
const from: Size = { width: 150, height: 120 };
const preprocessing = plainPreprocessing(120, { mean: [0, 0, 0] });

function draw(input: AugmentationInput, place: number): Transform {
  const steps = drawSteps(from, parseAugmentation(input), preprocessing, randomFor('sample', 3, place));
  return geometryOf(from, steps);
}

describe.each(augmentations)('what is drawn for %s', (_, augmentation) => {
  const transforms = Array.from({ length: 25 }, (_, place) => draw(augmentation, place));

  it('makes an image of the size that it says, and changes places differently each time', () => {
    for (const transform of transforms) {
      const { width, height } = transformImage(
        drawn(from, () => true),
        transform,
      );
      expect({ width, height }).toEqual(outputSize(transform));
      expect({ width, height }).toEqual({ width: 120, height: 120 });
    }
    expect(new Set(transforms.map((transform) => JSON.stringify(transform))).size).toBeGreaterThan(1);
  });

  it('puts a point where the image shows the disc that is drawn around it', () => {
    let seen = 0;
    for (const [i, transform] of transforms.entries()) {
      const centre: Point = { x: 20 + ((i * 37) % 110), y: 20 + ((i * 23) % 80) };
      const disc = drawn(from, (x, y) => Math.hypot(x - centre.x, y - centre.y) < 9);
      const shown = bright(transformImage(disc, transform), 0);
      const [point] = transformPoints([centre], transform);
      const touches = shown.some(([x, y]) => x < 2 || y < 2 || x > 118 || y > 118);
      const whole = shown.reduce((sum, [, , value]) => sum + value / 255, 0);
      // A disc that the border of any step cut has another centre.
      const [box] = transformBoxes(
        [{ left: centre.x - 9, top: centre.y - 9, right: centre.x + 9, bottom: centre.y + 9 }],
        transform,
      );
      if (touches || whole < 20 || box!.visible < 1 - 1e-9) continue;
      seen++;
      expect(point!.inside).toBe(true);
      expect(shown.reduce((sum, [x, , value]) => sum + (x * value) / 255, 0) / whole).toBeCloseTo(point!.x, 0);
      expect(shown.reduce((sum, [, y, value]) => sum + (y * value) / 255, 0) / whole).toBeCloseTo(point!.y, 0);
    }
    expect(seen).toBeGreaterThan(3);
  });

  it('puts a box around what the image shows of it, and marks it when that is nothing', () => {
    const states = { whole: 0, cut: 0, gone: 0 };
    for (const [i, transform] of transforms.entries()) {
      for (const box of boxesFor(i)) {
        const { left, top, right, bottom } = box;
        const shown = bright(
          transformImage(
            drawn(from, (x, y) => x > left && x < right && y > top && y < bottom),
            transform,
          ),
          100,
        );
        const [moved] = transformBoxes([box], transform);
        states[moved!.visible === 0 ? 'gone' : moved!.visible > 0.999 ? 'whole' : 'cut']++;
        if (moved!.right - moved!.left < 2 || moved!.bottom - moved!.top < 2) {
          expect(shown.length).toBeLessThan(2 * 120);
          continue;
        }
        const around = {
          left: Math.min(...shown.map(([x]) => x - 0.5)),
          top: Math.min(...shown.map(([, y]) => y - 0.5)),
          right: Math.max(...shown.map(([x]) => x + 0.5)),
          bottom: Math.max(...shown.map(([, y]) => y + 0.5)),
        };
        // A pixel is as fine as an image shows; a corner that is sharp, or resampled several times, is seen less far.
        for (const side of ['left', 'top', 'right', 'bottom'] as const)
          expect(Math.abs(around[side] - moved![side]), `${i} ${side} ${JSON.stringify(moved)}`).toBeLessThan(4);
      }
    }
    expect(states.whole).toBeGreaterThan(0);
    expect(states.cut).toBeGreaterThan(0);
    if (augmentation.crop?.kind === 'resized') expect(states.gone).toBeGreaterThan(0);
  });

  it('gives a mask the classes that the image shows', () => {
    const isIn = (x: number, y: number) => Math.floor(x / 25) % 2 === Math.floor(y / 30) % 2;
    const image = drawn(from, isIn);
    const mask: ClassMask = {
      ...from,
      data: Uint8Array.from({ length: 150 * 120 }, (_, i) => (image.data[3 * i] ? 1 : 0)),
    };
    for (const transform of transforms) {
      const shown = transformImage(image, transform);
      const { data } = transformMask(mask, transform);
      // Where the image has a pure colour on and around a pixel, and the pixel is of the picture, there is one right answer.
      let compared = 0;
      let wrong = 0;
      for (let y = 2; y < 118; y++) {
        for (let x = 2; x < 118; x++) {
          const values = [-2, -1, 0, 1, 2].flatMap((dy) => [-2, -1, 0, 1, 2].map((dx) => (y + dy) * 120 + x + dx));
          const colour = shown.data[3 * values[12]!]!;
          if (!values.every((pixel) => shown.data[3 * pixel] === colour && data[pixel] !== 255)) continue;
          compared++;
          if (data[values[12]!] !== (colour === 255 ? 1 : 0)) wrong++;
        }
      }
      expect(wrong).toBe(0);
      expect(compared).toBeGreaterThan(500);
    }
  });
});

/** Small ones and large ones, in the middle and at the border. */
function boxesFor(i: number): Box[] {
  const [left, top] = [(i * 41) % 120, (i * 29) % 95];
  return [
    { left, top, right: left + 25, bottom: top + 20 },
    { left: 10, top: 10, right: 140, bottom: 110 },
  ];
}

describe('what is left of a box', () => {
  it('is the share of its area that a crop keeps', () => {
    const region = { left: 10, top: 0, width: 20, height: 20 };
    const transform: Transform = { from, steps: [{ kind: 'cut', from, region, border: 'zero' }] };
    const [half, none, all] = transformBoxes(
      [
        { left: 0, top: 5, right: 20, bottom: 15 },
        { left: 0, top: 5, right: 10, bottom: 15 },
        { left: 12, top: 5, right: 14, bottom: 15 },
      ],
      transform,
    );
    expect(half).toEqual({ left: 0, top: 5, right: 10, bottom: 15, visible: 0.5 });
    expect(none).toEqual({ left: 0, top: 0, right: 0, bottom: 0, visible: 0 });
    expect(all).toEqual({ left: 2, top: 5, right: 4, bottom: 15, visible: 1 });
  });

  it('is nothing for a box that a step lost, also when a later one brings its place back', () => {
    const away = [1, 0, 100, 0, 1, 0] as const;
    const back = [1, 0, -100, 0, 1, 0] as const;
    const sampling = { interpolation: 'bilinear', fill: [0, 0, 0] } as const;
    const steps = [away, back].map((matrix) => ({ kind: 'affine', from, matrix, sampling }) as const);
    expect(transformBoxes([{ left: 10, top: 10, right: 30, bottom: 30 }], { from, steps })[0]!.visible).toBe(0);
    expect(transformPoints([{ x: 20, y: 20 }], { from, steps })).toEqual([{ x: 20, y: 20, inside: false }]);
    const mask = { ...from, data: new Uint8Array(150 * 120).fill(3) };
    expect(transformMask(mask, { from, steps }).data[20 * 150 + 20]).toBe(255);
  });

  it('is no larger than what can be seen: a corner that is turned out of the picture does not count', () => {
    const square = { width: 100, height: 100 };
    const sampling = { interpolation: 'bilinear', fill: [0, 0, 0] } as const;
    const steps = [{ kind: 'affine', from: square, matrix: rotation(square, 45), sampling } as const];
    const [box] = transformBoxes([{ left: 0, top: 0, right: 50, bottom: 50 }], { from: square, steps });
    const shown = bright(
      transformImage(
        drawn(square, (x, y) => x < 50 && y < 50),
        { steps },
      ),
      127,
    );
    const [columns, rows] = [shown.map(([x]) => x), shown.map(([, y]) => y)];
    expect(Math.abs(Math.max(...columns) + 0.5 - box!.right)).toBeLessThan(1.5);
    expect(Math.abs(Math.min(...columns) - 0.5 - box!.left)).toBeLessThan(1.5);
    expect(Math.abs(Math.max(...rows) + 0.5 - box!.bottom)).toBeLessThan(1.5);
    expect(Math.abs(Math.min(...rows) - 0.5 - box!.top)).toBeLessThan(1.5);
    expect(box!.visible).toBeCloseTo(shown.length / 2500, 1);
  });
});

describe('joints', () => {
  const mirror = { kind: 'mirror', from } as const;
  const body = [
    { x: 75, y: 10 },
    { x: 50, y: 60 },
    { x: 100, y: 62 },
  ];

  it('change names, left for right, in a mirror image and not in a mirror image of that', () => {
    const once = transformJoints(body, { from, steps: [mirror] }, [[1, 2]]);
    expect(once.map(({ x, y }) => [x, y])).toEqual([
      [75, 10],
      [50, 62],
      [100, 60],
    ]);
    const twice = transformJoints(body, { from, steps: [mirror, mirror] }, [[1, 2]]);
    expect(twice.map(({ x, y }) => ({ x, y }))).toEqual(body);
  });
});

describe('a mask', () => {
  it('of another size than its image is refused', () => {
    const mask = { width: 3, height: 2, data: new Uint8Array(6) };
    expect(() => transformMask(mask, { from, steps: [] })).toThrow(
      /mask of 3 x 2 pixels does not fit its image of 150 x 120/,
    );
  });

  it('may have more than 255 classes', () => {
    const mask = { ...from, data: new Uint16Array(150 * 120).fill(700) };
    const steps = [{ kind: 'mirror', from } as const];
    expect(new Set(transformMask(mask, { from, steps }).data)).toEqual(new Set([700]));
  });
});

describe('a drawn change of an image', () => {
  it('is a value that survives being sent to a thread, and gives the same pixels there', () => {
    const image = drawn(from, (x, y) => (x * y) % 7 < 3);
    for (const [, augmentation] of augmentations) {
      const steps = drawSteps(from, parseAugmentation(augmentation), preprocessing, randomFor('sample', 3, 1));
      expect(applySteps(image, structuredClone(steps))).toEqual(applySteps(image, steps));
    }
  });
});
