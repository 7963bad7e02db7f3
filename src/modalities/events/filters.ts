/**
 * Which events of a recording are kept: noise, refractory and hot pixels, every n-th, parts of space and time. Nothing is drawn at
 * random here: what is dropped is given. Where tonic's definition is an accident of its memory's first value, it is an option.
 */
import { type Events, filterEvents, timeRange } from './columns.js';

/** Rows and columns of a sensor. */
export interface SensorSize {
  readonly height: number;
  readonly width: number;
}

/** A rectangle of pixels: columns `left` … `left + width - 1`; what of it lies outside the sensor is empty. */
export interface PixelBox extends SensorSize {
  readonly left: number;
  readonly top: number;
}

type Convention = 'ours' | 'tonic';

/**
 * Keeps events of which one of the 4 neighbours fired less than `microseconds` ago, and in front of them (Delbruck 2008, "Frame-free
 * dynamic digital vision"). Events outside the sensor are dropped. In tonic's convention every pixel also fired at time 0, so that in
 * the first microseconds of absolute time everything with a neighbour is kept, and the sensor ends where the events do.
 */
export function denoise(
  events: Events,
  microseconds: number,
  sensor: SensorSize,
  convention: Convention = 'ours',
): Events {
  const { t, x, y } = events;
  const { height, width } = convention === 'ours' ? sensor : extentOf(events);
  const last = new Float64Array(height * width).fill(convention === 'ours' ? -Infinity : 0);
  return filterEvents(events, (i) => {
    const [column, row, time] = [x[i]!, y[i]!, t[i]!];
    if (column >= width || row >= height) return false;
    const pixel = row * width + column;
    last[pixel] = time;
    const fired = (neighbour: number) => last[neighbour]! + microseconds > time;
    return (
      (column > 0 && fired(pixel - 1)) ||
      (column < width - 1 && fired(pixel + 1)) ||
      (row > 0 && fired(pixel - width)) ||
      (row < height - 1 && fired(pixel + width))
    );
  });
}

/**
 * Keeps events that come more than `microseconds` after the last that was kept at their pixel, of whatever polarity. In tonic's
 * convention dropped events count as well, and every pixel fired at `-microseconds`, which drops events at time 0. Events outside the
 * sensor are dropped.
 */
export function refractoryPeriod(
  events: Events,
  microseconds: number,
  sensor: SensorSize,
  convention: Convention = 'ours',
): Events {
  const { t, x, y } = events;
  const tonic = convention === 'tonic';
  const last = new Float64Array(sensor.height * sensor.width).fill(tonic ? -microseconds : -Infinity);
  return filterEvents(events, (i) => {
    if (x[i]! >= sensor.width || y[i]! >= sensor.height) return false;
    const pixel = y[i]! * sensor.width + x[i]!;
    const keeps = t[i]! - last[pixel]! > microseconds;
    if (keeps || tonic) last[pixel] = t[i]!;
    return keeps;
  });
}

/** Pixels, as `y · width + x`, that fire more often than `frequency` a second over the whole recording, in rising order. */
export function hotPixels(events: Events, frequency: number, { height, width }: SensorSize): readonly number[] {
  const counts = new Uint32Array(height * width);
  for (let i = 0; i < events.length; i++) {
    if (events.x[i]! < width && events.y[i]! < height) counts[events.y[i]! * width + events.x[i]!]!++;
  }
  const [first, last] = timeRange(events);
  const most = frequency * (last - first) * 1e-6;
  const hot: number[] = [];
  for (let pixel = 0; pixel < counts.length; pixel++) if (counts[pixel]! > most) hot.push(pixel);
  return hot;
}

/** Drops the events of these pixels, named as {@link hotPixels} names them. */
export function dropPixels(events: Events, pixels: readonly number[], { width }: SensorSize): Events {
  const dropped = new Set(pixels);
  return filterEvents(events, (i) => events.x[i]! >= width || !dropped.has(events.y[i]! * width + events.x[i]!));
}

/** Keeps every n-th event of each pixel. Events outside the sensor are dropped. */
export function decimate(events: Events, n: number, { height, width }: SensorSize): Events {
  const counts = new Uint32Array(height * width);
  return filterEvents(events, (i) => {
    if (events.x[i]! >= width || events.y[i]! >= height) return false;
    const pixel = events.y[i]! * width + events.x[i]!;
    counts[pixel] = (counts[pixel]! + 1) % n;
    return counts[pixel] === 0;
  });
}

/** Drops the events at these indices. */
export function dropEvents(events: Events, indices: ArrayLike<number>): Events {
  const dropped = new Uint8Array(events.length);
  for (let i = 0; i < indices.length; i++) dropped[indices[i]!] = 1;
  return filterEvents(events, (i) => dropped[i] === 0);
}

/** Drops the events from one time to another, both included. */
export function dropTime(events: Events, from: number, to: number): Events {
  return filterEvents(events, (i) => !(events.t[i]! >= from && events.t[i]! <= to));
}

/** Keeps the events from one time to another, both included. */
export function cropTime(events: Events, from: number, to: number): Events {
  return filterEvents(events, (i) => events.t[i]! >= from && events.t[i]! <= to);
}

/** Drops the events inside a box. */
export function dropArea(events: Events, box: PixelBox): Events {
  return filterEvents(events, (i) => !isInside(events, i, box));
}

/** The events inside a box, whose corner becomes the origin. A box that begins left of or above the sensor makes an empty border. */
export function cropArea(events: Events, box: PixelBox): Events {
  const kept = filterEvents(events, (i) => isInside(events, i, box));
  for (let i = 0; i < kept.length; i++) {
    kept.x[i]! -= box.left;
    kept.y[i]! -= box.top;
  }
  return kept;
}

/** The box of a size in the centre of a sensor; of two equally good ones that nearer the origin, as in tonic. */
export function centreBox(sensor: SensorSize, { height, width }: SensorSize): PixelBox {
  return {
    height,
    width,
    top: Math.floor((sensor.height - height) / 2),
    left: Math.floor((sensor.width - width) / 2),
  };
}

/** Drops what the sensor does not have. */
export function insideSensor(events: Events, sensor: SensorSize): Events {
  const { x, y } = events;
  const { width, height } = sensor;
  return filterEvents(events, (i) => x[i]! < width && y[i]! < height);
}

function isInside({ x, y }: Events, i: number, { left, top, width, height }: PixelBox): boolean {
  return x[i]! >= left && x[i]! < left + width && y[i]! >= top && y[i]! < top + height;
}

function extentOf({ x, y, length }: Events): SensorSize {
  let [width, height] = [0, 0];
  for (let i = 0; i < length; i++) {
    width = Math.max(width, x[i]! + 1);
    height = Math.max(height, y[i]! + 1);
  }
  return { width, height };
}
