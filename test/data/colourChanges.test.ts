/** Changes of colour: their numbers against NumPy and Python's colorsys, and what chance decides. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { imagenetPreprocessing } from '../../src/data/preprocess.js';
import { randomFor } from '../../src/data/seed.js';
import { applySteps, drawSteps, geometryOf } from '../../src/modalities/image/augment.js';
import { drawColour } from '../../src/modalities/image/drawColour.js';
import { parseAugmentation } from '../../src/modalities/image/settings.js';
import { applyPhotometric, type PhotometricStep } from '../../src/modalities/image/steps.js';
import type { Random } from '../../src/random.js';

/** `make.py` beside it. */
const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'fixtures', 'colour', 'colour.json'), 'utf8'),
) as {
  readonly pixels: readonly (readonly number[])[];
  readonly cases: readonly {
    readonly operation: PhotometricStep['operation'];
    readonly amount: number;
    readonly bytes?: readonly (readonly number[])[];
    readonly values?: readonly (readonly number[])[];
  }[];
};
const image = { width: fixture.pixels.length, height: 1, data: Uint8Array.from(fixture.pixels.flat()) };

describe('a change of colour', () => {
  it.each(fixture.cases)('has the numbers of Python: $operation by $amount', ({ operation, amount, bytes, values }) => {
    const before = Uint8Array.from(image.data);
    const { data, width, height } = applyPhotometric(image, { kind: 'photometric', operation, amount });
    expect([width, height]).toEqual([image.width, 1]);
    expect(image.data).toEqual(before);
    if (bytes) expect([...data]).toEqual(bytes.flat());
    for (const [i, value] of (values ?? []).flat().entries())
      if (Math.abs(data[i]! - value) > 0.5 + 1e-5) expect.fail(`byte ${i} is ${data[i]}, expected ${value}`);
  });
});

describe('changes of colour that are drawn', () => {
  const settings = parseAugmentation({ colour: {} }).colour!;
  const drawn = Array.from({ length: 4000 }, (_, i) => drawColour(settings, randomFor('sample', 1, i)));
  const amounts = (operation: string) =>
    drawn.flatMap((steps) => steps.filter((step) => step.operation === operation).map(({ amount }) => amount));

  it.each([
    ['addBrightness', -32, 32],
    ['scaleContrast', 0.5, 1.5],
    ['scaleSaturation', 0.5, 1.5],
    ['turnHue', -36, 36],
  ])('%s happens half of the time, evenly from %d to %d', (operation, from, to) => {
    const found = amounts(operation);
    // Four deviations of a binomial distribution.
    expect(Math.abs(found.length - 2000)).toBeLessThan(4 * Math.sqrt(1000));
    expect(Math.min(...found)).toBeGreaterThanOrEqual(from);
    expect(Math.max(...found)).toBeLessThanOrEqual(to);
    const quarters = [0, 0, 0, 0];
    for (const amount of found) quarters[Math.min(3, Math.floor((4 * (amount - from)) / (to - from)))]!++;
    for (const count of quarters) expect(Math.abs(count / found.length - 0.25)).toBeLessThan(0.05);
  });

  it('come in the order of mmsegmentation, contrast second or last', () => {
    const orders = new Map<string, number>();
    for (const steps of drawn) {
      const order = steps.map(({ operation }) => operation).join();
      if (steps.length === 4) orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect([...orders.keys()].sort()).toEqual([
      'addBrightness,scaleContrast,scaleSaturation,turnHue',
      'addBrightness,scaleSaturation,turnHue,scaleContrast',
    ]);
    for (const count of orders.values()) expect(count).toBeGreaterThan(80);
  });

  it('draw as many numbers whatever happens', () => {
    const counted = (probability: number) => {
      const random = randomFor('sample', 3);
      let numbers = 0;
      const counting: Random = { ...random, uniform: () => ++numbers && random.uniform() };
      const steps = drawColour({ ...settings, probability }, counting);
      return { numbers, steps: steps.length };
    };
    expect(counted(0)).toEqual({ numbers: 9, steps: 0 });
    expect(counted(1)).toEqual({ numbers: 9, steps: 4 });
  });

  it('change colours and leave places alone, and crops and mirror images as they were without', () => {
    const preprocessing = { ...imagenetPreprocessing, resize: null, crop: [8, 8] as const };
    const picture = { width: 12, height: 12, data: Uint8Array.from({ length: 432 }, (_, i) => (i * 37) % 256) };
    const plain = parseAugmentation({ crop: { kind: 'padded', padding: 2 }, horizontalFlip: 0.5 });
    const coloured = { ...plain, colour: { ...settings, probability: 1 } };
    for (let i = 0; i < 20; i++) {
      const without = drawSteps(picture, plain, preprocessing, randomFor('sample', 4, i));
      const steps = drawSteps(picture, coloured, preprocessing, randomFor('sample', 4, i));
      expect(geometryOf(picture, steps)).toEqual(geometryOf(picture, without));
      expect(steps.length).toBe(without.length + 4);
      expect(applySteps(picture, steps)).toEqual(
        applySteps(picture, drawSteps(picture, coloured, preprocessing, randomFor('sample', 4, i))),
      );
      expect(applySteps(picture, steps)).not.toEqual(applySteps(picture, without));
    }
  });

  it.each([
    [{ brightness: -1 }, /colour\.brightness/],
    [{ contrast: [1.5, 0.5] }, /colour\.contrast: the first number must not be larger/],
    [{ hue: 200 }, /colour\.hue/],
    [{ gamma: 2 }, /colour/],
  ])('are not %j', (colour, message) => {
    expect(() => parseAugmentation({ colour })).toThrow(message);
  });
});
