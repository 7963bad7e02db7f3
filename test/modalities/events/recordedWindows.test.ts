import { describe, expect, it } from 'vitest';
import type { Events } from '../../../src/data/events/events.js';
import { eventsOf } from '../../../src/modalities/events/columns.js';
import { LiveWindows } from '../../../src/modalities/events/liveWindows.js';
import { recordedWindows } from '../../../src/modalities/events/recordedWindows.js';
import { parseWindow } from '../../../src/modalities/events/settings.js';

const recording = eventsOf([
  [1000, 3, 4, 1],
  [1050, 5, 6, 0],
  [1120, 7, 8, 1],
  [1199, 1, 2, 0],
  [1480, 9, 9, 1],
]);

const rows = ({ length, t, x, y, p }: Events) => Array.from({ length }, (_, i) => [t[i], x[i], y[i], p[i]]);

describe('windows of a whole recording', () => {
  it('are those that come live, each silent one by itself', () => {
    const live = new LiveWindows(100);
    const expected: unknown[] = [];
    const put = ({ index, windows, from, events }: ReturnType<typeof live.end> & object) => {
      for (let k = 0; k < windows; k++)
        expected.push({ index: index + k, from: from + 100 * k, to: from + 100 * (k + 1), events: rows(events) });
    };
    for (const window of live.push(recording)) put(window);
    put(live.end()!);
    const settings = parseWindow({ by: 'time', microseconds: 100 });
    const found = [...recordedWindows(recording, settings)].map(({ index, from, to, events }) => ({
      index,
      from,
      to,
      events: rows(events),
    }));
    expect(found).toEqual(expected);
    expect(found.map(({ events }) => events.length)).toEqual([2, 2, 0, 0, 1]);
  });

  it('are put in the order of time, and are as many as asked for', () => {
    const backwards = eventsOf([
      [20, 0, 0, 1],
      [10, 1, 1, 0],
      [30, 2, 2, 1],
    ]);
    const windows = [...recordedWindows(backwards, parseWindow({ by: 'count', events: 2 }), { limit: 1 })];
    expect(windows.map(({ events }) => rows(events))).toEqual([
      [
        [10, 1, 1, 0],
        [20, 0, 0, 1],
      ],
    ]);
  });
});
