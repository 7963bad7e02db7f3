/** Our own definitions of filters and moves on recordings small enough to work out by hand. */
import { describe, expect, it } from 'vitest';
import { eventsOf, inTimeOrder, mergeEvents } from '../../../src/modalities/events/columns.js';
import { cropArea, decimate, denoise, hotPixels, refractoryPeriod } from '../../../src/modalities/events/filters.js';
import { addHats } from '../../../src/modalities/events/hats.js';
import {
  flipLeftRight,
  jitterSpace,
  jitterTime,
  moveAffine,
  reverseTime,
  skewTime,
} from '../../../src/modalities/events/moves.js';
import { plain } from './support.js';

type Row = [t: number, x: number, y: number, p: number];
const sensor = { width: 4, height: 3 };
const kept = (events: ReturnType<typeof eventsOf>) => plain(events).t;

describe('filters', () => {
  it('denoise by the 4 neighbours, looking back, whatever the time counts from', () => {
    for (const t0 of [0, 1000]) {
      const rows: Row[] = [
        [t0, 1, 1, 1],
        [t0 + 1, 2, 1, 0], // beside the first
        [t0 + 2, 3, 2, 0], // only diagonal to the second
        [t0 + 20, 1, 0, 1], // too late
        [t0 + 21, 1, 0, 1], // its own pixel does not count
      ];
      expect(kept(denoise(eventsOf(rows), 10, sensor))).toEqual([t0 + 1]);
    }
    // In tonic's convention everything seems to have fired at 0.
    expect(
      kept(
        denoise(
          eventsOf([
            [3, 0, 0, 1],
            [50, 3, 2, 1],
          ]),
          10,
          sensor,
          'tonic',
        ),
      ),
    ).toEqual([3]);
  });

  it('let a pixel rest after what was kept', () => {
    const rows: Row[] = [0, 6, 12, 18].map((t) => [t, 1, 1, t % 4 === 0 ? 1 : 0]);
    expect(kept(refractoryPeriod(eventsOf(rows), 10, sensor))).toEqual([0, 12]);
    // tonic: an event at time 0 is dropped, and those dropped keep the pixel from recovering.
    expect(kept(refractoryPeriod(eventsOf(rows), 10, sensor, 'tonic'))).toEqual([]);
  });

  it('find pixels that fire more often than asked for', () => {
    const rows: Row[] = Array.from({ length: 11 }, (_, i) => [i * 100_000, i < 6 ? 3 : 0, i < 6 ? 2 : 0, 1]);
    expect(hotPixels(eventsOf(rows), 5, sensor)).toEqual([11]);
    expect(hotPixels(eventsOf(rows), 6, sensor)).toEqual([]);
  });

  it('keep every n-th event of a pixel', () => {
    const rows: Row[] = [1, 2, 3, 4].map((t) => [t, 0, 0, 1]);
    expect(kept(decimate(eventsOf([...rows, [5, 1, 0, 1]]), 2, sensor))).toEqual([2, 4]);
  });

  it('crop, and make a border', () => {
    const events = eventsOf([
      [1, 3, 2, 1],
      [2, 0, 0, 1],
    ]);
    expect(plain(cropArea(events, { left: 2, top: 1, width: 2, height: 2 }))).toEqual({
      t: [1],
      x: [1],
      y: [1],
      p: [1],
    });
    expect(plain(cropArea(events, { left: -2, top: -1, width: 8, height: 5 })).x).toEqual([5, 2]);
  });
});

describe('moves', () => {
  it('drop what lies outside before it would wrap around', () => {
    const events = eventsOf([
      [1, 3, 2, 1],
      [2, 4, 0, 1],
    ]);
    expect(plain(flipLeftRight(events, sensor))).toEqual({ t: [1], x: [0], y: [2], p: [1] });
  });

  it('turn time and polarity around', () => {
    const events = eventsOf([
      [5, 1, 0, 1],
      [7, 2, 0, 0],
    ]);
    expect(plain(reverseTime(events))).toEqual({ t: [0, 2], x: [2, 1], y: [0, 0], p: [1, 0] });
  });

  it('round to the nearest pixel, where tonic truncates', () => {
    const events = eventsOf([
      [1, 0, 0, 1],
      [2, 1, 1, 1],
    ]);
    const shifts = [-0.7, 0, 0.7, 0];
    expect(plain(jitterSpace(events, shifts, sensor))).toEqual({ t: [2], x: [2], y: [1], p: [1] });
    expect(plain(jitterSpace(events, shifts, sensor, 'truncate')).x).toEqual([0, 1]);
  });

  it('sort again after time has shaken', () => {
    const events = eventsOf([
      [10, 1, 0, 1],
      [11, 2, 0, 0],
    ]);
    expect(plain(jitterTime(events, [3, -2.6]))).toEqual({ t: [8, 13], x: [2, 1], y: [0, 0], p: [0, 1] });
  });

  it('skew time from the first event on', () => {
    expect(
      plain(
        skewTime(
          eventsOf([
            [100, 0, 0, 1],
            [110, 0, 0, 1],
          ]),
          1.26,
          5,
        ),
      ).t,
    ).toEqual([105, 118]);
  });

  it('shift, turn and magnify about the centre', () => {
    const still = { rotation: 0, zoom: 1, right: 0, down: 0 };
    const square = { width: 3, height: 3 };
    const events = eventsOf([
      [1, 2, 1, 1],
      [2, 1, 1, 0],
    ]);
    expect(plain(moveAffine(events, { ...still, right: 1 }, square))).toEqual({ t: [2], x: [2], y: [1], p: [0] });
    // A quarter turn clockwise takes the right edge to the bottom.
    expect(plain(moveAffine(events, { ...still, rotation: Math.PI / 2 }, square))).toEqual({
      t: [1, 2],
      x: [1, 1],
      y: [2, 1],
      p: [1, 0],
    });
    expect(plain(moveAffine(events, { ...still, zoom: 2 }, square)).t).toEqual([2]);
    expect(plain(moveAffine(events, { ...still, zoom: 2 }, { width: 7, height: 3 })).x).toEqual([1]);
  });
});

it('histograms of time surfaces average the patches of a cell', () => {
  const target = new Float32Array(2 * 2 * 9);
  const settings = { cellSize: 2, surfaceSize: 3, timeWindow: 100, tau: 10, decay: 'exponential' } as const;
  const events = eventsOf([
    [0, 0, 0, 1],
    [10, 1, 1, 1],
    [11, 2, 0, 1],
  ]);
  addHats(events, { width: 4, height: 2 }, settings, { target, offset: 0 });
  const expected = new Float32Array(36);
  // Cell 0, polarity 1: two events; the earlier is up and left of the later. Cell 1: one event.
  expected.set([Math.exp(-1) / 2, 0, 0, 0, 1], 9);
  expected[27 + 4] = 1;
  expect([...target]).toEqual([...expected]);
});

it.each([1, 1e13])('times that step back are sorted, equal ones in their order, however far apart: %d', (unit) => {
  const rows = Array.from({ length: 500 }, (_, i): Row => [((i * 7919) % 101) * unit, i, 0, 1]);
  const sorted = [...rows].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  expect(plain(inTimeOrder(eventsOf(rows)))).toEqual(plain(eventsOf(sorted)));
});

it('merged recordings are in time order', () => {
  const merged = mergeEvents(
    eventsOf([
      [1, 0, 0, 1],
      [5, 0, 0, 1],
    ]),
    eventsOf([
      [1, 9, 0, 0],
      [3, 9, 0, 0],
      [7, 9, 0, 0],
    ]),
  );
  expect(plain(merged)).toEqual({ t: [1, 1, 3, 5, 7], x: [0, 9, 9, 0, 9], y: [0, 0, 0, 0, 0], p: [1, 0, 0, 1, 0] });
});
