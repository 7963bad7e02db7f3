/** The input of every modality by its name, without what reads samples: a page knows them too. `registry.ts` has what reads. */

import type { PreprocessSettings } from '../data/preprocess.js';
import { UsageError } from '../errors.js';
import { eventPicturesInput } from './eventPictures/eventPicturesInput.js';
import type { PictureAugmentation, PicturePreprocessing } from './eventPictures/settings.js';
import { type EventAugmentation, type EventPreprocessing, eventsInput } from './events/eventsInput.js';
import { imageInput } from './image/imageInput.js';
import type { AugmentationSettings } from './image/settings.js';
import type { InputKind } from './input.js';
import { defaultModality, type ModalityName, modalityNames } from './names.js';
import type { SkeletonAugmentation, SkeletonPreprocessing } from './skeletons/settings.js';
import { skeletonsInput } from './skeletons/skeletonsInput.js';

/** What is stored beside a model of one modality or another. */
export type AnyPreprocessing = PreprocessSettings | EventPreprocessing | PicturePreprocessing | SkeletonPreprocessing;
/** What training does at random to samples of one modality or another. */
export type AnyAugmentation = AugmentationSettings | EventAugmentation | PictureAugmentation | SkeletonAugmentation;

/** An input of which nothing is known but that its own samples and settings fit it. */
// biome-ignore lint/suspicious/noExplicitAny: what its own functions give and take is between them.
export type AnyInput = InputKind<any, any, any>;

const inputs: Readonly<Record<ModalityName, AnyInput>> = {
  image: imageInput,
  events: eventsInput,
  eventPictures: eventPicturesInput,
  skeletons: skeletonsInput,
};

/** @throws UsageError listing what there is. */
export function inputOf(modality: string = defaultModality): AnyInput {
  if (Object.hasOwn(inputs, modality)) return inputs[modality as ModalityName];
  throw new UsageError(`there is no modality "${modality}"; there is ${modalityNames.join(', ')}`);
}
