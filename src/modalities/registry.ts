/** The modalities by name, which is what a data set and a checkpoint say, and what a loader's threads are told. */
import { UsageError } from '../errors.js';
import { eventPicturesModality, type PictureSettingsInput } from './eventPictures/eventPicturesModality.js';
import { type EventSettingsInput, eventsModality } from './events/eventsModality.js';
import { type ImageSettingsInput, imageModality } from './image/imageModality.js';
import type { AnyPreprocessing } from './inputs.js';
import type { DrawnChange, Modality } from './modality.js';
import type { ModalityName } from './names.js';
import { type SkeletonSettingsInput, skeletonsModality } from './skeletons/skeletonsModality.js';

const modalities = {
  image: imageModality,
  events: eventsModality,
  eventPictures: eventPicturesModality,
  skeletons: skeletonsModality,
} satisfies Record<ModalityName, unknown>;

export type { ModalityName } from './names.js';

/** How samples become floats, as a caller of the loader writes it: what the modality of the data set takes, which checks it. */
export interface ModalitySettings extends Pick<ImageSettingsInput, 'layout' | 'channels'> {
  readonly preprocessing: AnyPreprocessing;
  readonly augmentation?:
    | ImageSettingsInput['augmentation']
    | EventSettingsInput['augmentation']
    | PictureSettingsInput['augmentation']
    | SkeletonSettingsInput['augmentation'];
}

/** A modality of which nothing is known but that its own samples, settings and changes fit it. */
// biome-ignore lint/suspicious/noExplicitAny: what its own functions give and take is between them.
export type AnyModality = Modality<any, any, unknown, DrawnChange>;

/** Throws UsageError listing what there is. */
export function modalityNamed(name: string): AnyModality {
  if (Object.hasOwn(modalities, name)) return modalities[name as ModalityName] as AnyModality;
  throw new UsageError(`there is no modality "${name}"; there is ${Object.keys(modalities).join(', ')}`);
}
