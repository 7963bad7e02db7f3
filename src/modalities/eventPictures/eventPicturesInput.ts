/** Recordings stored as pictures as a network's input: one frame for each picture. Reads nothing. */
import type { RecordedPictures } from '../../data/events/recordedPictures.js';
import type { InputKind } from '../input.js';
import { middleStart, writePictures } from './frames.js';
import {
  channels,
  type PictureAugmentation,
  type PicturePreprocessing,
  parsePicturePreprocessing,
  pictureAugmentationSchema,
  picturePreprocessingSchema,
} from './settings.js';

export const eventPicturesInput: InputKind<RecordedPictures, PicturePreprocessing, PictureAugmentation> = {
  name: 'eventPictures',
  noun: 'recording',
  preprocessing: picturePreprocessingSchema,
  augmentation: pictureAugmentationSchema,
  reading: {},
  assumed: undefined,
  parse: parsePicturePreprocessing,
  shapeOf: ({ timeSteps, size }) => ({ frames: timeSteps, channels, places: [size[0], size[1]] }),
  sizeOf: ({ size }) => [size[0], size[1]],
  resized: (preprocessing, side) => {
    const { resize, size } = preprocessing;
    const scaled = resize === null ? null : Math.max(1, Math.round((resize * side) / Math.min(...size)));
    return parsePicturePreprocessing({ ...preprocessing, resize: scaled, size: [side, side] });
  },
  withTimeSteps: (preprocessing, timeSteps) => ({ ...preprocessing, timeSteps }),
  normalisation: () => undefined,
  isSample: (value) => 'pictures' in value && Array.isArray(value.pictures),
  inMemory: 'pictures {pictures: [{width, height, data}, …]}',
  sources: 'the path of a folder of pictures',
  mixes: ({ mix }) => mix !== null && mix !== undefined,
  write: ({ pictures }, preprocessing, target, offset, frameStride) => {
    const start = middleStart(pictures.length, preprocessing.timeSteps);
    writePictures(pictures, start, false, preprocessing, target, offset, frameStride);
  },
};
