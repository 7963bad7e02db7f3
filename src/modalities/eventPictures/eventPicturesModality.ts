/** Recordings stored as folders of pictures as a modality: only the pictures that a network will see are decoded. */

import { DataError } from '../../data/errors.js';
import { openPictureFolders } from '../../data/events/datasets/pictureFolders.js';
import { type OpenedPictures, openPictures, type PictureStore, readPictures } from '../../data/events/pictureStore.js';
import type { RecordedPictures } from '../../data/events/recordedPictures.js';
import { fileBytes, fileSize } from '../../data/storedFiles.js';
import { checkOptionNames } from '../../optionNames.js';
import { mixFrameBatch } from '../events/eventMix.js';
import type { DrawnChange, Modality, Preparation, StoredContent } from '../modality.js';
import { eventPicturesInput } from './eventPicturesInput.js';
import { middleStart, startAt, writePictures } from './frames.js';
import {
  channels,
  type PictureAugmentation,
  type PictureAugmentationInput,
  type PicturePreprocessing,
  parsePictureAugmentation,
  parsePicturePreprocessing,
} from './settings.js';

/** How pictures become floats, as a caller of the loader writes it. */
export interface PictureSettingsInput {
  readonly preprocessing: PicturePreprocessing;
  /** Default: none, each recording as in evaluation. */
  readonly augmentation?: PictureAugmentationInput;
}

interface PictureSettings {
  readonly preprocessing: PicturePreprocessing;
  readonly augmentation: PictureAugmentation;
}

interface DrawnPictureChange extends DrawnChange {
  /** Where the first picture is among all places where it can be; undefined for the middle. */
  readonly start: number | undefined;
  readonly mirrored: boolean;
}

/** The loader opens recordings, and decodes when it is drawn which pictures are needed. */
type PictureSample = OpenedPictures | RecordedPictures;

export const eventPicturesModality: Modality<PictureSample, PictureStore, PictureSettings, DrawnPictureChange> = {
  name: 'eventPictures',
  parse,
  open: openPictures,
  waits: () => true,
  prepare,
  picture: (sample) => {
    const { pictures } = decoded(sample);
    return pictures[middleStart(pictures.length, 1)] ?? { width: 1, height: 1, data: new Uint8Array(3) };
  },
  openLabelled: openPictureFolders,
  contentOf,
};

function parse(written: unknown, source: string): PictureSettings {
  const input = written as PictureSettingsInput;
  checkOptionNames<PictureSettingsInput>(source, input, { preprocessing: true, augmentation: true });
  if (input.preprocessing === undefined) throw new DataError(`${source}: preprocessing is missing`);
  return {
    preprocessing: parsePicturePreprocessing(input.preprocessing, source),
    augmentation: parsePictureAugmentation(input.augmentation ?? {}, `${source}: augmentation`),
  };
}

function prepare({ preprocessing, augmentation }: PictureSettings): Preparation<PictureSample, DrawnPictureChange> {
  const { timeSteps, size } = preprocessing;
  const [height, width] = size;
  const { randomStart, horizontalFlip, mix } = augmentation;
  const length = channels * height * width;
  return {
    shape: eventPicturesInput.shapeOf(preprocessing),
    draw: (_sample, random) => ({
      start: randomStart ? random.uniform() : undefined,
      mirrored: horizontalFlip > 0 && random.uniform() < horizontalFlip,
      geometry: undefined,
    }),
    augment: (sample, { start }) => {
      const count = 'pictures' in sample ? sample.pictures.length : sample.count;
      const first = start === undefined ? middleStart(count, timeSteps) : startAt(start, count, timeSteps);
      return 'pictures' in sample
        ? { ...sample, pictures: sample.pictures.slice(first, first + timeSteps) }
        : readPictures(sample, first, timeSteps);
    },
    tensor: (sample, { mirrored }, batch, offset, frameStride) =>
      writePictures(decoded(sample).pictures, 0, mirrored, preprocessing, batch, offset, frameStride),
    ...(mix === null
      ? {}
      : {
          mix: (batch, samples, random) =>
            mixFrameBatch(
              batch,
              { timeSteps, samples, channels, height, width, sampleStride: length, timeStride: samples * length },
              mix,
              random,
            ),
        }),
  };
}

function decoded(sample: PictureSample): RecordedPictures {
  if ('pictures' in sample) return sample;
  throw new Error(`${sample.name}: its pictures have not been read`);
}

/** A recording stands for its pictures one after the other. */
function contentOf(store: PictureStore): StoredContent {
  return {
    what: 'files',
    inMemory: store.archive !== undefined,
    sizeOf: async (position) => {
      const { files, first, count } = await openPictures(store, position);
      let size = 0;
      for (let i = 0; i < count; i++) size += await fileSize(files, first + i);
      return size;
    },
    async *bytesOf(position) {
      const { files, first, count } = await openPictures(store, position);
      for (let i = 0; i < count; i++) yield* fileBytes(files, first + i);
    },
  };
}
