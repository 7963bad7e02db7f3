/**
 * Images as a modality: files or pixels that become RGB bytes, are cropped, augmented, normalised, erased and mixed. The numbers are those
 * of Pillow, torchvision and timm, see the files beside this one.
 */
import * as z from 'zod';
import { type ImageStore, readImage } from '../../data/datasets/imageStore.js';
import { openDataset } from '../../data/datasets/openDataset.js';
import { DataError } from '../../data/errors.js';
import type { RgbImage } from '../../data/image.js';
import { type PreprocessSettings, parsePreprocessSettings } from '../../data/preprocess.js';
import { UsageError } from '../../errors.js';
import { checkOptionNames } from '../../optionNames.js';
import type { DrawnChange, Modality, NamedStore, Preparation } from '../modality.js';
import { applySteps, drawSteps, geometryOf } from './augment.js';
import { imageContent } from './content.js';
import type { BatchLayout, ImageLayout } from './layout.js';
import { mixBatch } from './mix.js';
import { drawErasing, type ErasedRectangle, erase } from './randomErasing.js';
import { type AugmentationInput, type AugmentationSettings, parseAugmentation } from './settings.js';
import type { ImageStep } from './steps.js';
import { normaliser } from './tensor.js';

/** How images become floats, as a caller writes it. */
export interface ImageSettingsInput {
  /** Size of the input, mean and deviation; resizing when nothing else crops. */
  readonly preprocessing: PreprocessSettings;
  /** Default: none, each image as in evaluation. */
  readonly augmentation?: AugmentationInput;
  /** Order of a batch's floats. Default `channelsFirst`. */
  readonly layout?: BatchLayout;
  /** 1 keeps a single channel of grey images. Default 3. */
  readonly channels?: 1 | 3;
}

/** {@link ImageSettingsInput} with everything filled in. Plain data. */
export interface ImageSettings {
  readonly preprocessing: PreprocessSettings;
  readonly augmentation: AugmentationSettings;
  readonly layout: BatchLayout;
  readonly channels: 1 | 3;
}

/** What was drawn for one image. */
export interface DrawnImageChange extends DrawnChange {
  readonly steps: readonly ImageStep[];
  readonly erased: readonly ErasedRectangle[];
}

export const imageModality: Modality<RgbImage, ImageStore, ImageSettings, DrawnImageChange> = {
  name: 'image',
  parse,
  open: readImage,
  waits: ({ kind }) => kind !== 'pixels',
  prepare,
  picture: (image) => image,
  openLabelled: (path, { split }) => openDataset(path, { split: typeof split === 'string' ? split : split[0] }),
  contentOf: imageContent,
};

const formSchema = z.object({
  layout: z.enum(['channelsFirst', 'channelsLast']).default('channelsFirst'),
  channels: z.union([z.literal(1), z.literal(3)]).default(3),
});

function parse(written: unknown, source: string): ImageSettings {
  const input = written as ImageSettingsInput;
  const names = { preprocessing: true, augmentation: true, layout: true, channels: true } as const;
  checkOptionNames<ImageSettingsInput>(source, input, names);
  const form = formSchema.safeParse(input);
  if (!form.success) {
    const issue = form.error.issues[0]!;
    throw new UsageError(`the ${source}'s option ${issue.path.join('.')} is wrong: ${issue.message}`);
  }
  return {
    preprocessing: parsePreprocessSettings(input.preprocessing, source),
    augmentation: parseAugmentation(input.augmentation ?? {}),
    ...form.data,
  };
}

function prepare(
  { preprocessing, augmentation, layout, channels }: ImageSettings,
  { name, store }: NamedStore<ImageStore>,
): Preparation<RgbImage, DrawnImageChange> {
  if (channels === 1 && !(store.kind === 'pixels' && store.channels === 1)) {
    throw new DataError(`${name}: its images are not stored as grey; use channels: 3`);
  }
  const [height, width] = preprocessing.crop;
  const image: ImageLayout = { layout, height, width, channels };
  const normalise = normaliser(preprocessing, image);
  const { mix, randomErasing } = augmentation;
  return {
    shape: { channels, places: [height, width] },
    looksAtTargets: augmentation.crop.kind === 'scaled' && augmentation.crop.mostOfOneClass !== undefined,
    draw: (sample, random, largestShare) => {
      const steps = drawSteps(sample, augmentation, preprocessing, random, largestShare);
      const erased = randomErasing === null ? [] : drawErasing(image, randomErasing, random);
      return { steps, erased, geometry: geometryOf(sample, steps) };
    },
    augment: (sample, { steps }) => applySteps(sample, steps),
    tensor: (sample, { erased }, batch, offset) => {
      normalise(sample, batch, offset);
      erase(batch, offset, image, erased);
    },
    ...(mix === null ? {} : { mix: (batch, count, random) => mixBatch(batch, image, count, mix, random) }),
  };
}
