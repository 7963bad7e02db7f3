/** Images as a network's input: torchvision's evaluation transform and what is stored of it. Reads nothing. */
import { z } from 'zod';
import { placementOf } from '../../data/geometry/placement.js';
import type { RgbImage } from '../../data/image.js';
import {
  imagenetPreprocessing,
  type PreprocessSettings,
  parsePreprocessSettings,
  pictureOf,
  plainPreprocessing,
  preprocessInto,
  preprocessSettingsSchema,
} from '../../data/preprocess.js';
import type { InputKind } from '../input.js';
import { type AugmentationSettings, augmentationSchema } from './settings.js';

/** What is asked of places seen from several views (`data/pairs`): which views, and from what altitude where there are several. */
export const placesReading = {
  views: z.array(z.string().min(1).max(100)).min(2).max(8).optional(),
  altitude: z.string().min(1).max(100).optional(),
};

export const imageInput: InputKind<RgbImage, PreprocessSettings, AugmentationSettings> = {
  name: 'image',
  noun: 'image',
  preprocessing: preprocessSettingsSchema,
  augmentation: augmentationSchema,
  reading: placesReading,
  assumed: imagenetPreprocessing,
  parse: parsePreprocessSettings,
  shapeOf: ({ crop }) => ({ channels: 3, places: crop }),
  sizeOf: ({ crop }) => crop,
  resized: (preprocessing, side) => {
    const { resize, mean, std } = preprocessing;
    return resize === 'fit' ? { ...preprocessing, crop: [side, side] } : plainPreprocessing(side, { mean, std });
  },
  placed: placementOf,
  seen: pictureOf,
  withTimeSteps: (preprocessing) => preprocessing,
  normalisation: ({ mean, std }) => ({ mean, std }),
  isSample: (value) => 'width' in value && 'height' in value && 'data' in value,
  inMemory: 'pixels {width, height, data}',
  sources: 'a path or an address, a File or Blob, the bytes of an image file',
  mixes: ({ mix }) => mix !== null && mix !== undefined,
  write: preprocessInto,
};
