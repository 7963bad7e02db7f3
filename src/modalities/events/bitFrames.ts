/**
 * Several binary frames as the bits of one number per pixel and polarity (Barchid et al. 2022, "Bina-Rep event frames"): what happened
 * first weighs most, and the number is divided so that all bits make 1.
 */
import { type Events, firstWhere } from './columns.js';
import { at, type Frame, type Places } from './representations.js';
import type { Slice } from './slice.js';

/** Two channels: `Σ_k 2^(n−1−k) / (2^n − 1)` over the slices k of n in which the pixel fired. At most 24 slices stay exact. */
export function setBits(events: Events, slices: readonly Slice[], places: Places, { target, offset }: Frame): void {
  const { x, y, p } = events;
  const { columns, rows, width } = places;
  const plane = places.height * width;
  const all = 2 ** slices.length - 1;
  for (const [k, { start, end }] of slices.entries()) {
    const bit = 2 ** (slices.length - 1 - k);
    for (let i = start; i < end; i++) {
      const column = at(columns, x[i]!);
      const row = at(rows, y[i]!);
      if ((column | row) < 0) continue;
      const pixel = offset + (p[i] === 0 ? 0 : plane) + row * width + column;
      if ((target[pixel]! & bit) === 0) target[pixel]! += bit;
    }
  }
  for (let i = offset; i < offset + 2 * plane; i++) target[i]! /= all;
}

/** A window cut into equal spans of time; the last event is in the last. A window without a span is all in the first. */
export function partsOf(events: Events, { start, end, from, to }: Slice, parts: number): readonly Slice[] {
  const span = to - from;
  const edge = (part: number) => {
    if (part === 0) return start;
    if (part === parts || span <= 0) return end;
    return firstWhere(end, (i) => (events.t[i]! - from) * parts >= part * span, start);
  };
  return Array.from({ length: parts }, (_, k) => ({
    start: edge(k),
    end: edge(k + 1),
    from: from + (k * span) / parts,
    to: from + ((k + 1) * span) / parts,
  }));
}
