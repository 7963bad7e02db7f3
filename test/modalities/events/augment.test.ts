import { describe, expect, it } from 'vitest';
import { symmetricBeta } from '../../../src/modalities/beta.js';
import { applyEventSteps, drawEventSteps, drawIndices } from '../../../src/modalities/events/augment.js';
import {
  type EventAugmentationInput,
  parseEventAugmentation,
} from '../../../src/modalities/events/augmentationSettings.js';
import { eventsOf } from '../../../src/modalities/events/columns.js';
import {
  drawMixMask,
  isMasked,
  type MixMask,
  mixEvents,
  mixFrameBatch,
  mixFrames,
} from '../../../src/modalities/events/eventMix.js';
import { seededRandom } from '../../../src/random.js';
import { plain } from './support.js';

const sensor = { width: 10, height: 8 };
const recording = eventsOf(Array.from({ length: 200 }, (_, i) => [5000 + 37 * i, i % 10, i % 8, i % 2] as const));
const everything: EventAugmentationInput = {
  timeCrop: [0.5, 0.9],
  timeSkew: [0.8, 1.25],
  drop: { probability: 1, events: 0.3, time: 0.3, area: 0.3 },
  affine: { shift: 0.1, rotation: 10, zoom: [0.9, 1.1] },
  horizontalFlip: 0.5,
  verticalFlip: 0.5,
  polarityFlip: 0.5,
  timeReversal: 0.5,
  jitter: { space: 0.5, time: 20 },
  noise: 0.1,
};
const steps = (input: EventAugmentationInput, seed: number) =>
  drawEventSteps(sensor, parseEventAugmentation(input), seededRandom(seed));
const augmented = (input: EventAugmentationInput, seed: number) =>
  applyEventSteps(recording, steps(input, seed), sensor);

describe('augmentation of recordings', () => {
  it('is nothing unless asked for', () => {
    expect(steps({}, 1)).toEqual([]);
    expect(augmented({}, 1)).toBe(recording);
  });

  it('is a value: the same seed gives the same steps, and the same steps the same recording, also after JSON', () => {
    const before = plain(recording);
    for (let seed = 0; seed < 20; seed++) {
      const drawn = steps(everything, seed);
      expect(steps(everything, seed)).toEqual(drawn);
      const result = plain(applyEventSteps(recording, drawn, sensor));
      expect(plain(applyEventSteps(recording, JSON.parse(JSON.stringify(drawn)), sensor))).toEqual(result);
      for (const x of result.x!) expect(x).toBeLessThan(sensor.width);
      for (const y of result.y!) expect(y).toBeLessThan(sensor.height);
      for (let i = 1; i < result.t!.length; i++) expect(result.t![i]).toBeGreaterThanOrEqual(result.t![i - 1]!);
      expect(result.t!.every(Number.isSafeInteger)).toBe(true);
    }
    expect(plain(recording)).toEqual(before);
  });

  it('drops an exact number of events, each once', () => {
    const indices = drawIndices(1000, 0.37, seededRandom(3));
    expect(indices.length).toBe(370);
    expect(new Set(indices).size).toBe(370);
    expect(Math.max(...indices)).toBeLessThan(1000);
    expect([...drawIndices(4, 1, seededRandom(1))]).toEqual([0, 1, 2, 3]);
    // Every index as often as any other: 3 of 10, 3000 times; the standard deviation is about 25.
    const counts = new Array<number>(10).fill(0);
    const random = seededRandom(11);
    for (let k = 0; k < 3000; k++) for (const i of drawIndices(10, 0.3, random)) counts[i]! += 1;
    for (const count of counts) expect(Math.abs(count - 900)).toBeLessThan(125);
  });

  it('keeps a piece of time as long as asked for', () => {
    for (let seed = 0; seed < 10; seed++) {
      const { length } = augmented({ timeCrop: [0.5, 0.5] }, seed);
      expect(length).toBeGreaterThanOrEqual(99);
      expect(length).toBeLessThanOrEqual(101);
    }
  });

  it('adds noise within the span of the recording', () => {
    const noisy = augmented({ noise: 1 }, 5);
    const [step] = steps({ noise: 1 }, 5);
    expect(noisy.length).toBe(200 + Math.floor((step as { share: number }).share * 200 + 0.5));
    expect(noisy.t[0]).toBe(5000);
    expect(noisy.t[noisy.length - 1]).toBe(5000 + 37 * 199);
  });

  it('of an empty recording is empty', () => {
    const empty = eventsOf([]);
    for (let seed = 0; seed < 5; seed++) {
      expect(applyEventSteps(empty, steps(everything, seed), sensor).length).toBe(0);
    }
  });

  it.each([
    [{ horizontalFlip: 2 }, 'horizontalFlip'],
    [{ timeCrop: [0.9, 0.5] }, 'timeCrop'],
    [{ affine: { zoom: [0, 1] } }, 'affine.zoom.0'],
    [{ drop: {} }, 'drop'],
    [{ mix: { mask: 'circle' } }, 'mix.mask'],
    [{ flip: 1 }, 'the whole'],
  ])('%j is refused, naming %s', (input, field) => {
    expect(() => parseEventAugmentation(input)).toThrow(`event augmentation: the settings are wrong at ${field}: `);
  });
});

describe('EventMix', () => {
  const settings = (mask: 'box' | 'gaussian') => parseEventAugmentation({ mix: { mask, probability: 1 } }).mix!;
  const half: MixMask = { kind: 'box', from: [0.5, 0, 0], to: [2, 2, 2] };

  it('takes what is under the mask from the other recording, stretched to the same span', () => {
    const first = eventsOf([
      [100, 0, 0, 1],
      [110, 0, 0, 1],
      [120, 0, 0, 1],
      [200, 0, 0, 1],
    ]);
    const second = eventsOf([
      [0, 5, 5, 0],
      [6, 5, 5, 0],
      [10, 6, 5, 0],
    ]);
    const { events, weight } = mixEvents(first, second, half, sensor);
    expect(plain(events)).toEqual({
      t: [100, 110, 120, 160, 200],
      x: [0, 0, 0, 5, 6],
      y: [0, 0, 0, 5, 5],
      p: [1, 1, 1, 0, 0],
    });
    expect(weight).toBeCloseTo(3 / 5, 12);
    expect(mixEvents(eventsOf([]), eventsOf([]), half, sensor).weight).toBe(1);
  });

  it('swaps frames of a batch under one mask and says what stays', () => {
    const layout = { timeSteps: 2, samples: 3, channels: 1, height: 1, width: 2, sampleStride: 2, timeStride: 6 };
    // Time steps of samples of pixels; the value is the sample's number.
    const batch = Float32Array.from([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
    expect(mixFrames(batch, layout, half)).toBe(0.5);
    expect([...batch]).toEqual([0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 0, 0]);
    expect(mixFrameBatch(batch, layout, { ...settings('box'), probability: 0 }, seededRandom(1))).toEqual({
      weight: 1,
      labelSmoothing: 0,
    });
  });

  it.each(['box', 'gaussian'] as const)('draws a %s of the volume that was drawn', (kind) => {
    const side = 24;
    for (let seed = 0; seed < 30; seed++) {
      const mask = drawMixMask(settings(kind), seededRandom(seed));
      const stays = symmetricBeta(1, seededRandom(seed));
      let inside = 0;
      for (let i = 0; i < side ** 3; i++) {
        const [t, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
        if (isMasked(mask, (t + 0.5) / side, (y + 0.5) / side, (x + 0.5) / side)) inside++;
      }
      // Up to the fineness of the two grids: a box's faces lie up to half a cell off, on three axes.
      expect(Math.abs(inside / side ** 3 - (1 - stays))).toBeLessThan(0.07);
    }
  });
});
