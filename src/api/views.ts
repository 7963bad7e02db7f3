/**
 * All of an image, for answers that have a place for every pixel: at once at its own size, or in windows whose scores are averaged where they overlap, as mmsegmentation's whole and
 * slide modes. Sizes are bounded before anything is allocated. Which scores these are, and what becomes of them, the task says.
 */
import {
  countWindows,
  defaultStride,
  throughWindow,
  type WindowGrid,
  WindowMean,
  windowsOver,
} from '../data/geometry/windows.js';
import type { RgbImage } from '../data/image.js';
import { meanColour, normalisedBytes, type PreprocessSettings, preprocess } from '../data/preprocess.js';
import { type Size, shorterSideSize } from '../data/resize.js';
import { UsageError } from '../errors.js';
import type { FieldTensor, Outputs, Recorded } from '../inference/types.js';
import { checkOptionNames, described } from '../optionNames.js';
import type { PixelScores } from '../tasks/task.js';
import type { ImageView, ImageWindows, ViewedImage } from './modelTypes.js';

/** Sides of a window in pixels. */
export const leastWindow = 8;
export const mostWindow = 2048;
/** Of one image: a stride of a few pixels over a large image would run for days. */
const mostWindows = 10_000;
/** Scores of an image, all classes together: 1 GiB. */
const mostScores = 2 ** 28;
/** An image of more pixels is too large whatever there is to say of each. */
const leastCounted = 16;

/** How the network is asked. */
export interface Asked {
  readonly preprocessing: PreprocessSettings;
  readonly classes: number;
  readonly scores: PixelScores;
  /** One image, `[1, 3, H, W]`. */
  run(input: FieldTensor): Promise<Recorded & { readonly outputs: Outputs; readonly milliseconds: number }>;
}

/**
 * Windows as they were asked for, complete.
 *
 * @param crop Height and width of the model's input.
 * @throws UsageError for sizes and strides that cannot be.
 */
export function windowGrid(windows: ImageWindows, crop: readonly [number, number]): WindowGrid {
  checkOptionNames<ImageWindows>('view', windows, { size: true, stride: true });
  const size =
    windows.size === undefined ? sizeOf(crop) : sides(windows.size, 'window', leastWindow, [mostWindow, mostWindow]);
  const stride =
    windows.stride === undefined ? defaultStride(size) : sides(windows.stride, 'stride', 1, [size.height, size.width]);
  return { size, stride };
}

function sides(given: unknown, what: string, least: number, most: readonly [number, number]): Size {
  const known = Array.isArray(given) && given.length === 2;
  if (
    known &&
    given.every(
      (side: unknown, i) => Number.isSafeInteger(side) && (side as number) >= least && (side as number) <= most[i]!,
    )
  )
    return sizeOf(given as [number, number]);
  const found = known ? given.map(String).join('x') : described(given);
  const limits = most[0] === most[1] ? `${least} to ${most[0]}` : `${least} to ${most[0]} and ${least} to ${most[1]}`;
  throw new UsageError(
    `${what}: found ${found}, expected height and width of ${limits} pixels${what === 'stride' ? ', no more than the window has' : ''}`,
  );
}

function sizeOf([height, width]: readonly [number, number]): Size {
  return { width, height };
}

/** @throws UsageError for a view that there is not; see also `windowGrid`. */
export function checkView(view: ImageView, crop: readonly [number, number]): void {
  if (view === 'whole') return;
  if (typeof view !== 'object' || view === null)
    throw new UsageError(`view: found ${described(view)}, expected 'whole' or windows {size, stride}`);
  windowGrid(view, crop);
}

/** The size at which an image is shown: its own, unless the shorter side is resized. */
function shownSize({ width, height }: Size, { resize }: PreprocessSettings): Size {
  return typeof resize === 'number' ? shorterSideSize({ width, height }, resize) : { width, height };
}

/**
 * Shows the network all of an image.
 *
 * @throws UsageError for a view that cannot be, and an image that is too large for it; ImageError for an inconsistent image; else as the run.
 */
export async function viewImage(image: RgbImage, view: ImageView, asked: Asked): Promise<ViewedImage> {
  const { preprocessing, scores } = asked;
  checkView(view, preprocessing.crop);
  const original = { width: image.width, height: image.height };
  const size = shownSize(image, preprocessing);
  checkSize(size, asked.classes);
  if (view !== 'whole') checkCount(size, windowGrid(view, preprocessing.crop));
  const { width, height } = size;
  const resize = preprocessing.resize === 'fit' ? null : preprocessing.resize;
  const data = preprocess(image, { ...preprocessing, resize, crop: [height, width] });
  if (view !== 'whole') return throughWindows({ ...size, channels: 3, data }, view, original, asked);
  const input = { shape: [1, 3, height, width], data };
  const { outputs: seen, ...run } = await timed(asked, input);
  const outputs = scores.inOwnPixels(seen.get(scores.output)!, original);
  return { outputs, original, input, runs: 1, ...run };
}

async function timed({ run }: Asked, input: FieldTensor) {
  const start = performance.now();
  const { outputs, milliseconds, ...recorded } = await run(input);
  return { outputs, milliseconds, recorded, compileMilliseconds: performance.now() - start - milliseconds };
}

async function throughWindows(
  image: Size & { readonly channels: number; readonly data: Float32Array },
  view: ImageWindows,
  original: Size,
  asked: Asked,
): Promise<ViewedImage> {
  const { preprocessing, classes, scores } = asked;
  const grid = windowGrid(view, preprocessing.crop);
  const { mean, std } = preprocessing;
  const outside = meanColour(preprocessing).map(
    (byte, channel) => normalisedBytes(mean[channel]!, std[channel]!)[byte]!,
  );
  const sums = new WindowMean(image, classes);
  let total = 0;
  let first: Pick<ViewedImage, 'input' | 'recorded' | 'compileMilliseconds'> | undefined;
  const windows = windowsOver(image, grid);
  for (const window of windows) {
    const input = { shape: [1, 3, window.height, window.width], data: throughWindow(image, window, outside) };
    const { outputs, milliseconds, ...run } = await timed(asked, input);
    first ??= { input, ...run };
    sums.add(window, outputs.get(scores.output)!.data);
    total += milliseconds;
  }
  const all = { shape: [1, classes, image.height, image.width], data: sums.means() };
  const outputs = scores.inOwnPixels(all, original);
  return { outputs, original, ...first!, runs: windows.length, milliseconds: total };
}

function checkSize({ width, height }: Size, classes: number): void {
  const most = Math.floor(mostScores / Math.max(classes, leastCounted));
  if (width * height <= most) return;
  throw new UsageError(
    `view: the image is ${width} x ${height} pixels as it is shown, at most ${most} pixels are, with ${classes} classes; scale it down`,
  );
}

function checkCount(image: Size, grid: WindowGrid): void {
  const count = countWindows(image, grid);
  if (count <= mostWindows) return;
  throw new UsageError(
    `window: ${count} windows over ${image.width} x ${image.height} pixels, at most ${mostWindows} are run; choose larger ones or a larger stride`,
  );
}
