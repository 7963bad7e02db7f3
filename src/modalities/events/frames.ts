/**
 * A recording as the frames a network sees: `[timeSteps, channels, height, width]`, by the preprocessing of `settings.ts`. A batch
 * is written sample by sample into one target, each time step at an offset of its own.
 */
import { DataError } from '../../data/errors.js';
import { partsOf, setBits } from './bitFrames.js';
import { type Events, inTimeOrder } from './columns.js';
import { addPolarities, addSigned, type Frame, type Places, setBinary, setLastPolarity } from './representations.js';
import { channelsOf, type EventPreprocessing, type Representation, type ScaleSettings } from './settings.js';
import type { Slice } from './slice.js';
import { slicesOf } from './slicing.js';
import { surfaceMemory, writeTimeSurface } from './timeSurface.js';
import { addVoxelGrid } from './voxelGrid.js';

/** The shape of one sample. */
export interface FrameShape {
  readonly timeSteps: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** The shape of what any recording becomes. */
export function frameShape(settings: EventPreprocessing): FrameShape {
  const [height, width] = settings.size;
  return { timeSteps: settings.timeSteps, channels: channelsOf(settings.representation), height, width };
}

/** A sample of its own, `[timeSteps, channels, height, width]`. Throws DataError as {@link writeFrames} does. */
export function framesOf(events: Events, settings: EventPreprocessing): FrameShape & { readonly data: Float32Array } {
  const shape = frameShape(settings);
  const length = shape.channels * shape.height * shape.width;
  const data = new Float32Array(shape.timeSteps * length);
  writeFrames(
    events,
    settings,
    data,
    Array.from({ length: shape.timeSteps }, (_, t) => t * length),
  );
  return { ...shape, data };
}

/**
 * Writes frame t, `[channels, height, width]`, at `offsets[t]`; every value of it is replaced. Returns how many of the frames are
 * windows of the recording; those after them are zeros. Times that step back are sorted, events outside the sensor left out.
 * Throws DataError where a library that is followed exactly would fail.
 */
export function writeFrames(
  events: Events,
  settings: EventPreprocessing,
  target: Float32Array,
  offsets: ArrayLike<number>,
): number {
  const { timeSteps, channels, height, width } = frameShape(settings);
  const length = channels * height * width;
  if (offsets.length !== timeSteps) {
    throw new DataError(`there are ${offsets.length} offsets for ${timeSteps} time steps`);
  }
  const ordered = inTimeOrder(events);
  const slices = slicesOf(ordered, settings.window, { limit: timeSteps });
  const paint = framePainter(settings);
  for (let step = 0; step < timeSteps; step++) {
    const offset = offsets[step]!;
    if (offset + length > target.length) throw new DataError(`frame ${step} does not fit into the target at ${offset}`);
    const slice = slices[step];
    if (slice === undefined) target.fill(0, offset, offset + length);
    else paint(ordered, slice, { target, offset });
  }
  return Math.min(slices.length, timeSteps);
}

/** Writes the frame of one window, every value of it. */
export type FramePainter = (events: Events, slice: Slice, frame: Frame) => void;

/**
 * How windows become frames one after the other. Windows are of the same run of events, or of runs that follow each other, as live events do.
 *
 * @param settings Its window and time steps are not asked for.
 */
export function framePainter(settings: EventPreprocessing): FramePainter {
  const { channels, height, width } = frameShape(settings);
  const length = channels * height * width;
  const draw = drawer(settings.representation, fittedPlaces(settings));
  return (events, slice, frame) => {
    const values = frame.target.subarray(frame.offset, frame.offset + length);
    values.fill(0);
    draw(events, slice, frame);
    scaleFrame(values, settings.scale);
  };
}

function drawer(representation: Representation, places: Places): FramePainter {
  switch (representation.kind) {
    case 'polarities':
      return (events, { start, end }, frame) => addPolarities(events, start, end, places, frame);
    case 'signed':
      return (events, { start, end }, frame) => addSigned(events, start, end, places, frame);
    case 'binary':
      return (events, { start, end }, frame) => setBinary(events, start, end, places, frame);
    case 'hardvs':
      return (events, { start, end }, frame) => setLastPolarity(events, start, end, places, frame);
    case 'bits':
      return (events, slice, frame) => setBits(events, partsOf(events, slice, representation.bits), places, frame);
    case 'voxelGrid':
      return (events, slice, frame) => addVoxelGrid(events, slice, places, representation, frame);
    case 'timeSurface': {
      const memory = surfaceMemory(places);
      let run: Events | undefined;
      return (events, slice, frame) => {
        if (events !== run) memory.seen = 0;
        run = events;
        writeTimeSurface(events, slice, places, representation.tau, memory, frame);
      };
    }
  }
}

/** Where each column and row of the sensor is drawn. Scaling is ⌊x · width' / width⌋, exact in whole numbers. */
export function fittedPlaces({ sensor, size, fit }: Pick<EventPreprocessing, 'sensor' | 'size' | 'fit'>): Places {
  const [height, width] = size;
  const [numerator, denominator] =
    size[0] * sensor[1] >= size[1] * sensor[0] ? [size[0], sensor[0]] : [size[1], sensor[1]];
  const axis = (from: number, to: number) => {
    const [multiply, divide] = fit === 'scale' ? [to, from] : fit === 'cover' ? [numerator, denominator] : [1, 1];
    const scaled = Math.ceil((from * multiply) / divide);
    const before = Math.floor((scaled - to) / 2);
    return Int32Array.from({ length: from }, (_, coordinate) => {
      const place = Math.floor((coordinate * multiply) / divide) - before;
      return place >= 0 && place < to ? place : -1;
    });
  };
  return { height, width, rows: axis(sensor[0], height), columns: axis(sensor[1], width) };
}

function scaleFrame(frame: Float32Array, { clip, logarithm, divide }: ScaleSettings): void {
  if (clip === null && !logarithm && divide === 1) return;
  const most = clip ?? Infinity;
  for (let i = 0; i < frame.length; i++) {
    const value = frame[i]!;
    if (value === 0) continue;
    const clipped = Math.min(Math.max(value, -most), most);
    frame[i] = (logarithm ? Math.sign(clipped) * Math.log1p(Math.abs(clipped)) : clipped) / divide;
  }
}
