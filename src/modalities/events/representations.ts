/**
 * What is drawn of a run of events: counts, signs, last times. Each function adds to a float32 frame `[channels, height, width]` inside
 * a larger target, which starts as zeros. Events outside the places are passed over.
 */
import type { Events } from './columns.js';

/** Where the columns and rows of a sensor are drawn: index by coordinate, −1 for nowhere. */
export interface Places {
  readonly height: number;
  readonly width: number;
  readonly columns: Int32Array;
  readonly rows: Int32Array;
}

/** A frame inside a larger target. */
export interface Frame {
  readonly target: Float32Array;
  /** Of the first value of channel 0. */
  readonly offset: number;
}

/** A sensor drawn as it is. */
export function placesOf(height: number, width: number): Places {
  return {
    height,
    width,
    columns: Int32Array.from({ length: width }, (_, x) => x),
    rows: Int32Array.from({ length: height }, (_, y) => y),
  };
}

/** Two channels: `target[p, y, x]` counts the events of polarity p. */
export function addPolarities(
  events: Events,
  start: number,
  end: number,
  places: Places,
  { target, offset }: Frame,
): void {
  const { x, y, p } = events;
  const { columns, rows, width } = places;
  const plane = places.height * width;
  for (let i = start; i < end; i++) {
    const column = at(columns, x[i]!);
    const row = at(rows, y[i]!);
    if ((column | row) >= 0) target[offset + (p[i] === 0 ? 0 : plane) + row * width + column]! += 1;
  }
}

/** One channel: events of polarity 1 less events of polarity 0. */
export function addSigned(events: Events, start: number, end: number, places: Places, { target, offset }: Frame): void {
  const { x, y, p } = events;
  const { columns, rows, width } = places;
  for (let i = start; i < end; i++) {
    const column = at(columns, x[i]!);
    const row = at(rows, y[i]!);
    if ((column | row) >= 0) target[offset + row * width + column]! += p[i] === 0 ? -1 : 1;
  }
}

/** One channel: 1 where there was an event. */
export function setBinary(events: Events, start: number, end: number, places: Places, { target, offset }: Frame): void {
  const { x, y } = events;
  const { columns, rows, width } = places;
  for (let i = start; i < end; i++) {
    const column = at(columns, x[i]!);
    const row = at(rows, y[i]!);
    if ((column | row) >= 0) target[offset + row * width + column] = 1;
  }
}

/** Two channels, of which a pixel has one at most: 1 in channel p where the last event has polarity p. */
export function setLastPolarity(
  events: Events,
  start: number,
  end: number,
  places: Places,
  { target, offset }: Frame,
): void {
  const { x, y, p } = events;
  const { columns, rows, width } = places;
  const plane = places.height * width;
  for (let i = start; i < end; i++) {
    const column = at(columns, x[i]!);
    const row = at(rows, y[i]!);
    if ((column | row) < 0) continue;
    const pixel = offset + row * width + column;
    target[pixel] = p[i] === 0 ? 1 : 0;
    target[pixel + plane] = p[i] === 0 ? 0 : 1;
  }
}

/** A place, or −1 also for coordinates that the sensor does not have. */
export function at(places: Int32Array, coordinate: number): number {
  return coordinate < places.length ? places[coordinate]! : -1;
}
