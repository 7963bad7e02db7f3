import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/data/errors.js';
import { eventsOf } from '../../../src/modalities/events/columns.js';
import { parseWindow, type WindowInput } from '../../../src/modalities/events/settings.js';
import { slicesOf } from '../../../src/modalities/events/slicing.js';

const at = (...times: number[]) => eventsOf(times.map((t) => [t, 0, 0, 1]));
const runs = (times: number[], window: WindowInput, options = {}) =>
  slicesOf(at(...times), parseWindow(window), options).map(({ start, end }) => [start, end]);

describe('our own windows', () => {
  it('by time go on until the last event is inside', () => {
    // The span, 10, is twice the window: the event at its very end needs a window of its own.
    expect(runs([100, 104, 105, 110], { by: 'time', microseconds: 5 })).toEqual([
      [0, 2],
      [2, 3],
      [3, 4],
    ]);
    expect(runs([100, 104, 105, 109], { by: 'time', microseconds: 5 })).toEqual([
      [0, 2],
      [2, 4],
    ]);
    expect(runs([7], { by: 'time', microseconds: 5 })).toEqual([[0, 1]]);
  });

  it('by time keep quiet windows and may overlap', () => {
    expect(runs([0, 1, 20], { by: 'time', microseconds: 8 })).toEqual([
      [0, 2],
      [2, 2],
      [2, 3],
    ]);
    expect(runs([0, 4, 8], { by: 'time', microseconds: 6, overlap: 3 })).toEqual([
      [0, 2],
      [1, 3],
    ]);
  });

  it('by time leave quiet windows out when asked to, however long the pause', () => {
    const window = { by: 'time', microseconds: 8, empty: 'leftOut' } as const;
    expect(runs([0, 1, 20], window)).toEqual([
      [0, 2],
      [2, 3],
    ]);
    const [, later] = slicesOf(at(3, 1e15), parseWindow(window), { limit: 4 });
    // Borders stay those of windows that are shown: 3 + 8 k.
    expect(later).toEqual({ start: 1, end: 2, from: 1e15 - ((1e15 - 3) % 8), to: 1e15 - ((1e15 - 3) % 8) + 8 });
    expect(runs([0, 9, 18, 27], window, { limit: 3 })).toHaveLength(3);
    expect(() => parseWindow({ ...window, overlap: 2 })).toThrow(/empty/);
  });

  it('by count end with a shorter one', () => {
    expect(runs([1, 2, 3, 4, 5], { by: 'count', events: 2 })).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ]);
    expect(runs([1, 2, 3, 4, 5], { by: 'count', events: 3, overlap: 1 })).toEqual([
      [0, 3],
      [2, 5],
    ]);
  });

  it('in bins of time partition the recording, its last event included', () => {
    expect(runs([0, 2, 3, 6, 9], { by: 'bins', bins: 3 })).toEqual([
      [0, 2],
      [2, 3],
      [3, 5],
    ]);
    expect(runs([5, 5], { by: 'bins', bins: 2 })).toEqual([
      [0, 2],
      [2, 2],
    ]);
  });

  it('in bins of events differ by one event at most', () => {
    expect(runs([1, 2, 3, 4, 5], { by: 'bins', bins: 3, of: 'events' })).toEqual([
      [0, 1],
      [1, 3],
      [3, 5],
    ]);
  });

  it.each<WindowInput>([
    { by: 'time', microseconds: 7 },
    { by: 'time', microseconds: 10 },
    { by: 'count', events: 7 },
    { by: 'bins', bins: 7 },
    { by: 'bins', bins: 13, of: 'events' },
  ])('lose and repeat no event: %j', (window) => {
    const times = Array.from({ length: 100 }, (_, i) => 1_000_003 + i * i);
    const slices = runs(times, window);
    expect(slices[0]![0]).toBe(0);
    expect(slices.at(-1)![1]).toBe(100);
    for (let i = 1; i < slices.length; i++) expect(slices[i]![0]).toBe(slices[i - 1]![1]);
  });

  it('hold every event when they overlap', () => {
    const times = Array.from({ length: 50 }, (_, i) => 3 * i);
    for (const window of [
      { by: 'time', microseconds: 20, overlap: 7 },
      { by: 'count', events: 9, overlap: 4 },
      { by: 'bins', bins: 6, overlap: 0.3 },
      { by: 'bins', bins: 6, overlap: 0.3, of: 'events' },
    ] as const) {
      const seen = new Set<number>();
      for (const [start, end] of runs(times, window)) for (let i = start!; i < end!; i++) seen.add(i);
      expect(seen.size).toBe(50);
    }
  });

  it('of nothing are none, or empty bins', () => {
    expect(runs([], { by: 'time', microseconds: 5 })).toEqual([]);
    expect(runs([], { by: 'count', events: 5 })).toEqual([]);
    expect(runs([], { by: 'bins', bins: 2 })).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it('are not made by the billion for a wrong time stamp', () => {
    const window: WindowInput = { by: 'time', microseconds: 1 };
    expect(() => runs([0, 1e15], window)).toThrow(DataError);
    expect(runs([0, 1e15], window, { limit: 2 })).toEqual([
      [0, 1],
      [1, 1],
    ]);
  });
});

describe('settings of windows', () => {
  it.each([
    [{ by: 'time', microseconds: 5, overlap: 5 }, 'overlap'],
    [{ by: 'time', microseconds: 0 }, 'microseconds'],
    [{ by: 'bins', bins: 2, convention: 'spikingjelly', overlap: 0.5 }, 'overlap'],
    [{ by: 'count', events: 2, convention: 'spikingjelly' }, 'convention'],
    [{ by: 'count', events: 2, includeIncomplete: true }, 'includeIncomplete'],
    [{ by: 'frames' }, 'by'],
  ])('%j is refused, naming %s', (window, field) => {
    expect(() => parseWindow(window)).toThrow(new RegExp(`^window: the settings are wrong at ${field}: `));
  });
});
