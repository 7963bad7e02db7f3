/**
 * A recording cut into windows, each a run of events and a span of time. The definitions here lose no event: windows by time or count
 * go on until the last event is inside, bins partition the recording. Those of other libraries are in `foreignSlicing.ts`.
 */
import { type Events, firstAt, firstWhere } from './columns.js';
import { foreignSlices } from './foreignSlicing.js';
import type { WindowSettings } from './settings.js';
import {
  makeSlices,
  mostSlices,
  type Slice,
  type SliceOptions,
  sliceOfEvents,
  sliceOfTime,
  tooManySlices,
} from './slice.js';

/**
 * The windows of events in time order. Throws DataError when there would be more than {@link mostSlices} and no `limit`, and where a
 * library that is followed exactly would fail.
 */
export function slicesOf(events: Events, window: WindowSettings, options: SliceOptions = {}): readonly Slice[] {
  if (window.convention !== 'ours') return foreignSlices(events, window, options);
  if (window.by === 'time' && window.empty === 'leftOut') return withEvents(events, window.microseconds, options);
  if (window.by === 'time') return byTime(events, window.microseconds, window.overlap, options);
  if (window.by === 'count') return byCount(events, window.events, window.overlap, options);
  return window.of === 'time'
    ? byTimeBins(events, window.bins, window.overlap, options)
    : byEventBins(events, window.bins, window.overlap, options);
}

/** Window k is `[t₀ + k·stride, t₀ + k·stride + length)`, stride = length − overlap, k up to the first that reaches past the end. */
function byTime(events: Events, length: number, overlap: number, options: SliceOptions): readonly Slice[] {
  if (events.length === 0) return [];
  const first = options.startTime ?? events.t[0]!;
  const last = options.endTime ?? events.t[events.length - 1]!;
  return makeSlices(windowsToReach(last - first + 1, length, length - overlap), options, (k) => {
    const from = first + k * (length - overlap);
    return sliceOfTime(events, from, from + length);
  });
}

/** The windows of `byTime` without overlap that hold events; a pause of any length costs nothing. */
function withEvents(events: Events, length: number, { startTime, endTime, limit }: SliceOptions): readonly Slice[] {
  const first = startTime ?? events.t[0]!;
  const end = endTime === undefined ? events.length : firstAt(events, endTime + 1);
  const slices: Slice[] = [];
  for (let at = firstAt(events, first); at < end && slices.length < (limit ?? Infinity); at = slices.at(-1)!.end) {
    if (slices.length === mostSlices) throw tooManySlices(`more than ${mostSlices}`);
    const from = first + Math.floor((events.t[at]! - first) / length) * length;
    slices.push(sliceOfTime(events, from, from + length));
  }
  return slices;
}

/** Window k holds the events k·stride … k·stride + size − 1; the last may be shorter. */
function byCount(events: Events, size: number, overlap: number, options: SliceOptions): readonly Slice[] {
  if (events.length === 0) return [];
  return makeSlices(windowsToReach(events.length, size, size - overlap), options, (k) => {
    const start = k * (size - overlap);
    return sliceOfEvents(events, start, start + size);
  });
}

/** How many windows of a length cover `extent` (whole numbers), one every `stride`. */
function windowsToReach(extent: number, length: number, stride: number): number {
  return extent <= length ? 1 : Math.ceil((extent - length) / stride) + 1;
}

/**
 * Bin k of M holds the times with `k ≤ M (t − t₀) / (t_N − t₀) < k + 1 + overlap`; the last event is in the last bin. Products of whole
 * numbers are compared, so that no event falls between two bins. Without a span (all times equal) everything is in bin 0.
 */
function byTimeBins(events: Events, bins: number, overlap: number, options: SliceOptions): readonly Slice[] {
  const { t, length } = events;
  const first = length === 0 ? 0 : t[0]!;
  const span = length === 0 ? 0 : t[length - 1]! - first;
  const width = span / bins;
  return makeSlices(bins, options, (k) => {
    const [from, to] = [first + k * width, first + Math.min(k + 1 + overlap, bins) * width];
    if (span === 0) return { start: k === 0 ? 0 : length, end: length, from, to };
    const edge = (bin: number) => firstWhere(length, (i) => (t[i]! - first) * bins >= bin * span);
    return { start: edge(k), end: k + 1 + overlap >= bins ? length : edge(k + 1 + overlap), from, to };
  });
}

/** Bin k of M holds the events ⌊k N / M⌋ … ⌊(k + 1 + overlap) N / M⌋ − 1: sizes differ by one at most. */
function byEventBins(events: Events, bins: number, overlap: number, options: SliceOptions): readonly Slice[] {
  const edge = (bin: number) => Math.min(Math.floor((bin * events.length) / bins), events.length);
  return makeSlices(bins, options, (k) => sliceOfEvents(events, edge(k), edge(k + 1 + overlap)));
}
