/**
 * From a decoded image to a network's input: resize the shorter side (or the whole, to fit), crop the centre, scale to 0..1, normalise. It is
 * torchvision's evaluation transform (Resize, CenterCrop, ToTensor, Normalize) in float32, rounding where PyTorch rounds.
 * It draws nothing at random: augmentation for training is elsewhere. Runs in Node and in a browser.
 */
import * as z from 'zod';
import { checkOptionNames, nearestName } from '../optionNames.js';
import { ImageError } from './errors.js';
import { checkRaster, type RgbImage, rasterOf } from './image.js';
import { centreCropRegion, fittingSize, resizeBicubic, resizedPart, type Size, shorterSideSize } from './resize.js';
import { roundHalfEven } from './rounding.js';

const side = z.int().min(1).max(16384);
const perChannel = <Item extends z.ZodType<number>>(item: Item) => z.tuple([item, item, item]);

/** What is stored beside a model to say how images become its input. */
export const preprocessSettingsSchema = z.strictObject({
  /**
   * Length in pixels that the shorter side is resized to; null leaves the image as it is. `fit`: as large as the crop has room for the whole
   * image, what is left of it being the mean colour.
   */
  resize: z.union([side, z.literal('fit')]).nullable(),
  /** Height and width in pixels of the centre crop: the size of the network's input. */
  crop: z.tuple([side, side]),
  interpolation: z.literal('bicubic'),
  /** Mean of red, green and blue, on the scale 0..1. */
  mean: perChannel(z.number()),
  /** Standard deviation of red, green and blue, on the scale 0..1. */
  std: perChannel(z.number().positive()),
});

/** See {@link preprocessSettingsSchema}. */
export interface PreprocessSettings {
  readonly resize: number | 'fit' | null;
  readonly crop: readonly [height: number, width: number];
  readonly interpolation: 'bicubic';
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** ImageNet evaluation as the authors do it: shorter side 256, bicubic, centre 224 x 224, ImageNet mean and deviation. */
export const imagenetPreprocessing: PreprocessSettings = {
  resize: 256,
  crop: [224, 224],
  interpolation: 'bicubic',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/**
 * Settings for small inputs such as CIFAR-10: the shorter side is resized to `size` (which leaves an image of that size
 * untouched) and the centre `size` x `size` is kept. Mean and deviation are ImageNet's unless given.
 */
export function plainPreprocessing(
  size: number,
  normalisation: Partial<Pick<PreprocessSettings, 'mean' | 'std'>> = {},
): PreprocessSettings {
  checkOptionNames<typeof normalisation>('plainPreprocessing', normalisation, { mean: true, std: true });
  const settings = { ...imagenetPreprocessing, ...normalisation, resize: size, crop: [size, size] };
  return parsePreprocessSettings(settings, 'plain preprocessing');
}

/** Settings out of data from outside. Throws ImageError naming `source` and the field that is wrong. */
export function parsePreprocessSettings(value: unknown, source: string): PreprocessSettings {
  const parsed = preprocessSettingsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = issue.path.length > 0 ? issue.path.join('.') : 'the whole';
  const [stranger] = issue.code === 'unrecognized_keys' ? issue.keys : [];
  const meant = stranger === undefined ? undefined : nearestName(stranger, Object.keys(preprocessSettingsSchema.shape));
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  throw new ImageError(`${source}: preprocessing settings are wrong at ${field}: ${issue.message}${hint}`);
}

/** The number of float32 values that one image becomes: 3 * height * width. */
export function preprocessedLength(settings: PreprocessSettings): number {
  return 3 * settings.crop[0] * settings.crop[1];
}

/** The network's input for one image: float32 `[3, H, W]`. Throws ImageError when the image is inconsistent. */
export function preprocess(image: RgbImage, settings: PreprocessSettings): Float32Array {
  const target = new Float32Array(preprocessedLength(settings));
  preprocessInto(image, settings, target, 0);
  return target;
}

/** As {@link preprocess}, written into `target` from `offset` on: how a batch `[B, 3, H, W]` is filled. */
export function preprocessInto(
  image: RgbImage,
  settings: PreprocessSettings,
  target: Float32Array,
  offset: number,
): void {
  const pixels = cropPixels(image, settings);
  const area = settings.crop[0] * settings.crop[1];
  for (let channel = 0; channel < 3; channel++) {
    const values = normalisedBytes(settings.mean[channel]!, settings.std[channel]!);
    const plane = offset + channel * area;
    for (let i = 0; i < area; i++) target[plane + i] = values[pixels[i * 3 + channel]!]!;
  }
}

/** The resized and cropped bytes of an image, RGB interleaved `[H, W, 3]`, as they are before normalisation. */
export function cropPixels(image: RgbImage, settings: PreprocessSettings): Uint8Array {
  const raster = rasterOf(image);
  checkRaster(raster);
  const size = resizedSize(image, settings);
  const region = centreCropRegion(size, { height: settings.crop[0], width: settings.crop[1] });
  const outside = settings.resize === 'fit' ? meanColour(settings) : [];
  return resizedPart(raster, size, region, resizeBicubic, outside).data;
}

/** What {@link preprocess} made floats of: the resized and cropped image, to a byte. */
export function pictureOf(floats: Float32Array, { crop, mean, std }: PreprocessSettings): RgbImage {
  const [height, width] = crop;
  const area = height * width;
  const data = new Uint8ClampedArray(3 * area);
  for (let channel = 0; channel < 3; channel++) {
    const [own, deviation, plane] = [mean[channel]!, std[channel]!, channel * area];
    for (let i = 0; i < area; i++) data[3 * i + channel] = 255 * (floats[plane + i]! * deviation + own);
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}

/** The size that an image of this size has before its centre is cropped. */
export function resizedSize(from: Size, { resize, crop }: Pick<PreprocessSettings, 'resize' | 'crop'>): Size {
  if (resize === null) return from;
  return resize === 'fit' ? fittingSize(from, { height: crop[0], width: crop[1] }) : shorterSideSize(from, resize);
}

/** The bytes of red, green and blue next to the mean: what becomes 0, or nearly so. */
export function meanColour({ mean }: Pick<PreprocessSettings, 'mean'>): readonly [number, number, number] {
  const byte = (value: number) => Math.min(Math.max(roundHalfEven(255 * value), 0), 255);
  return [byte(mean[0]), byte(mean[1]), byte(mean[2])];
}

/** (v / 255 - mean) / std for every byte v, in float32 with a rounding after each operation. */
export function normalisedBytes(mean: number, std: number): Float32Array {
  const values = new Float32Array(256);
  for (let v = 0; v < 256; v++) {
    const scaled = Math.fround(Math.fround(v / 255) - Math.fround(mean));
    values[v] = scaled / Math.fround(std);
  }
  return values;
}
