/** Windows of events that arrive in pieces, against the same recording cut whole. */
import { describe, expect, it } from 'vitest';
import type { Events } from '../../../src/data/events/events.js';
import { eventsOf } from '../../../src/modalities/events/columns.js';
import { type LiveWindow, LiveWindows } from '../../../src/modalities/events/liveWindows.js';
import { parseWindow } from '../../../src/modalities/events/settings.js';
import { slicesOf } from '../../../src/modalities/events/slicing.js';
import { seededRandom } from '../../../src/random.js';

type Row = [t: number, x: number, y: number, p: number];

const rowsOf = ({ length, t, x, y, p }: Events) => Array.from({ length }, (_, i): Row => [t[i]!, x[i]!, y[i]!, p[i]!]);

/** Copies what is valid for a moment only. */
function* cut(rows: readonly Row[], pieces: number, microseconds: number) {
  const windows = new LiveWindows(microseconds);
  const size = Math.ceil(rows.length / pieces);
  const copied = (window: LiveWindow) => ({ ...window, events: rowsOf(window.events) });
  for (let at = 0; at < rows.length; at += size)
    for (const window of windows.push(eventsOf(rows.slice(at, at + size)))) yield copied(window);
  const last = windows.end();
  if (last) yield copied(last);
}

describe('live windows', () => {
  it.each([1, 2, 7, 6000])('are those of the whole recording, in %d pieces', (pieces) => {
    const random = seededRandom(5);
    let t = 1e9;
    const rows = Array.from({ length: 6000 }, (): Row => {
      t += random.uniform() < 0.002 ? 5000 : random.integer(3);
      return [t, random.integer(34), random.integer(34), random.integer(2)];
    });
    const events = eventsOf(rows);
    const slices = slicesOf(events, parseWindow({ by: 'time', microseconds: 700 }));
    const live = [...cut(rows, pieces, 700)];
    const shown = live.flatMap(({ windows, index, from, to, events: own }) =>
      Array.from({ length: windows }, (_, k) => ({
        index: index + k,
        from: from + k * 700,
        to: windows === 1 ? to : from + (k + 1) * 700,
        events: own,
      })),
    );
    expect(shown).toEqual(
      slices.map(({ start, end, from, to }, index) => ({ index, from, to, events: rows.slice(start, end) })),
    );
  });

  it('make one entry of a long silence, and keep late events', () => {
    const rows: Row[] = [
      [10, 1, 1, 1],
      [8, 2, 2, 0],
      [1e15, 3, 3, 1],
    ];
    const windows = [...cut(rows, 1, 20)];
    expect(windows).toHaveLength(3);
    expect(windows[0]).toMatchObject({ index: 0, windows: 1, from: 10, to: 30, events: rows.slice(0, 2) });
    expect(windows[1]).toMatchObject({ index: 1, events: [] });
    expect(windows[2]!.index).toBe(1 + windows[1]!.windows);
    expect(windows[2]!.from).toBeLessThanOrEqual(1e15);
    expect(windows[2]!.to).toBeGreaterThan(1e15);
  });
});
