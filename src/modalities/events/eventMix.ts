/**
 * EventMix (Shen et al. 2023, "EventMix: An efficient data augmentation strategy for event-based learning"): a part of space and time is
 * taken from another recording. The part is a box, or where a mixture of Gaussians is large; it is drawn in shares of the axes, so that one
 * mask fits recordings and frames of any size.
 */
import type { Mixture } from '../../data/targets/targetKind.js';
import type { Random } from '../../random.js';
import { symmetricBeta } from '../beta.js';
import type { EventMixSettings } from './augmentationSettings.js';
import { type Events, filterEvents, mergeEvents, timeRange, withColumns } from './columns.js';
import type { SensorSize } from './filters.js';

/** Time, row, column, each from 0 to 1. */
type Point = readonly [t: number, y: number, x: number];

/** What comes from the other recording. Plain data. */
export type MixMask =
  | { readonly kind: 'box'; readonly from: Point; readonly to: Point }
  | {
      readonly kind: 'gaussian';
      readonly components: readonly { readonly centre: Point; readonly deviation: Point }[];
      /** Points where the mixture's density (of unit peaks) is larger are inside. */
      readonly threshold: number;
    };

/** Points a side at which the density is looked at to find its threshold. */
const grid = 12;

/** A mask that leaves about `stays` of the volume; `stays` is drawn from Beta(alpha, alpha). */
export function drawMixMask({ mask, alpha }: EventMixSettings, random: Random): MixMask {
  const stays = symmetricBeta(alpha, random);
  return mask === 'box' ? drawBox(1 - stays, random) : drawGaussians(stays, random);
}

/** Whether a point comes from the other recording. */
export function isMasked(mask: MixMask, t: number, y: number, x: number): boolean {
  if (mask.kind === 'gaussian') return densityOf(mask.components, t, y, x) > mask.threshold;
  const { from, to } = mask;
  return t >= from[0] && t < to[0] && y >= from[1] && y < to[1] && x >= from[2] && x < to[2];
}

/**
 * The events of `first` outside the mask and those of `second` inside, whose times are stretched to the span of `first`; and the share of
 * the first among them, which is the weight of its label (1 where nothing is left).
 */
export function mixEvents(
  first: Events,
  second: Events,
  mask: MixMask,
  sensor: SensorSize,
): { readonly events: Events; readonly weight: number } {
  const own = filterEvents(first, maskOf(first, mask, sensor, false));
  const other = filterEvents(second, maskOf(second, mask, sensor, true));
  const [from, to] = timeRange(first);
  const [otherFrom, otherTo] = timeRange(second);
  const stretch = otherTo > otherFrom ? (to - from) / (otherTo - otherFrom) : 0;
  const moved = withColumns(other, { t: other.t.map((t) => from + Math.round((t - otherFrom) * stretch)) });
  const events = mergeEvents(own, moved);
  return { events, weight: events.length > 0 ? own.length / events.length : 1 };
}

function maskOf(events: Events, mask: MixMask, { height, width }: SensorSize, inside: boolean) {
  const [first, last] = timeRange(events);
  const span = last - first || 1;
  const { t, x, y } = events;
  return (i: number) =>
    isMasked(mask, (t[i]! - first) / span, (y[i]! + 0.5) / height, (x[i]! + 0.5) / width) === inside;
}

/** How frames lie in a batch; within one, values are `[channels, height, width]`. */
export interface FrameBatchLayout {
  readonly timeSteps: number;
  readonly samples: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Floats from a sample to the next. */
  readonly sampleStride: number;
  /** Floats from a time step to the next. */
  readonly timeStride: number;
}

/** Mixes the samples of a batch in place, or leaves them by chance, and says how: sample i with sample B − 1 − i, one mask for all. */
export function mixFrameBatch(
  batch: Float32Array,
  layout: FrameBatchLayout,
  settings: EventMixSettings,
  random: Random,
): Mixture {
  const weight = random.uniform() < settings.probability ? mixFrames(batch, layout, drawMixMask(settings, random)) : 1;
  return { weight, labelSmoothing: settings.labelSmoothing };
}

/** Under the mask, samples i and B − 1 − i change places. Returns the share of space and time that stays, the weight of own labels. */
export function mixFrames(batch: Float32Array, layout: FrameBatchLayout, mask: MixMask): number {
  const { timeSteps, samples, channels, height, width, sampleStride, timeStride } = layout;
  let masked = 0;
  for (let t = 0; t < timeSteps; t++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (!isMasked(mask, (t + 0.5) / timeSteps, (y + 0.5) / height, (x + 0.5) / width)) continue;
        masked++;
        for (let i = 0; i < samples >> 1; i++) {
          let a = i * sampleStride + t * timeStride + y * width + x;
          const distance = (samples - 1 - 2 * i) * sampleStride;
          for (let channel = 0; channel < channels; channel++, a += height * width) {
            const value = batch[a]!;
            batch[a] = batch[a + distance]!;
            batch[a + distance] = value;
          }
        }
      }
    }
  }
  return 1 - masked / (timeSteps * height * width);
}

/** A box of this volume around a random centre, moved inside. */
function drawBox(volume: number, random: Random): MixMask {
  const side = Math.cbrt(volume);
  const from: Point = [random.uniform() * (1 - side), random.uniform() * (1 - side), random.uniform() * (1 - side)];
  // A box that reaches the end includes it: the last event is at 1.
  const end = (start: number) => (start + side >= 1 - 1e-9 ? 2 : start + side);
  return { kind: 'box', from, to: [end(from[0]), end(from[1]), end(from[2])] };
}

/** One to three Gaussians, and the threshold under which `stays` of a grid of points lies. */
function drawGaussians(stays: number, random: Random): MixMask {
  const point = (from: number, to: number): Point => [
    from + (to - from) * random.uniform(),
    from + (to - from) * random.uniform(),
    from + (to - from) * random.uniform(),
  ];
  const components = Array.from({ length: 1 + random.integer(3) }, () => ({
    centre: point(0, 1),
    deviation: point(0.1, 0.5),
  }));
  const densities = new Float64Array(grid ** 3);
  for (let i = 0; i < densities.length; i++) {
    const [t, y, x] = [Math.floor(i / grid ** 2), Math.floor(i / grid) % grid, i % grid];
    densities[i] = densityOf(components, (t + 0.5) / grid, (y + 0.5) / grid, (x + 0.5) / grid);
  }
  densities.sort();
  const threshold = densities[Math.min(Math.floor(stays * densities.length), densities.length - 1)]!;
  return { kind: 'gaussian', components, threshold };
}

function densityOf(
  components: readonly { readonly centre: Point; readonly deviation: Point }[],
  t: number,
  y: number,
  x: number,
): number {
  let sum = 0;
  for (const { centre, deviation } of components) {
    const [a, b, c] = [(t - centre[0]) / deviation[0], (y - centre[1]) / deviation[1], (x - centre[2]) / deviation[2]];
    sum += Math.exp(-0.5 * (a * a + b * b + c * c));
  }
  return sum;
}
