// @ts-check
/**
 * Writes the recordings of events that ship (assets/recordings/*.bin): a digit on a screen, seen by a simulated event camera of 34 × 34 pixels whose gaze jumps along a
 * triangle three times, as the recordings of N-MNIST were made (Orchard et al. 2015). They are drawn here from strokes of our own, so that they are free of any
 * licence but the project's; nothing is copied from a data set. The same seed writes the same bytes.
 *
 * A pixel sends an event whenever the logarithm of its brightness has moved by `threshold` since its last one (Gallego et al. 2020, equation 1), and a few at random.
 *
 * Usage: node scripts/make-recordings.mjs [FOLDER]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const side = 34;
const saccade = 105_000;
const threshold = 0.35;
const refractory = 1_000;
const step = 250;

/** Strokes as lines through points, on a field of 20 × 20. @type {Record<string, number[][][]>} */
const strokes = {
  two: [
    [
      [4, 5],
      [6, 2],
      [10, 1],
      [14, 3],
      [15, 6],
      [13, 10],
      [8, 14],
      [4, 18],
      [10, 18],
      [16, 18],
    ],
  ],
  five: [
    [
      [15, 2],
      [6, 2],
      [5, 8],
      [10, 8],
      [14, 10],
      [15, 14],
      [12, 18],
      [8, 18],
      [4, 16],
    ],
  ],
  seven: [
    [
      [4, 2],
      [15, 2],
      [12, 9],
      [9, 18],
    ],
  ],
};

/** Corners of the triangle that the gaze walks, in pixels. */
const corners = [
  [0, 0],
  [3.2, 3.2],
  [-3.2, 3.2],
  [0, 0],
];

/** A generator of numbers from 0 to 1 (mulberry32). @param {number} seed */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Distance of a point from a line between two others. @param {number} x @param {number} y @param {number[]} from @param {number[]} to */
function distance(x, y, [ax = 0, ay = 0], [bx = 0, by = 0]) {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const along = length === 0 ? 0 : Math.min(Math.max(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0), 1);
  return Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay));
}

/** Brightness of the screen at a place, dark to bright as 0.08 to 1. @param {number[][][]} lines @param {number} x @param {number} y */
function brightness(lines, x, y) {
  let nearest = Infinity;
  for (const line of lines)
    for (let i = 1; i < line.length; i++) nearest = Math.min(nearest, distance(x, y, line[i - 1] ?? [], line[i] ?? []));
  const edge = Math.min(Math.max((2.1 - nearest) / 1.2, 0), 1);
  return 0.08 + 0.92 * edge * edge * (3 - 2 * edge);
}

/** @param {number[][][]} lines @param {number} seed @returns {{ t: number, x: number, y: number, on: boolean }[]} */
function record(lines, seed) {
  const random = randomFrom(seed);
  const pixels = side * side;
  const reference = new Float64Array(pixels);
  const last = new Float64Array(pixels).fill(-refractory);
  const thresholds = Float64Array.from({ length: pixels }, () => threshold * (0.85 + 0.3 * random()));
  const events = [];
  const gaze = (/** @type {number} */ t) => {
    const index = Math.min(Math.floor(t / saccade), 2);
    const part = Math.min((t - index * saccade) / saccade, 1);
    // A saccade is fast in its middle.
    const eased = part * part * (3 - 2 * part);
    const [from = [0, 0], to = [0, 0]] = [corners[index], corners[index + 1]];
    return [0, 1].map((axis) => (from[axis] ?? 0) + eased * ((to[axis] ?? 0) - (from[axis] ?? 0)));
  };
  for (let t = 0; t < 3 * saccade; t += step) {
    const [dx = 0, dy = 0] = gaze(t);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const pixel = y * side + x;
        const value = Math.log(brightness(lines, x - 7 + dx, y - 7 + dy));
        if (t === 0) reference[pixel] = value;
        const noisy = random() < 4e-7 * step;
        const change = value - (reference[pixel] ?? 0);
        if (!noisy && Math.abs(change) < (thresholds[pixel] ?? threshold)) continue;
        if (t - (last[pixel] ?? 0) < refractory) continue;
        const on = noisy ? random() < 0.5 : change > 0;
        events.push({ t: t + Math.floor(random() * step), x, y, on });
        if (!noisy) reference[pixel] = (reference[pixel] ?? 0) + Math.sign(change) * (thresholds[pixel] ?? threshold);
        last[pixel] = t;
      }
    }
  }
  return events.sort((a, b) => a.t - b.t || a.y - b.y || a.x - b.x);
}

const folder = process.argv[2] ?? join(import.meta.dirname, '..', 'assets', 'recordings');
await mkdir(folder, { recursive: true });
for (const [index, [name, lines]] of Object.entries(strokes).entries()) {
  const events = record(lines, index + 1);
  const bytes = Buffer.alloc(events.length * 5);
  for (const [i, { t, x, y, on }] of events.entries()) {
    bytes.writeUInt8(x, i * 5);
    bytes.writeUInt8(y, i * 5 + 1);
    bytes.writeUIntBE(t | (on ? 0x800000 : 0), i * 5 + 2, 3);
  }
  await writeFile(join(folder, `${name}.bin`), bytes);
  console.log(`${name}.bin: ${events.length} events`);
}
