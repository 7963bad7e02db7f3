/** Events as pictures: what a camera saw in the last moments before a time, and the frame that a network receives. Warm is ON, cool is OFF. */
import type { Colour } from '../components/canvas.js';
import type { FrameValues, RecordingView } from './messages.js';

/** How a format means what it stores (docs/events.md). The network gets what is stored; a person wants to see it upright. */
export interface Orientation {
  readonly bottomUp: boolean;
  readonly mirrored: boolean;
  /** Whether a bit of 0 says that it became brighter. */
  readonly zeroIsOn: boolean;
}

export function orientationOf({ format }: Pick<RecordingView, 'format'>): Orientation {
  return {
    bottomUp: format.startsWith('aedat2') || format === 'es',
    mirrored: format.startsWith('aedat2'),
    zeroIsOn: format === 'aedat2-dvs128',
  };
}

export interface EventColours {
  readonly on: Colour;
  readonly off: Colour;
}

/** Canvases of larger sensors are drawn smaller. */
const longestSide = 1280;
/** Of a camera that saw very much at once the newest. */
const mostDrawn = 300_000;

export interface PictureSize {
  readonly width: number;
  readonly height: number;
  /** Pixels of the sensor to one of the picture, along each axis. */
  readonly shrink: number;
}

export function pictureSizeOf({ sensor: { width, height } }: Pick<RecordingView, 'sensor'>): PictureSize {
  const shrink = Math.ceil(Math.max(width, height) / longestSide);
  return { width: Math.ceil(width / shrink), height: Math.ceil(height / shrink), shrink };
}

/** How many events are not after `time`. */
export function countUntil({ t, length }: Pick<RecordingView, 't' | 'length'>, time: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[middle]! <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Draws the events of `(time - trail, time]`, the newest on top and strongest. */
export function drawEvents(
  pixels: ImageData,
  recording: RecordingView,
  { time, trail, colours, shrink }: { time: number; trail: number; colours: EventColours; shrink: number },
): void {
  const { t, x, y, p } = recording;
  const { bottomUp, mirrored, zeroIsOn } = orientationOf(recording);
  const { data, width, height } = pixels;
  data.fill(0);
  const end = countUntil(recording, time);
  const start = Math.max(countUntil(recording, time - trail), end - mostDrawn);
  for (let i = start; i < end; i++) {
    const column = Math.floor(x[i]! / shrink);
    const row = Math.floor(y[i]! / shrink);
    if (column >= width || row >= height) continue;
    const at = 4 * ((bottomUp ? height - 1 - row : row) * width + (mirrored ? width - 1 - column : column));
    const [red, green, blue] = (p[i] === 1) !== zeroIsOn ? colours.on : colours.off;
    data[at] = red;
    data[at + 1] = green;
    data[at + 2] = blue;
    data[at + 3] = Math.round(255 * (1 - (0.75 * (time - t[i]!)) / trail));
  }
}

/** A frame: of two channels the second is ON; of one, positive is ON. */
export function drawFrame(
  pixels: ImageData,
  { channels, data }: FrameValues,
  { colours, recording }: { colours: EventColours; recording: RecordingView },
): void {
  const { bottomUp, mirrored, zeroIsOn } = orientationOf(recording);
  const { width, height } = pixels;
  const places = width * height;
  let most = 1e-6;
  for (const value of data) most = Math.max(most, Math.abs(value));
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const place = row * width + column;
      const first = data[place]!;
      const [off, on] = channels === 1 ? [Math.max(0, -first), Math.max(0, first)] : [first, data[places + place]!];
      const stronger = on >= off !== zeroIsOn ? colours.on : colours.off;
      const at = 4 * ((bottomUp ? height - 1 - row : row) * width + (mirrored ? width - 1 - column : column));
      const value = Math.max(on, off);
      pixels.data.set([...stronger, value === 0 ? 0 : Math.round(60 + (195 * value) / most)], at);
    }
}
