/** Samples with the targets that a task asks for: recognised as sets of class numbers are, read from annotations, masks or boxes. For Node. */

import type { z } from 'zod';
import { openAnnotatedFiles } from '../data/annotatedFiles.js';
import { openBoxes } from '../data/annotations/openBoxes.js';
import type { AnyDataset } from '../data/datasets/dataset.js';
import { type ImageDataset, imagesWith } from '../data/datasets/images.js';
import type { Split } from '../data/datasets/layout.js';
import { decodeSmallImages } from '../data/datasets/smallImages.js';
import { decodeImage } from '../data/decode.js';
import { openPlaces } from '../data/pairs/openPlaces.js';
import { openSegmentation } from '../data/segmentation/openSegmentation.js';
import { UsageError } from '../errors.js';
import { placesReading } from '../modalities/image/imageInput.js';
import { defaultModality } from '../modalities/names.js';
import { modalityNamed } from '../modalities/registry.js';
import type { AnyTask } from '../tasks/registry.js';

/** What is asked of data beside its place. */
export interface TaskDataOptions {
  /** What the samples are; images by default. */
  readonly modality?: string | undefined;
  /** What the modality asks of its reading, such as the length of clips. */
  readonly reading?: object | undefined;
  /** Leave out samples that cannot be used, where the task's data is looked through before any work: masks and boxes. */
  readonly skipBad?: boolean | undefined;
}

type PlacesReading = z.output<z.ZodObject<typeof placesReading>>;

/** @throws UsageError when bad samples of data that is not looked through are to be left out. */
export function checkSkipBad({ name, targets }: AnyTask, { skipBad = false }: TaskDataOptions): void {
  const { from } = targets.reading;
  if (skipBad && from !== 'masks' && from !== 'boxes' && from !== 'places')
    throw new UsageError(
      `--skip-bad: leaves out masks, boxes and places that are wrong; the task ${name} has none, leave it out`,
    );
}

/** @throws UsageError for views or an altitude of what are no places. */
export function checkPlacesReading({ name, targets }: AnyTask, { reading = {} }: TaskDataOptions): void {
  const said = Object.keys(placesReading).filter((field) => Reflect.get(reading, field) !== undefined);
  if (said.length > 0 && targets.reading.from !== 'places')
    throw new UsageError(`${said.join(', ')}: are said of places; the task ${name} has none, leave them out`);
}

/** @throws ImageError or DataError naming the file when the data cannot be opened or its targets are wrong. */
export async function openTaskDataset(
  task: AnyTask,
  path: string,
  split: Split | readonly [Split, ...Split[]],
  asked: TaskDataOptions = {},
): Promise<AnyDataset> {
  checkSkipBad(task, asked);
  checkPlacesReading(task, asked);
  const { modality = defaultModality, reading = {}, skipBad } = asked;
  const { reading: targets } = task.targets;
  if (targets.from === 'classFolders') return modalityNamed(modality).openLabelled(path, { ...reading, split });
  if (modality !== defaultModality)
    throw new UsageError(`${path}: the task ${task.name} is asked about annotated images, not about ${modality}`);
  if (targets.from === 'masks') return openSegmentation(path, { split, skipBad });
  if (targets.from === 'boxes') return openBoxes(path, { split, skipBad });
  if (targets.from === 'places') return openPlaces(path, { ...(reading as PlacesReading), split, skipBad });
  return annotatedImages(task, path, typeof split === 'string' ? split : split[0]);
}

async function annotatedImages(task: AnyTask, path: string, split: 'train' | 'test'): Promise<ImageDataset> {
  const { reading } = task.targets;
  if (reading.from !== 'annotations') throw new Error(`the targets of ${task.name} are not in annotations`);
  const files = await openAnnotatedFiles(path, split);
  const targets = await reading.read(files);
  const { name, paths } = files;
  const small = await decodeSmallImages(paths.length, (i) => decodeImage(paths[i]!));
  return imagesWith({ name, store: small ?? { kind: 'files', paths }, targets, names: paths });
}
