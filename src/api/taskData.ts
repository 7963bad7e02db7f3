/** Images with the targets that a task asks for: recognised as sets of class numbers are, or read from annotations. For Node. */
import { openAnnotatedFiles } from '../data/annotatedFiles.js';
import { type ImageDataset, imagesWith } from '../data/datasets/images.js';
import { openDataset } from '../data/datasets/openDataset.js';
import { decodeSmallImages } from '../data/datasets/smallImages.js';
import { decodeImage } from '../data/decode.js';
import type { AnyTask } from '../tasks/registry.js';

/** @throws ImageError or DataError naming the file when the data cannot be opened or its targets are wrong. */
export async function openTaskDataset(task: AnyTask, path: string, split: 'train' | 'test'): Promise<ImageDataset> {
  const { reading } = task.targets;
  if (reading.from === 'classFolders') return openDataset(path, { split });
  const files = await openAnnotatedFiles(path, split);
  const targets = await reading.read(files);
  const { name, paths } = files;
  const small = await decodeSmallImages(paths.length, (i) => decodeImage(paths[i]!));
  return imagesWith({ name, store: small ?? { kind: 'files', paths }, targets, names: paths });
}
