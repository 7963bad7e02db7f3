/**
 * Labelled images to evaluate a model on: an image folder, or the test split of anything that `train` learns from. For Node.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, relative, sep } from 'node:path';
import { openArchive } from '../data/datasets/archive.js';
import { type AnyDataset, type Dataset, identityOf } from '../data/datasets/dataset.js';
import type { LabelledImages } from '../data/datasets/images.js';
import { ignoredNote } from '../data/datasets/layout.js';
import { openDataset } from '../data/datasets/openDataset.js';
import { recogniseFolder } from '../data/datasets/recognise.js';
import { locate, systemPath } from '../data/fileNames.js';
import { findImageFolder } from '../data/imageFolder.js';
import { isImageName } from '../data/names.js';
import { readAhead } from '../data/readAhead.js';
import { type TargetStore, targetKindOf } from '../data/targets/registry.js';
import { UsageError } from '../errors.js';
import { batchesInOrder } from '../loader/batchesInOrder.js';
import { imagesOfFolder } from '../loader/imageFolder.js';
import type { SampleBatch } from '../loader/loader.js';
import { type Shard, samplesOfShard } from '../loader/shard.js';
import type { AnyPreprocessing } from '../modalities/inputs.js';
import { defaultModality } from '../modalities/names.js';
import { modalityNamed } from '../modalities/registry.js';
import { checkOptionNames, described } from '../optionNames.js';
import type { AnyTask } from '../tasks/registry.js';
import type { LabelledBatch } from './evaluate.js';
import { folderFingerprint } from './fingerprint.js';
import { checkPlacesReading, checkSkipBad, openTaskDataset, type TaskDataOptions } from './taskData.js';

export interface EvaluationDataOptions {
  readonly batch: number;
  /** The model's `input.preprocessing`. */
  readonly preprocess: AnyPreprocessing;
  /** Image i belongs to shard i mod count. */
  readonly shard?: Shard;
}

export interface EvaluationData {
  readonly classes: readonly string[];
  /** Images in all. */
  readonly size: number;
  /** SHA-256 that tells this data from other data. */
  readonly fingerprint: string;
  /** What a person should know about how the data was read, such as what was passed over; a line each. */
  readonly notes: readonly string[];
  /** What messages call image i: a path where there is one. */
  sampleName(i: number): string;
  batches(options: EvaluationDataOptions): AsyncIterable<LabelledBatch & SampleBatch>;
}

/**
 * Opens a folder of class folders as it is, of everything else the test split (of an archive without splits, all of it).
 *
 * @throws ImageError or DataError naming the file when nothing is recognised or a file is damaged.
 */
export async function openEvaluationData(path: string): Promise<EvaluationData> {
  if (typeof path !== 'string')
    throw new UsageError(`openEvaluationData: found ${described(path)}, expected the path of a folder or an archive`);
  const place = await locate(path);
  const isFolder = await isDirectory(place);
  if (isFolder === false && isImageName(path))
    throw new UsageError(
      `${path}: is a single image; give a folder with one sub-folder per class, or an archive of one`,
    );
  // What cannot be opened counts as a folder: opening it says why.
  if (isFolder === undefined) return folderData(place, []);
  const found = isFolder ? await recogniseFolder(place) : undefined;
  if (found?.kind === 'folders' && !found.layout.divided) return folderData(place, found.layout.ignored);
  const dataset = isFolder ? await openDataset(place, { split: 'test' }) : await openArchive(place, ['test', 'train']);
  return datasetData(dataset, place);
}

async function isDirectory(path: string): Promise<boolean | undefined> {
  return (await stat(systemPath(path)).catch(() => undefined))?.isDirectory();
}

async function folderData(path: string, ignored: readonly string[]): Promise<EvaluationData> {
  const folder = await findImageFolder(path, ignored);
  const notes = ignoredNote(path, [...new Set([...ignored, ...folder.ignored])]);
  return drawnFrom(imagesOfFolder(folder), await folderFingerprint(folder), notes);
}

function datasetData(dataset: LabelledImages, root: string): EvaluationData {
  return drawnFrom(dataset, datasetFingerprint(dataset, root), dataset.notes ?? []);
}

/** Data with the targets of any task. */
export interface TaskEvaluationData extends Pick<EvaluationData, 'size' | 'fingerprint' | 'notes' | 'sampleName'> {
  /** The names of the answers, such as classes. */
  readonly names: readonly string[];
  /** What messages call a sample. */
  readonly noun: string;
  /** Beside the samples a batch has the targets that the task compares answers with. */
  batches(options: EvaluationDataOptions): AsyncIterable<SampleBatch>;
  /** Samples as they are stored, one after the other, for whoever is shown all of each; absent where targets belong to samples and not to places in them. */
  wholes?(shard?: Shard): AsyncIterable<WholeSample>;
}

/** A sample with its target as a batch of one has it, nothing cropped or resized. */
export interface WholeSample {
  readonly sample: unknown;
  /** Which sample of the shard it is, `[1]`. */
  readonly indices: Int32Array;
}

/** Two at a time are in memory. */
async function* wholesOf(dataset: AnyDataset, shard?: Shard): AsyncGenerator<WholeSample, void, undefined> {
  const { targets, size } = dataset;
  const all = Array.from({ length: size }, (_, i) => i);
  const kind = targetKindOf(targets);
  const numbers = (shard ? samplesOfShard(all, shard) : all).map((number, i) => ({ number, i }));
  const read = async ({ number, i }: (typeof numbers)[number]) => {
    const target = kind.collate(targets, [dataset.target(number)]);
    return { sample: await dataset.sample(number), indices: Int32Array.of(i), ...target };
  };
  yield* readAhead(numbers, read, { concurrency: 1, lookAhead: 1 });
}

/**
 * Opens the data of a task: for classification as `openEvaluationData`, for others the test part of annotated images.
 *
 * @throws ImageError or DataError naming the file when nothing is recognised or targets are wrong.
 */
export async function openTaskEvaluationData(
  task: AnyTask,
  path: string,
  asked: TaskDataOptions = {},
): Promise<TaskEvaluationData> {
  checkSkipBad(task, asked);
  checkPlacesReading(task, asked);
  const { modality = defaultModality } = asked;
  if (task.targets.reading.from === 'classFolders' && modality === defaultModality) {
    const { classes, ...data } = await openEvaluationData(path);
    return { ...data, noun: 'image', names: classes };
  }
  const dataset = await openTaskDataset(task, path, ['test', 'train'], asked);
  const { size, noun, notes = [] } = dataset;
  const fingerprint = await contentFingerprint(dataset);
  const { sampleName } = dataset;
  const names = task.targets.names(dataset.targets);
  const wholes = (shard?: Shard) => wholesOf(dataset, shard);
  return { names, noun, size, fingerprint, notes, sampleName, batches: batchesOf(dataset), wholes };
}

function drawnFrom(dataset: LabelledImages, fingerprint: string, notes: readonly string[]): EvaluationData {
  const { classes, size, sampleName } = dataset;
  return { classes, size, fingerprint, notes, sampleName, batches: batchesOf(dataset) };
}

function batchesOf<Targets extends TargetStore>(dataset: Dataset<unknown, Targets>) {
  return (options: EvaluationDataOptions) => {
    checkOptionNames<EvaluationDataOptions>('batches', options, { batch: true, preprocess: true, shard: true });
    const { batch, preprocess, shard } = options;
    const asked = { batchSize: batch, preprocessing: preprocess, ...(shard === undefined ? {} : { shard }) };
    return batchesInOrder(dataset, asked);
  };
}

/** Of names, sizes and targets of the samples, and of decoded values where they are in memory. */
async function contentFingerprint(dataset: AnyDataset): Promise<string> {
  const { modality, store, size, sampleName, position } = dataset;
  const hash = createHash('sha256');
  const content = modalityNamed(modality).contentOf(store);
  for (let i = 0; i < size; i++) {
    hash
      .update(`[${JSON.stringify(basename(sampleName(i)))},`)
      .update(identityOf(dataset, i))
      .update(']\n');
    if (content.what === 'files') hash.update(`${await content.sizeOf(position(i))}\n`);
    else for await (const part of content.bytesOf(position(i))) hash.update(part);
  }
  return `sha256:${hash.digest('hex')}`;
}

/** Of class names, labels and the images as they are stored: pixels, encoded bytes, or paths below `root`. */
function datasetFingerprint(dataset: LabelledImages, root: string): string {
  const hash = createHash('sha256').update(JSON.stringify(dataset.classes));
  const places = Int32Array.from({ length: 2 * dataset.size }, (_, i) =>
    i % 2 === 0 ? dataset.label(i / 2) : dataset.position((i - 1) / 2),
  );
  hash.update(places);
  const { store } = dataset;
  if (store.kind === 'pixels') hash.update(`${store.height} ${store.width} ${store.channels}`).update(store.pixels);
  else if (store.kind === 'encoded') hash.update(store.ends).update(store.bytes);
  else hash.update(JSON.stringify(store.paths.map((file) => relative(root, file).split(sep).join('/'))));
  return `sha256:${hash.digest('hex')}`;
}
