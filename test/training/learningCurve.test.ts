/** The picture of a run: where its points lie is computed here from the numbers, and it stays well-formed with names from outside. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { learningCurve } from '../../src/training/learningCurve.js';

const run = [0.3, 0.5, 0.45].map((heldOutAccuracy, epoch) => ({
  kind: 'epoch',
  epoch,
  loss: 2 - epoch,
  accuracy: 0.2 + 0.1 * epoch,
  heldOutAccuracy,
  learningRate: 0.002 / (epoch + 1),
}));

/** The points of each line in the picture's order: training, held out, rate. */
const pathsOf = (svg: string) =>
  [...svg.matchAll(/<path d="M([^"HV]+)" fill="none"/g)].map(([, places]) =>
    places!.split('L').map((place) => place.split(' ').map(Number)),
  );

describe('the picture of a run', () => {
  const svg = learningCurve(run, 'recipe <x> & "y"');

  it('is a picture, whatever a recipe is called', async () => {
    expect((await sharp(Buffer.from(svg)).metadata()).format).toBe('svg');
    expect(svg).not.toContain('<x>');
  });

  it('has a point for each epoch of training, held-out figure and rate', () => {
    const [training, heldOut, rate] = pathsOf(svg);
    // An axis from 20 to 50 % over 280 units, three epochs over 640.
    expect(heldOut!.map(([x]) => x)).toEqual([213.3, 426.7, 640]);
    const heights = (points: number[][]) => points.map(([, y]) => y!);
    for (const [points, values] of [
      [training!, [0.2, 0.3, 0.4]],
      [heldOut!, [0.3, 0.5, 0.45]],
    ] as const)
      for (const [index, y] of heights(points).entries())
        expect(y).toBeCloseTo((280 * (0.5 - values[index]!)) / 0.3, 0);
    const [first, second] = heights(rate!);
    expect(second! - first!).toBeCloseTo(30, 0);
  });

  it('says and marks the best held-out figure, by the figure’s own order', () => {
    expect(svg).toContain('held out, best 50.00 %');
    expect(svg).toMatch(/<circle cx="426.7"/);
    const errors = run.map(({ heldOutAccuracy, epoch }) => ({ epoch, heldOutMeanAbsoluteError: 10 * heldOutAccuracy }));
    const other = learningCurve(errors, 'errors', (one, than) => one < than);
    expect(other).toContain('held out, best 3<');
    expect(other).toMatch(/<circle cx="213.3"/);
  });

  it.each([
    [1, [0, 1]],
    [9, [0, 2, 4, 6, 8]],
    [31, [0, 10, 20, 30]],
    [105, [0, 20, 40, 60, 80, 100]],
  ])('counts the %i epochs of a run in round steps', (epochs, ticks) => {
    const points = Array.from({ length: epochs }, (_, epoch) => ({ epoch, accuracy: 0.5 }));
    const words = [...learningCurve(points, 'x').matchAll(/text-anchor="middle">(\d+)</g)].map(([, word]) =>
      Number(word),
    );
    expect(words).toEqual(ticks);
  });

  it('shows a run of one epoch with one figure', async () => {
    for (const accuracy of [0, 0.5, 0.123, 1]) {
      const picture = learningCurve([{ epoch: 0, accuracy }], 'short');
      expect(picture).not.toMatch(/NaN|Infinity/);
      expect((await sharp(Buffer.from(picture)).metadata()).format).toBe('svg');
    }
  });
});
