/**
 * What somebody who writes a recipe wants to know about images: classes, counts, sizes, colours. A few hundred of them are decoded, always
 * the same ones. For Node.
 */
import type { LabelledImages } from '../data/datasets/images.js';
import { openDataset } from '../data/datasets/openDataset.js';
import { MissingSplitError } from '../data/errors.js';
import type { RgbImage } from '../data/image.js';

export type ImageSize = readonly [height: number, width: number];

export interface DataSurvey {
  /** Training images by class. */
  readonly classes: readonly { readonly name: string; readonly images: number }[];
  readonly trainingImages: number;
  /** Of the test or validation split; null without one. */
  readonly testImages: number | null;
  /** By area, of the images that were decoded. */
  readonly sizes: { readonly smallest: ImageSize; readonly median: ImageSize; readonly largest: ImageSize };
  /** Whether any decoded image has colour. */
  readonly colour: boolean;
  /** Of red, green and blue on the scale 0..1. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly decodedImages: number;
  /** What was passed over. */
  readonly notes: readonly string[];
}

const mostDecoded = 256;

/** Throws DataError or ImageError naming the file when the data cannot be opened or an image not decoded. */
export async function surveyData(path: string): Promise<DataSurvey> {
  // A memory limit of a byte leaves the images undecoded.
  const training = await openDataset(path, { split: 'train', memoryLimit: 1 });
  const counts = training.classes.map(() => 0);
  for (let i = 0; i < training.size; i++) counts[training.label(i)]! += 1;
  return {
    classes: training.classes.map((name, label) => ({ name, images: counts[label]! })),
    trainingImages: training.size,
    testImages: await testImages(path),
    ...(await lookAt(training)),
    notes: training.notes ?? [],
  };
}

async function testImages(path: string): Promise<number | null> {
  try {
    return (await openDataset(path, { split: 'test', memoryLimit: 1 })).size;
  } catch (error) {
    if (error instanceof MissingSplitError) return null;
    throw error;
  }
}

async function lookAt(dataset: LabelledImages) {
  const count = Math.min(dataset.size, mostDecoded);
  const sizes: ImageSize[] = [];
  const totals = { pixels: 0, sums: [0, 0, 0], squares: [0, 0, 0] };
  let colour = false;
  for (let i = 0; i < count; i++) {
    const image = await dataset.image(Math.floor((i * dataset.size) / count));
    sizes.push([image.height, image.width]);
    colour ||= hasColour(image);
    addTo(totals, image);
  }
  sizes.sort((a, b) => a[0] * a[1] - b[0] * b[1]);
  const mean = totals.sums.map((sum) => sum / totals.pixels);
  const std = totals.squares.map((sum, c) => Math.sqrt(Math.max(0, sum / totals.pixels - mean[c]! ** 2)));
  return {
    sizes: { smallest: sizes[0]!, median: sizes[sizes.length >> 1]!, largest: sizes.at(-1)! },
    colour,
    mean: mean as [number, number, number],
    std: std as [number, number, number],
    decodedImages: count,
  };
}

/** More than the traces that JPEG leaves in grey images. */
const leastDifference = 8;

function hasColour({ data }: RgbImage): boolean {
  for (let i = 0; i < data.length; i += 3) {
    const [red, green, blue] = [data[i]!, data[i + 1]!, data[i + 2]!];
    if (Math.max(red, green, blue) - Math.min(red, green, blue) > leastDifference) return true;
  }
  return false;
}

function addTo(totals: { pixels: number; sums: number[]; squares: number[] }, { data }: RgbImage): void {
  totals.pixels += data.length / 3;
  for (let i = 0; i < data.length; i++) {
    const value = data[i]! / 255;
    totals.sums[i % 3]! += value;
    totals.squares[i % 3]! += value * value;
  }
}
