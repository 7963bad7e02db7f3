/** How commands find and read what a model is asked about, for every modality: a line for each. */
import type { RecordedPictures } from '../data/events/recordedPictures.js';
import type { RgbImage } from '../data/image.js';
import { isRecording, type SkeletonSample } from '../data/skeletons/preparations.js';
import type { RecordedEvents } from '../modalities/events/eventsInput.js';
import type { AnyPreprocessing } from '../modalities/inputs.js';
import type { ModalityName } from '../modalities/names.js';
import type { Io } from './io.js';
import { pictureFoldersOf, readPictureRecording } from './pictureFolders.js';
import { picturesOf, readPicture } from './pictures.js';
import { readRecordingFile, recordingsOf } from './recordings.js';
import { drawSequence, type Shown } from './sequenceDrawings.js';
import { readSkeletons, sequencesOf } from './sequences.js';
import { counted } from './text.js';

interface SampleReading<Sample> {
  /** The samples that an argument names. Throws UsageError when a folder has none. */
  listed(argument: string): Promise<readonly string[]>;
  /** Throws an error naming the file when it cannot be read. */
  read(io: Io, source: string): Promise<Sample>;
  /** What a document says of a sample. */
  facts(sample: Sample): Readonly<Record<string, unknown>>;
  /** The same in words. */
  words(sample: Sample): string;
  /** SVG of a sample that moves, with what was decided after each time step; of others the answers are laid over a still picture. */
  drawn?(sample: Sample, shown: Shown<AnyPreprocessing>): string;
}

const image: SampleReading<RgbImage> = {
  listed: picturesOf,
  read: readPicture,
  facts: ({ width, height }) => ({ width, height }),
  words: ({ width, height }) => `${width}×${height} pixels`,
};

const events: SampleReading<RecordedEvents> = {
  listed: recordingsOf,
  read: readRecordingFile,
  facts: (recording) => ({ sensor: recording.sensor ?? null, events: recording.length, seconds: secondsOf(recording) }),
  words: (recording) => `${counted(recording.length, 'event')} in ${secondsOf(recording).toFixed(3)} s`,
};

const eventPictures: SampleReading<RecordedPictures> = {
  listed: pictureFoldersOf,
  read: readPictureRecording,
  facts: ({ pictures }) => ({ pictures: pictures.length, width: pictures[0]!.width, height: pictures[0]!.height }),
  words: ({ pictures }) =>
    `${counted(pictures.length, 'picture')} of ${pictures[0]!.width}×${pictures[0]!.height} pixels`,
};

const skeletons: SampleReading<SkeletonSample> = {
  listed: sequencesOf,
  read: readSkeletons,
  facts: sizesOf,
  words: (sample) => {
    const { frames, bodies, joints } = sizesOf(sample);
    return `${counted(frames, 'frame')} of ${bodies === 1 ? 'one body' : `${bodies} bodies`} with ${joints} joints`;
  },
  drawn: drawSequence,
};

/** Of a recording: the most bodies that are tracked at once. */
function sizesOf(sample: SkeletonSample): {
  readonly frames: number;
  readonly bodies: number;
  readonly joints: number;
} {
  const { joints } = sample;
  if (!isRecording(sample)) return { frames: sample.frames, bodies: sample.bodies, joints };
  return { frames: sample.frames.length, bodies: Math.max(...sample.frames.map(({ length }) => length)), joints };
}

/** From the first to the last event. */
function secondsOf({ t, length }: RecordedEvents): number {
  return length === 0 ? 0 : (t[length - 1]! - t[0]!) / 1e6;
}

/** A reading of which nothing is known but that its own samples fit it. */
// biome-ignore lint/suspicious/noExplicitAny: what its own functions give and take is between them.
export type AnySampleReading = SampleReading<any>;

const readings: Readonly<Record<ModalityName, AnySampleReading>> = { image, events, eventPictures, skeletons };

export function samplesOf(modality: ModalityName): AnySampleReading {
  return readings[modality];
}
