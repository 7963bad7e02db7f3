/**
 * Everything that happens at random to one recording: drawn as a list of steps first, applied then. A step is a value that does not
 * depend on the recording; what is drawn for each event comes from the step's own seed.
 */
import { type Random, seededRandom } from '../../random.js';
import type { EventAugmentation } from './augmentationSettings.js';
import { type Events, makeEvents, mergeEvents, setEvent, timeRange } from './columns.js';
import { cropTime, dropArea, dropEvents, dropTime, type PixelBox, type SensorSize } from './filters.js';
import {
  type AffineMove,
  flipLeftRight,
  flipPolarity,
  flipUpDown,
  jitterSpace,
  jitterTime,
  moveAffine,
  reverseTime,
  skewTime,
} from './moves.js';

/** `start` is where a piece lies among all places that it can have, 0 … 1; `length` is a share of the span. */
interface TimePiece {
  readonly start: number;
  readonly length: number;
}

/** One change of a recording. Plain data. */
export type EventStep =
  | ({ readonly kind: 'keepTime' | 'dropTime' } & TimePiece)
  | { readonly kind: 'skewTime'; readonly coefficient: number }
  | { readonly kind: 'dropEvents'; readonly share: number; readonly seed: number }
  | { readonly kind: 'dropArea'; readonly box: PixelBox }
  | { readonly kind: 'affine'; readonly move: AffineMove }
  | { readonly kind: 'flip'; readonly what: 'leftRight' | 'upDown' | 'polarity' | 'time' }
  | { readonly kind: 'jitter'; readonly space: number; readonly time: number; readonly seed: number }
  | { readonly kind: 'noise'; readonly share: number; readonly seed: number };

/** What becomes of a recording of this sensor, in the order of the settings' fields. Mixing is not among it: `eventMix.ts`. */
export function drawEventSteps(
  sensor: SensorSize,
  augmentation: EventAugmentation,
  random: Random,
): readonly EventStep[] {
  const { timeCrop, timeSkew, affine, jitter, noise } = augmentation;
  const steps: EventStep[] = [];
  if (timeCrop[0] < 1) {
    steps.push({ kind: 'keepTime', start: random.uniform(), length: between(timeCrop[0], timeCrop[1], random) });
  }
  if (timeSkew[0] !== 1 || timeSkew[1] !== 1) {
    steps.push({ kind: 'skewTime', coefficient: betweenFactors(timeSkew, random) });
  }
  steps.push(...drawDrop(sensor, augmentation, random));
  if (affine !== null) {
    const turn = (affine.rotation * Math.PI) / 180;
    const move = {
      rotation: between(-turn, turn, random),
      zoom: betweenFactors(affine.zoom, random),
      right: between(-1, 1, random) * affine.shift * sensor.width,
      down: between(-1, 1, random) * affine.shift * sensor.height,
    };
    steps.push({ kind: 'affine', move });
  }
  const flips = [
    ['leftRight', augmentation.horizontalFlip],
    ['upDown', augmentation.verticalFlip],
    ['polarity', augmentation.polarityFlip],
    ['time', augmentation.timeReversal],
  ] as const;
  for (const [what, probability] of flips) {
    if (probability > 0 && random.uniform() < probability) steps.push({ kind: 'flip', what });
  }
  if (jitter !== null) steps.push({ kind: 'jitter', space: jitter.space, time: jitter.time, seed: random.bits() });
  if (noise > 0) steps.push({ kind: 'noise', share: between(0, noise, random), seed: random.bits() });
  return steps;
}

/** The recording after all steps. The one that is given stays as it is; events outside the sensor may be dropped. */
export function applyEventSteps(events: Events, steps: readonly EventStep[], sensor: SensorSize): Events {
  return steps.reduce((result, step) => applyStep(result, step, sensor), events);
}

function applyStep(events: Events, step: EventStep, sensor: SensorSize): Events {
  switch (step.kind) {
    case 'keepTime':
      return cropTime(events, ...pieceOf(events, step));
    case 'dropTime':
      return dropTime(events, ...pieceOf(events, step));
    case 'skewTime':
      return skewTime(events, step.coefficient);
    case 'dropEvents':
      return dropEvents(events, drawIndices(events.length, step.share, seededRandom(step.seed)));
    case 'dropArea':
      return dropArea(events, step.box);
    case 'affine':
      return moveAffine(events, step.move, sensor);
    case 'flip':
      return flip(events, step.what, sensor);
    case 'jitter':
      return jittered(events, step.space, step.time, sensor, seededRandom(step.seed));
    case 'noise':
      return mergeEvents(events, drawNoise(events, step.share, sensor, seededRandom(step.seed)));
  }
}

function drawDrop(sensor: SensorSize, { drop }: EventAugmentation, random: Random): readonly EventStep[] {
  if (drop === null || random.uniform() >= drop.probability) return [];
  const kinds = (['events', 'time', 'area'] as const).filter((kind) => drop[kind] > 0);
  const kind = kinds[random.integer(kinds.length)]!;
  const share = between(0, drop[kind], random);
  if (kind === 'events') return [{ kind: 'dropEvents', share, seed: random.bits() }];
  if (kind === 'time') return [{ kind: 'dropTime', start: random.uniform(), length: share }];
  const [width, height] = [Math.sqrt(share) * sensor.width, Math.sqrt(share) * sensor.height].map(Math.round);
  const left = random.integer(sensor.width - width! + 1);
  const top = random.integer(sensor.height - height! + 1);
  return [{ kind: 'dropArea', box: { left, top, width: width!, height: height! } }];
}

function flip(events: Events, what: Extract<EventStep, { kind: 'flip' }>['what'], sensor: SensorSize): Events {
  if (what === 'leftRight') return flipLeftRight(events, sensor);
  if (what === 'upDown') return flipUpDown(events, sensor);
  return what === 'polarity' ? flipPolarity(events) : reverseTime(events);
}

function pieceOf(events: Events, { start, length }: TimePiece): readonly [from: number, to: number] {
  const [first, last] = timeRange(events);
  const span = last - first;
  const from = first + start * (1 - length) * span;
  return [from, from + length * span];
}

/** `⌊share · length + ½⌋` different indices below `length`, each choice as likely as any other (Floyd's algorithm), in rising order. */
export function drawIndices(length: number, share: number, random: Random): Uint32Array {
  const count = Math.min(Math.floor(share * length + 0.5), length);
  const chosen = new Set<number>();
  for (let last = length - count; last < length; last++) {
    const index = random.integer(last + 1);
    chosen.add(chosen.has(index) ? last : index);
  }
  return Uint32Array.from(chosen).sort();
}

/** `⌊share · length + ½⌋` events anywhere on the sensor, at whole times within those of the recording, in time order. */
export function drawNoise(events: Events, share: number, { width, height }: SensorSize, random: Random): Events {
  const count = Math.floor(share * events.length + 0.5);
  const [first, last] = timeRange(events);
  const times = Float64Array.from({ length: count }, () => first + random.integer(last - first + 1)).sort();
  const noise = makeEvents(count, count);
  for (let i = 0; i < count; i++) {
    setEvent(noise, i, times[i]!, random.integer(width), random.integer(height), random.integer(2));
  }
  return noise;
}

function jittered(events: Events, space: number, time: number, sensor: SensorSize, random: Random): Events {
  const shifts = (count: number, deviation: number) => {
    const drawn = new Float64Array(count);
    for (let i = 0; i < count; i++) drawn[i] = deviation * random.normal();
    return drawn;
  };
  const moved = space > 0 ? jitterSpace(events, shifts(2 * events.length, space), sensor) : events;
  return time > 0 ? jitterTime(moved, shifts(moved.length, time)) : moved;
}

function between(from: number, to: number, random: Random): number {
  return from + (to - from) * random.uniform();
}

/** Uniform in the logarithm, so that twice and half are equally likely. */
function betweenFactors([from, to]: readonly [number, number], random: Random): number {
  return Math.exp(between(Math.log(from), Math.log(to), random));
}
