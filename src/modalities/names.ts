/** What modalities there are, without what reads them: a page knows their names too. `registry.ts` has one for each name. */
import { UsageError, withoutControls } from '../errors.js';

export const modalityNames = ['image', 'events', 'eventPictures', 'skeletons'] as const;
export type ModalityName = (typeof modalityNames)[number];

/** Of a checkpoint that names none. */
export const defaultModality: ModalityName = 'image';

/**
 * The modality that a checkpoint names, or the default where it names none.
 *
 * @param file What messages call the checkpoint.
 * @throws UsageError for a modality that this version does not know.
 */
export function modalityOfCheckpoint(file: string, name: string = defaultModality): ModalityName {
  const found = modalityNames.find((each) => each === name);
  if (found !== undefined) return found;
  const named = withoutControls(name).slice(0, 100);
  throw new UsageError(`${file}: names the modality ${named}; this version knows ${modalityNames.join(', ')}`);
}
