/** Recordings of events as a network's input: one frame for each time step, made as `settings.ts` says. Reads nothing. */
import * as z from 'zod';
import { DataError } from '../../data/errors.js';
import type { Events, Sensor } from '../../data/events/events.js';
import type { InputKind } from '../input.js';
import { type EventAugmentation, eventAugmentationSchema } from './augmentationSettings.js';
import { frameShape, writeFrames } from './frames.js';
import { type EventPreprocessing, eventPreprocessingSchema, parseEventPreprocessing } from './settings.js';

export type { EventAugmentation } from './augmentationSettings.js';
export type { EventPreprocessing } from './settings.js';

/** Events of one sample, and what recorded them where that is known. */
export interface RecordedEvents extends Events {
  /** What messages call it. */
  readonly name?: string;
  readonly sensor?: Sensor | undefined;
}

export const eventsInput: InputKind<RecordedEvents, EventPreprocessing, EventAugmentation> = {
  name: 'events',
  noun: 'recording',
  preprocessing: eventPreprocessingSchema,
  augmentation: eventAugmentationSchema,
  reading: {
    /** Seconds: long recordings are cut into clips of this length; what is left at their end is not used. */
    clip: z.number().min(1e-3).max(86_400).optional(),
  },
  assumed: undefined,
  parse: parseEventPreprocessing,
  shapeOf: (preprocessing) => {
    const { timeSteps, channels, height, width } = frameShape(preprocessing);
    return { frames: timeSteps, channels, places: [height, width] };
  },
  sizeOf: ({ size }) => [size[0], size[1]],
  resized: (preprocessing, side) => parseEventPreprocessing({ ...preprocessing, size: [side, side] }),
  withTimeSteps: (preprocessing, timeSteps) => ({ ...preprocessing, timeSteps }),
  normalisation: () => undefined,
  isSample: (value) => 't' in value && 'x' in value && 'y' in value && 'p' in value && 'length' in value,
  inMemory: 'events {length, t, x, y, p}',
  sources: 'a path or an address, a File or Blob, the bytes of a recording',
  mixes: ({ mix }) => mix !== null && mix !== undefined,
  write: writeSample,
};

/** Writes the frames of a sample as they are. Throws DataError when the sensor is not the one that the settings are for. */
export function writeSample(
  sample: RecordedEvents,
  preprocessing: EventPreprocessing,
  target: Float32Array,
  offset: number,
  frameStride: number,
): void {
  checkSensor(sample, preprocessing);
  const offsets = Array.from({ length: preprocessing.timeSteps }, (_, t) => offset + t * frameStride);
  writeFrames(sample, preprocessing, target, offsets);
}

/** A larger sensor would lose all events at its right and lower edge without a word. */
function checkSensor(
  { name = 'recording', sensor }: RecordedEvents,
  { sensor: [height, width] }: EventPreprocessing,
): void {
  if (sensor === undefined || (sensor.height <= height && sensor.width <= width)) return;
  throw new DataError(
    `${name}: was recorded at ${sensor.width} × ${sensor.height} pixels, the preprocessing is for a sensor of ${width} × ${height}; set data.preprocessing.sensor=[${sensor.height},${sensor.width}], or choose other data`,
  );
}
