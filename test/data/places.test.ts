/** Places as targets: pairs of a batch, and what is held out. */
import { describe, expect, it } from 'vitest';
import { holdOut } from '../../src/data/datasets/dataset.js';
import { imagesWith } from '../../src/data/datasets/images.js';
import { asks, isSearched, noPlace, type PlaceTargets, placeTargets } from '../../src/data/targets/places.js';
import { createLoader } from '../../src/loader/loader.js';
import { seededRandom } from '../../src/random.js';
import { dataProblems } from '../../src/training/fit.js';

/** Every place has one satellite view and `drones` drone views; the last two places are seen from above alone, and one image shows no place. */
function targetsOf(places: number, drones: number): PlaceTargets {
  const place: number[] = [];
  const view: number[] = [];
  for (let number = 0; number < places; number++) {
    for (let i = 0; i < (number < places - 2 ? drones : 0); i++) {
      place.push(number);
      view.push(0);
    }
    place.push(number);
    view.push(1);
  }
  place.push(noPlace);
  view.push(1);
  return {
    kind: 'places',
    places: Array.from({ length: places }, (_, i) => `place ${i}`),
    views: ['drone', 'satellite'],
    place: Int32Array.from(place),
    view: Int32Array.from(view),
    role: new Uint8Array(place.length).fill(asks | isSearched),
  };
}

function datasetOf(targets: PlaceTargets) {
  const count = targets.place.length;
  // A grey of its own for each image, so that nothing is lost on the way.
  const pixels = new Uint8Array(count * 3 * 4 * 4);
  for (let i = 0; i < count; i++) pixels.fill(i, i * 48, (i + 1) * 48);
  return imagesWith({ name: 'places', store: { kind: 'pixels', width: 4, height: 4, channels: 3, pixels }, targets });
}

describe('an epoch of pairs', () => {
  const targets = targetsOf(12, 3);
  const samples = { name: 'places', size: targets.place.length, position: (i: number) => i };

  it.each([4, 8, 20])('has each place once in a batch of %i, and its views in the same order', (batchSize) => {
    const batches = 9;
    const order = placeTargets.order!(targets, { ...samples, batchSize, batches }, seededRandom(3));
    expect(order).toHaveLength(batches * batchSize);
    const seen = new Map<number, number>();
    for (let batch = 0; batch < batches; batch++) {
      const own = [...order.subarray(batch * batchSize, (batch + 1) * batchSize)];
      const first = own.slice(0, batchSize / 2);
      const second = own.slice(batchSize / 2);
      expect(first.map((i) => targets.view[i])).toEqual(first.map(() => 0));
      expect(second.map((i) => targets.view[i])).toEqual(second.map(() => 1));
      const places = first.map((i) => targets.place[i]!);
      expect(second.map((i) => targets.place[i])).toEqual(places);
      expect(new Set(places).size).toBe(places.length);
      for (const place of places) seen.set(place, (seen.get(place) ?? 0) + 1);
    }
    // Places come in turn; those without a pair never.
    const times = [...seen.values()];
    expect([...seen.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1);
  });

  it('is the same for the same seed, and refuses what gives no pairs', () => {
    const asked = { ...samples, batchSize: 8, batches: 3 };
    const draw = (seed: number) => [...placeTargets.order!(targets, asked, seededRandom(seed))];
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(() => placeTargets.order!(targets, { ...asked, batchSize: 7 }, seededRandom(1))).toThrow(
      'an even batchSize',
    );
    expect(() => placeTargets.order!(targets, { ...asked, batchSize: 22 }, seededRandom(1))).toThrow(
      'has 10 places in both views, and a batch of 22 needs 11',
    );
  });
});

describe('the loader', () => {
  it('gives pairs in shuffled epochs, and every sample in order otherwise', async () => {
    const dataset = datasetOf(targetsOf(12, 3));
    const preprocessing = { resize: null, crop: [4, 4], interpolation: 'bicubic', mean: [0, 0, 0], std: [1, 1, 1] };
    const settings = { batchSize: 8, workers: 0, preprocessing } as const;
    const loader = createLoader(dataset, { ...settings, dropLast: true, seed: 7 } as never);
    expect(loader.batchesPerEpoch).toBe(5);
    for await (const { places, views, indices } of loader.epoch(0)) {
      expect([...places.subarray(4)]).toEqual([...places.subarray(0, 4)]);
      expect([...views]).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
      expect([...indices].map((i) => dataset.target(i).place)).toEqual([...places]);
    }
    await loader.close();
    const inOrder = createLoader(dataset, { ...settings, shuffle: false } as never);
    const all: number[] = [];
    for await (const { indices } of inOrder.epoch(0)) all.push(...indices);
    expect(all).toEqual(Array.from({ length: 43 }, (_, i) => i));
    await inOrder.close();
  });
});

describe('a recipe for pairs', () => {
  it.each([
    [7, 'a batch of 7 is no number of pairs; choose an even batchSize'],
    [22, 'has 10 places in both views, and a batch of 22 needs 11; choose a smaller batchSize'],
  ])('is told before anything runs that a batch of %i does not fit', (batchSize, message) => {
    const problems = dataProblems({ task: 'retrieval', batchSize }, datasetOf(targetsOf(12, 3)));
    expect(problems).toContainEqual({ path: ['batchSize'], message: `places: ${message}` });
  });

  it('may have as many numbers as it likes, and any batch that fits', () => {
    const model = { classes: 256 };
    expect(dataProblems({ task: 'retrieval', model, batchSize: 8 } as never, datasetOf(targetsOf(12, 3)))).toEqual([]);
  });
});

describe('places that are held out', () => {
  it('are held out with all of their images', () => {
    const { training, validation } = holdOut(datasetOf(targetsOf(12, 3)), 0.25, 5);
    const placesOf = (part: typeof training) =>
      Array.from({ length: part.size }, (_, i) => part.targets.place[part.position(i)]!);
    const [kept, held] = [new Set(placesOf(training)), new Set(placesOf(validation))];
    expect(validation.size).toBeGreaterThanOrEqual(10);
    expect(validation.size).toBeLessThan(16);
    for (const place of held) expect(kept.has(place)).toBe(false);
    expect(training.size + validation.size).toBe(43);
  });
});
