/** Recordings of events as a modality: files that are read, changed as chance decides, and become frames. */
import { DataError } from '../../data/errors.js';
import { openRecordings } from '../../data/events/datasets/openRecordings.js';
import { type RecordingStore, readRecording } from '../../data/events/recordingStore.js';
import { checkOptionNames } from '../../optionNames.js';
import type { DrawnChange, Modality, Preparation } from '../modality.js';
import { applyEventSteps, drawEventSteps, type EventStep } from './augment.js';
import { type EventAugmentation, type EventAugmentationInput, parseEventAugmentation } from './augmentationSettings.js';
import { recordingContent } from './content.js';
import { mixFrameBatch } from './eventMix.js';
import { eventsInput, type RecordedEvents, writeSample } from './eventsInput.js';
import { frameShape } from './frames.js';
import { eventPicture } from './picture.js';
import { type EventPreprocessing, parseEventPreprocessing } from './settings.js';

/** How recordings become floats, as a caller of the loader writes it. */
export interface EventSettingsInput {
  readonly preprocessing: EventPreprocessing;
  /** Default: none, each recording as in evaluation. */
  readonly augmentation?: EventAugmentationInput;
}

interface EventSettings {
  readonly preprocessing: EventPreprocessing;
  readonly augmentation: EventAugmentation;
}

/** What was drawn for one recording. Events have no picture in which boxes would lie. */
interface DrawnEventChange extends DrawnChange {
  readonly steps: readonly EventStep[];
}

export const eventsModality: Modality<RecordedEvents, RecordingStore, EventSettings, DrawnEventChange> = {
  name: 'events',
  parse,
  open: readRecording,
  waits: () => true,
  prepare,
  picture: eventPicture,
  openLabelled: openRecordings,
  contentOf: recordingContent,
};

function parse(written: unknown, source: string): EventSettings {
  const input = written as EventSettingsInput;
  checkOptionNames<EventSettingsInput>(source, input, { preprocessing: true, augmentation: true });
  if (input.preprocessing === undefined) throw new DataError(`${source}: preprocessing is missing`);
  return {
    preprocessing: parseEventPreprocessing(input.preprocessing, source),
    augmentation: parseEventAugmentation(input.augmentation ?? {}, `${source}: augmentation`),
  };
}

function prepare({ preprocessing, augmentation }: EventSettings): Preparation<RecordedEvents, DrawnEventChange> {
  const [height, width] = preprocessing.sensor;
  const sensor = { height, width };
  const frame = frameShape(preprocessing);
  const length = frame.channels * frame.height * frame.width;
  const { mix } = augmentation;
  return {
    shape: eventsInput.shapeOf(preprocessing),
    draw: (_sample, random) => ({ steps: drawEventSteps(sensor, augmentation, random), geometry: undefined }),
    augment: (sample, { steps }) => ({ ...sample, ...applyEventSteps(sample, steps, sensor) }),
    tensor: (sample, _drawn, batch, offset, frameStride) =>
      writeSample(sample, preprocessing, batch, offset, frameStride),
    ...(mix === null
      ? {}
      : {
          mix: (batch, samples, random) =>
            mixFrameBatch(
              batch,
              { ...frame, samples, sampleStride: length, timeStride: samples * length },
              mix,
              random,
            ),
        }),
  };
}
