/**
 * What a modality's samples are once they are a network's input: the settings that are stored beside a model, the shape that they give, what
 * training may do at random. The half of a modality that reads nothing; it runs in a page too. The other half is `modality.ts`.
 */
import type * as z from 'zod';
import type { Placement } from '../data/geometry/placement.js';
import type { RgbImage } from '../data/image.js';

/** Of one sample's floats, channels first. */
export interface SampleShape {
  /** Time steps that come one after the other; undefined for what stands still and is shown at every step. */
  readonly frames?: number;
  readonly channels: number;
  /** Height and width of images, joints of skeletons. */
  readonly places: readonly number[];
}

/** How values were scaled, by channel; a teacher that was trained otherwise is given its own. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Images, recordings of events. `inputs.ts` has one for each name. */
export interface InputKind<Sample, Preprocessing extends object, Augmentation extends object> {
  readonly name: string;
  /** What messages call a sample, in the singular. */
  readonly noun: string;
  /** What is stored beside a model to say how samples become its input. */
  readonly preprocessing: z.ZodType<Preprocessing>;
  /** What training may do at random, with defaults for all that is left out. */
  readonly augmentation: z.ZodType<Augmentation>;
  /** What a recipe's `data` says beside the preprocessing, such as the length of clips: every field may be absent. */
  readonly reading: Readonly<Record<string, z.ZodType>>;
  /** Of a checkpoint that says nothing; undefined where nothing can be assumed. */
  readonly assumed: Preprocessing | undefined;
  /** Settings out of data from outside. Throws an error naming `source` and the field that is wrong. */
  parse(written: unknown, source: string): Preprocessing;
  shapeOf(preprocessing: Preprocessing): SampleShape;
  /** What it says of a network's configuration beside channels and time steps; only of networks that have such fields. */
  implies?(preprocessing: Preprocessing): Readonly<Record<string, number>>;
  /** Height and width that people call the input's size. */
  sizeOf(preprocessing: Preprocessing): readonly [height: number, width: number];
  /** The same at another size of the network's input. */
  resized(preprocessing: Preprocessing, side: number): Preprocessing;
  /** The same for a network of other time steps. */
  withTimeSteps(preprocessing: Preprocessing, timeSteps: number): Preprocessing;
  /** Where the whole of a sample lies in the network's input, for samples with a place; absent where samples are no pictures. */
  placed?(sample: Sample, preprocessing: Preprocessing): Placement;
  /** What a sample's floats look like, in the pixels of the network's input; absent where samples are no pictures. */
  seen?(floats: Float32Array, preprocessing: Preprocessing): RgbImage;
  /** Undefined where values are not normalised by channel. */
  normalisation(preprocessing: Preprocessing): Normalisation | undefined;
  /** Whether a value is a sample in memory, and not where one is to be read from. */
  isSample(value: object): boolean;
  /** What such a value is, and where samples are read from, in words for messages. */
  readonly inMemory: string;
  readonly sources: string;
  /** Whether samples of a batch are mixed with each other. */
  mixes(augmentation: Partial<Augmentation>): boolean;
  /**
   * Writes a sample's floats without any chance.
   *
   * @param frameStride Floats from one time step to the next, where there are several.
   */
  write(sample: Sample, preprocessing: Preprocessing, target: Float32Array, offset: number, frameStride: number): void;
}

/** Floats of one time step of one sample. */
export function frameLength({ channels, places }: SampleShape): number {
  return places.reduce((product, size) => product * size, channels);
}

/** Floats of one sample. */
export function sampleLength(shape: SampleShape): number {
  return (shape.frames ?? 1) * frameLength(shape);
}

/** Of a batch in the field's layout: `[B, C, H, W]`, or `[T, B, C, H, W]` for frames; a row of places is `[T, B, C, V]`. */
export function batchShape({ frames, channels, places }: SampleShape, batch: number): readonly number[] {
  return [...(frames === undefined ? [] : [frames]), batch, channels, ...places];
}

/** Of a batch as engines have it: `[T or 1, B, H, W, C]`, H being 1 for a row of places. */
export function engineShape({ frames = 1, channels, places }: SampleShape, batch: number): readonly number[] {
  return [frames, batch, ...(places.length === 1 ? [1] : []), ...places, channels];
}

/** The first samples of a batch, as an input of their own. */
export function firstOf(
  batch: Float32Array,
  shape: SampleShape,
  count: number,
): { readonly shape: readonly number[]; readonly data: Float32Array } {
  const { frames = 1 } = shape;
  const size = batch.length / sampleLength(shape);
  const [step, wanted] = [size * frameLength(shape), count * frameLength(shape)];
  if (frames === 1 || count === size)
    return { shape: batchShape(shape, count), data: batch.subarray(0, frames * wanted) };
  const data = new Float32Array(frames * wanted);
  for (let t = 0; t < frames; t++) data.set(batch.subarray(t * step, t * step + wanted), t * wanted);
  return { shape: batchShape(shape, count), data };
}
