/**
 * Time surfaces (Lagorce et al. 2017, HOTS) of whole frames, as tonic makes them: how long ago a pixel last fired, seen from the end of a
 * window. The memory goes on from window to window.
 */
import type { Events } from './columns.js';
import { at, type Frame, type Places } from './representations.js';
import type { Slice } from './slice.js';

/** The last times of both polarities, and how many events are in them. */
export interface SurfaceMemory {
  /** `[2, height, width]`, −∞ before the first event. */
  readonly last: Float64Array;
  seen: number;
}

export function surfaceMemory({ height, width }: Places): SurfaceMemory {
  return { last: new Float64Array(2 * height * width).fill(-Infinity), seen: 0 };
}

/**
 * Two channels: `exp(−(to − last[p, y, x]) / tau)`, `to` being the end of the window, `last` over all events up to its last; 0 where
 * nothing was. Takes what is new into the memory; windows have to come in their order.
 */
export function writeTimeSurface(
  events: Events,
  { end, to }: Slice,
  places: Places,
  tau: number,
  memory: SurfaceMemory,
  { target, offset }: Frame,
): void {
  const { t, x, y, p } = events;
  const { columns, rows, width } = places;
  const { last } = memory;
  const plane = places.height * width;
  for (; memory.seen < end; memory.seen++) {
    const column = at(columns, x[memory.seen]!);
    const row = at(rows, y[memory.seen]!);
    if ((column | row) >= 0) last[(p[memory.seen] === 0 ? 0 : plane) + row * width + column] = t[memory.seen]!;
  }
  for (let i = 0; i < last.length; i++) {
    const time = last[i]!;
    target[offset + i] = time === -Infinity ? 0 : Math.exp((time - to) / tau);
  }
}
