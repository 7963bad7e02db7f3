/** A recording as a person would look at it: all its events at once, lighter where polarity 1 prevails, darker where 0 does. */
import type { RgbImage } from '../../data/image.js';
import type { RecordedEvents } from './eventsInput.js';

const grey = 128;
/** Of the strongest pixel. */
const contrast = 127;

/** At the sensor's size, or that which holds all events. */
export function eventPicture({ sensor, length, x, y, p }: RecordedEvents): RgbImage {
  const width = sensor?.width ?? largest(x, length) + 1;
  const height = sensor?.height ?? largest(y, length) + 1;
  const sums = new Int32Array(width * height);
  for (let i = 0; i < length; i++) {
    if (x[i]! < width && y[i]! < height) sums[y[i]! * width + x[i]!]! += p[i] === 1 ? 1 : -1;
  }
  const strongest = sums.reduce((most, sum) => Math.max(most, Math.abs(sum)), 1);
  const data = new Uint8Array(3 * sums.length);
  for (const [pixel, sum] of sums.entries()) {
    // A single event against thousands is still to be seen.
    data.fill(
      grey + Math.round(contrast * Math.sign(sum) * Math.sqrt(Math.abs(sum) / strongest)),
      3 * pixel,
      3 * pixel + 3,
    );
  }
  return { width, height, data };
}

function largest(values: Uint16Array, length: number): number {
  let most = 0;
  for (let i = 0; i < length; i++) most = Math.max(most, values[i]!);
  return most;
}
