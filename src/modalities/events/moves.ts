/**
 * Where and when events are, changed: mirrored, moved, turned, magnified, shaken, sampled coarser. The random parts are given as numbers;
 * `augment.ts` draws them. Events that leave the sensor are dropped, and those that were outside before.
 */
import { type Events, inTimeOrder, makeEvents, setEvent, timeRange, withColumns } from './columns.js';
import { insideSensor, type SensorSize } from './filters.js';

/** Left and right change places: x becomes width − 1 − x. */
export function flipLeftRight(events: Events, sensor: SensorSize): Events {
  const inside = insideSensor(events, sensor);
  return withColumns(inside, { x: inside.x.map((x) => sensor.width - 1 - x) });
}

/** Top and bottom change places. */
export function flipUpDown(events: Events, sensor: SensorSize): Events {
  const inside = insideSensor(events, sensor);
  return withColumns(inside, { y: inside.y.map((y) => sensor.height - 1 - y) });
}

/** Every polarity becomes the other. */
export function flipPolarity(events: Events): Events {
  return withColumns(events, { p: events.p.map((p) => (p === 0 ? 1 : 0)) });
}

/** Backwards, from time 0 on; what got brighter gets darker, so polarities change too. */
export function reverseTime(events: Events): Events {
  const { t, x, y, p, length } = events;
  const [, last] = timeRange(events);
  const reversed = makeEvents(length, length);
  for (let i = 0; i < length; i++) {
    const from = length - 1 - i;
    setEvent(reversed, i, last - t[from]!, x[from]!, y[from]!, p[from] === 0 ? 1 : 0);
  }
  return reversed;
}

/** The first time becomes 0. */
export function alignTime(events: Events): Events {
  const [first] = timeRange(events);
  return withColumns(events, { t: events.t.map((t) => t - first) });
}

/** Factors of {@link downsample}; 0.5 halves. */
export interface DownsampleFactors {
  readonly horizontal?: number;
  readonly vertical?: number;
  readonly time?: number;
}

/** Coordinates and times times factors, cut to whole numbers. No event is lost or merged. */
export function downsample(events: Events, { horizontal = 1, vertical = 1, time = 1 }: DownsampleFactors): Events {
  return withColumns(events, {
    x: events.x.map((x) => Math.trunc(x * horizontal)),
    y: events.y.map((y) => Math.trunc(y * vertical)),
    t: events.t.map((t) => Math.trunc(t * time)),
  });
}

/** How a moved coordinate becomes whole. tonic truncates towards zero, which keeps what left by less than a pixel at the first one. */
export type Rounding = 'nearest' | 'truncate';

const rounding = { nearest: Math.round, truncate: Math.trunc };

/** Each event moved by its own `(shifts[2i], shifts[2i + 1])` pixels to the right and down. */
export function jitterSpace(
  events: Events,
  shifts: ArrayLike<number>,
  sensor: SensorSize,
  how: Rounding = 'nearest',
): Events {
  const round = rounding[how];
  const [columns, rows] = [new Float64Array(events.length), new Float64Array(events.length)];
  for (let i = 0; i < events.length; i++) {
    columns[i] = round(events.x[i]! + shifts[2 * i]!);
    rows[i] = round(events.y[i]! + shifts[2 * i + 1]!);
  }
  return moveTo(events, sensor, columns, rows);
}

/** Each event moved in time by its own `shifts[i]` microseconds, and sorted again. tonic's: truncated, and those before 0 dropped. */
export function jitterTime(events: Events, shifts: ArrayLike<number>, how: Rounding = 'nearest'): Events {
  const round = rounding[how];
  const moved = makeEvents(events.length);
  for (let i = 0; i < events.length; i++) {
    const t = round(events.t[i]! + shifts[i]!);
    if (how === 'nearest' || t >= 0) setEvent(moved, moved.length++, t, events.x[i]!, events.y[i]!, events.p[i]!);
  }
  return inTimeOrder(moved);
}

/** Slower or faster and later or earlier: t becomes `round(coefficient · (t − t₀)) + t₀ + offset`. */
export function skewTime(events: Events, coefficient: number, offset = 0): Events {
  const [first] = timeRange(events);
  return withColumns(events, {
    t: events.t.map((t) => Math.round(coefficient * (t - first)) + first + Math.round(offset)),
  });
}

/** A turn by `rotation` radians (clockwise, y pointing down) and a magnification about the centre, then a shift in pixels. */
export interface AffineMove {
  readonly rotation: number;
  readonly zoom: number;
  readonly right: number;
  readonly down: number;
}

/** Every event to the pixel nearest to where it is moved. Magnified recordings have as many events as before, with gaps between. */
export function moveAffine(events: Events, { rotation, zoom, right, down }: AffineMove, sensor: SensorSize): Events {
  const [centreX, centreY] = [(sensor.width - 1) / 2, (sensor.height - 1) / 2];
  const [cosine, sine] = [zoom * Math.cos(rotation), zoom * Math.sin(rotation)];
  const [columns, rows] = [new Float64Array(events.length), new Float64Array(events.length)];
  for (let i = 0; i < events.length; i++) {
    const x = events.x[i]! - centreX;
    const y = events.y[i]! - centreY;
    columns[i] = Math.round(cosine * x - sine * y + centreX + right);
    rows[i] = Math.round(sine * x + cosine * y + centreY + down);
  }
  return moveTo(events, sensor, columns, rows);
}

/** The events at new whole places, those on the sensor. */
function moveTo(events: Events, sensor: SensorSize, columns: Float64Array, rows: Float64Array): Events {
  const { t, x, y, p, length } = events;
  const { width, height } = sensor;
  const moved = makeEvents(length);
  for (let i = 0; i < length; i++) {
    if (x[i]! >= width || y[i]! >= height) continue;
    const [column, row] = [columns[i]!, rows[i]!];
    if (column < 0 || row < 0 || column >= width || row >= height) continue;
    setEvent(moved, moved.length++, t[i]!, column, row, p[i]!);
  }
  return moved;
}
