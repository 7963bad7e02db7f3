/**
 * The windows of a whole recording one after the other, as they would come live: what `slicing.ts` cuts, each with its events as a run of its own. Of windows by time without
 * overlap they are those of `liveWindows.ts`.
 */
import { type Events, inTimeOrder } from './columns.js';
import type { LiveWindow } from './liveWindows.js';
import type { WindowSettings } from './settings.js';
import type { SliceOptions } from './slice.js';
import { slicesOf } from './slicing.js';

/**
 * Nothing is copied of a recording whose times never step back; events may be kept.
 *
 * @throws DataError as `slicesOf`.
 */
export function* recordedWindows(
  recording: Events,
  window: WindowSettings,
  options: SliceOptions = {},
): Generator<LiveWindow, void, undefined> {
  const { t, x, y, p } = inTimeOrder(recording);
  for (const [index, { start, end, from, to }] of slicesOf({ ...recording, t, x, y, p }, window, options).entries()) {
    const events: Events = {
      length: end - start,
      t: t.subarray(start, end),
      x: x.subarray(start, end),
      y: y.subarray(start, end),
      p: p.subarray(start, end),
    };
    yield { index, windows: 1, from, to, events };
  }
}
