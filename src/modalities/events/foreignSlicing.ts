/**
 * Windows exactly as two libraries make them, to repeat published preprocessing: tonic (`slicers.py`) and spikingjelly
 * (`datasets/utils.py`, and 0.0.0.0.12, whose frames of fixed duration differ). Several of these lose events; each says which.
 */
import { DataError } from '../../data/errors.js';
import type { Events } from './columns.js';
import type { WindowSettings } from './settings.js';
import { makeSlices, type Slice, type SliceOptions, sliceOfEvents, sliceOfTime } from './slice.js';

type WindowsOf<By extends WindowSettings['by']> = Extract<WindowSettings, { by: By }>;

/** See `slicesOf`. */
export function foreignSlices(events: Events, window: WindowSettings, options: SliceOptions): readonly Slice[] {
  if (events.length === 0) return [];
  if (window.convention === 'tonic') {
    if (window.by === 'time') return tonicTime(events, window, options);
    if (window.by === 'count') return tonicCount(events, window, options);
    return window.of === 'time' ? tonicTimeBins(events, window, options) : tonicEventBins(events, window, options);
  }
  if (window.by === 'time') {
    return window.convention === 'spikingjelly'
      ? jellyDuration(events, window.microseconds, options)
      : oldJellyDuration(events, window.microseconds, options);
  }
  if (window.by === 'bins') {
    return window.of === 'time'
      ? jellyTimeBins(events, window.bins, options)
      : jellyEventBins(events, window.bins, options);
  }
  throw new DataError(`window: ${window.convention} has no windows by count; use tonic's or our own`);
}

/**
 * SliceByTime. There are ⌊(t_N − t₀ − length) / stride⌋ + 1 windows (⌈⌉ with `includeIncomplete`), at least one: what is left at the
 * end is lost without it, and the events at the very end are lost either way where the length divides the span.
 */
function tonicTime(events: Events, window: WindowsOf<'time'>, options: SliceOptions): readonly Slice[] {
  const first = options.startTime ?? events.t[0]!;
  const last = options.endTime ?? events.t[events.length - 1]!;
  const stride = window.microseconds - window.overlap;
  const count = tonicWindows((last - first - window.microseconds) / stride, window.includeIncomplete);
  return makeSlices(count, options, (k) =>
    sliceOfTime(events, first + k * stride, first + k * stride + window.microseconds),
  );
}

/** SliceByEventCount. Without `includeIncomplete` the events after the last full window are lost. */
function tonicCount(events: Events, window: WindowsOf<'count'>, options: SliceOptions): readonly Slice[] {
  const size = Math.min(window.events, events.length);
  const stride = size - window.overlap;
  if (stride <= 0)
    throw new DataError(`window.overlap: ${window.overlap} is not less than the ${size} events there are`);
  const count = tonicWindows((events.length - size) / stride, window.includeIncomplete);
  return makeSlices(count, options, (k) => sliceOfEvents(events, k * stride, k * stride + size));
}

function tonicWindows(strides: number, includeIncomplete: boolean): number {
  return Math.max((includeIncomplete ? Math.ceil(strides) : Math.floor(strides)) + 1, 1);
}

/**
 * SliceByTimeBins: length = ⌊span / bins⌋ (1 + overlap), stride = length (1 − overlap), which is not a bin. The last event and the
 * remainder of the division are lost without overlap.
 */
function tonicTimeBins(events: Events, window: WindowsOf<'bins'>, options: SliceOptions): readonly Slice[] {
  const first = events.t[0]!;
  const length = Math.floor((events.t[events.length - 1]! - first) / window.bins) * (1 + window.overlap);
  const stride = length * (1 - window.overlap);
  return makeSlices(window.bins, options, (k) => sliceOfTime(events, k * stride + first, k * stride + first + length));
}

/** SliceByEventBins: size = ⌊⌊N / bins⌋ (1 + overlap)⌋, stride = ⌊size (1 − overlap)⌋. The remainder of the division is lost. */
function tonicEventBins(events: Events, window: WindowsOf<'bins'>, options: SliceOptions): readonly Slice[] {
  const size = Math.trunc(Math.floor(events.length / window.bins) * (1 + window.overlap));
  const stride = Math.trunc(size * (1 - window.overlap));
  return makeSlices(window.bins, options, (k) => sliceOfEvents(events, k * stride, k * stride + size));
}

/** Fixed number of frames, split by number: ⌊N / M⌋ events each, the last takes the remainder too. */
function jellyEventBins(events: Events, bins: number, options: SliceOptions): readonly Slice[] {
  const size = Math.floor(events.length / bins);
  return makeSlices(bins, options, (k) =>
    sliceOfEvents(events, k * size, k === bins - 1 ? events.length : (k + 1) * size),
  );
}

/**
 * Fixed number of frames, split by time: `[t₀ + k·dt, t₀ + (k+1)·dt)` with dt = ⌊span / M⌋, the last takes everything left. A window
 * without an event is an error there (IndexError), so it is one here.
 */
function jellyTimeBins(events: Events, bins: number, options: SliceOptions): readonly Slice[] {
  const [first, last] = [events.t[0]!, events.t[events.length - 1]!];
  const length = Math.floor((last - first) / bins);
  return makeSlices(bins, options, (k) => {
    const slice = sliceOfTime(events, first + k * length, first + (k + 1) * length);
    if (slice.end === slice.start) {
      throw new DataError(
        `time bin ${k} of ${bins} has no event, where spikingjelly fails; take fewer bins or the convention "ours"`,
      );
    }
    return k === bins - 1 ? { ...slice, end: events.length, to: last } : slice;
  });
}

/** Fixed duration: ⌈span / duration⌉ frames on a grid from the first event; the last takes everything left. */
function jellyDuration(events: Events, duration: number, options: SliceOptions): readonly Slice[] {
  const [first, last] = [events.t[0]!, events.t[events.length - 1]!];
  const count = Math.ceil((last - first) / duration);
  return makeSlices(count, options, (k) => {
    const slice = sliceOfTime(events, first + k * duration, first + (k + 1) * duration);
    return k === count - 1 ? { ...slice, end: events.length } : slice;
  });
}

/**
 * Fixed duration in 0.0.0.0.12: a frame starts at the first event left and takes events up to and at its start plus the duration. There
 * is no grid, and quiet spans vanish.
 */
function oldJellyDuration(events: Events, duration: number, { limit = Infinity }: SliceOptions): readonly Slice[] {
  const { t, length } = events;
  const slices: Slice[] = [];
  for (let start = 0; start < length && slices.length < limit; ) {
    const from = t[start]!;
    let end = start + 1;
    while (end < length && t[end]! - from <= duration) end++;
    slices.push({ start, end, from, to: from + duration });
    start = end;
  }
  return slices;
}
