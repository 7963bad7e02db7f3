/** Samples with the targets that a task asks for: recognised as sets of class numbers are, or read from annotations. For Node. */
import { openAnnotatedFiles } from '../data/annotatedFiles.js';
import type { AnyDataset } from '../data/datasets/dataset.js';
import { type ImageDataset, imagesWith } from '../data/datasets/images.js';
import type { Split } from '../data/datasets/layout.js';
import { decodeSmallImages } from '../data/datasets/smallImages.js';
import { decodeImage } from '../data/decode.js';
import { UsageError } from '../errors.js';
import { defaultModality } from '../modalities/names.js';
import { modalityNamed } from '../modalities/registry.js';
import type { AnyTask } from '../tasks/registry.js';

/** What is asked of data beside its place. */
export interface TaskDataOptions {
  /** What the samples are; images by default. */
  readonly modality?: string | undefined;
  /** What the modality asks of its reading, such as the length of clips. */
  readonly reading?: object | undefined;
}

/** @throws ImageError or DataError naming the file when the data cannot be opened or its targets are wrong. */
export async function openTaskDataset(
  task: AnyTask,
  path: string,
  split: Split | readonly [Split, ...Split[]],
  { modality = defaultModality, reading = {} }: TaskDataOptions = {},
): Promise<AnyDataset> {
  const { reading: targets } = task.targets;
  if (targets.from === 'classFolders') return modalityNamed(modality).openLabelled(path, { ...reading, split });
  if (modality !== defaultModality)
    throw new UsageError(`${path}: the task ${task.name} is asked about annotated images, not about ${modality}`);
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
