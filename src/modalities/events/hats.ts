/**
 * Histograms of averaged time surfaces (Sironi et al. 2018, HATS): the sensor is divided into square cells; around each event of a cell
 * the earlier events of the same cell and polarity are drawn, faded by their age, and these patches are averaged.
 */
import type { Events } from './columns.js';
import type { SensorSize } from './filters.js';
import type { Frame } from './representations.js';

export interface HatsSettings {
  /** Pixels on a side of a cell. */
  readonly cellSize: number;
  /** Pixels on a side of a patch; odd, not larger than a cell. */
  readonly surfaceSize: number;
  /** Older events than this many microseconds are not drawn. */
  readonly timeWindow: number;
  /** Microseconds. */
  readonly tau: number;
  /** `exp(−age/τ)`, or `1 − age/(3τ)`, which becomes negative when the window is longer than 3τ. */
  readonly decay: 'exponential' | 'linear';
}

/** `[cells, 2, surfaceSize, surfaceSize]`; cells row by row, those at the right and bottom may be cut. */
export function hatsShape(
  { height, width }: SensorSize,
  { cellSize, surfaceSize }: HatsSettings,
): readonly [number, number, number, number] {
  return [Math.ceil(height / cellSize) * Math.ceil(width / cellSize), 2, surfaceSize, surfaceSize];
}

/**
 * Adds `Σ patch / N` to each cell and polarity with N events, at `[dy + ρ, dx + ρ]` of the earlier event less this one; an event itself
 * counts 1 in the middle. Sums are float64. Events are in time order; those outside the sensor are passed over.
 */
export function addHats(events: Events, sensor: SensorSize, settings: HatsSettings, { target, offset }: Frame): void {
  const { surfaceSize } = settings;
  const radius = surfaceSize >> 1;
  const area = surfaceSize * surfaceSize;
  for (const [memory, indices] of memoriesOf(events, sensor, settings.cellSize)) {
    const patch = new Float64Array(area);
    let oldest = 0;
    for (let i = 0; i < indices.length; i++) {
      const now = indices[i]!;
      while (events.t[indices[oldest]!]! < events.t[now]! - settings.timeWindow) oldest++;
      for (let j = oldest; j < i; j++) {
        const then = indices[j]!;
        const [dx, dy] = [events.x[then]! - events.x[now]!, events.y[then]! - events.y[now]!];
        if (Math.abs(dx) > radius || Math.abs(dy) > radius) continue;
        patch[(dy + radius) * surfaceSize + dx + radius]! += faded(events.t[now]! - events.t[then]!, settings);
      }
      patch[radius * surfaceSize + radius]! += 1;
    }
    for (let k = 0; k < area; k++) target[offset + memory * area + k]! += patch[k]! / indices.length;
  }
}

function faded(age: number, { decay, tau }: HatsSettings): number {
  return decay === 'exponential' ? Math.exp(-age / tau) : 1 - age / (3 * tau);
}

/** The events of each cell and polarity, by `2 · cell + polarity`. */
function memoriesOf(events: Events, { height, width }: SensorSize, cellSize: number): ReadonlyMap<number, number[]> {
  const across = Math.ceil(width / cellSize);
  const memories = new Map<number, number[]>();
  for (let i = 0; i < events.length; i++) {
    if (events.x[i]! >= width || events.y[i]! >= height) continue;
    const cell = Math.floor(events.y[i]! / cellSize) * across + Math.floor(events.x[i]! / cellSize);
    const memory = 2 * cell + (events.p[i] === 0 ? 0 : 1);
    const indices = memories.get(memory);
    if (indices === undefined) memories.set(memory, [i]);
    else indices.push(i);
  }
  return memories;
}
