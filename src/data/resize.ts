/**
 * Bicubic and bilinear resizing, shorter-side sizes and centre crops on 8-bit images, equal byte for byte to what Pillow and
 * torchvision compute. It does not decode files. The filters are Keys' cubic convolution (IEEE ASSP 1981) with a = -0.5
 * and a triangle, widened by the scale when shrinking; weights are rounded to 22-bit fixed point, as Pillow (>= 3.3) does.
 */
import { ImageError } from './errors.js';
import { checkRaster, type Raster } from './image.js';

/** A rectangle of whole pixels. It may reach beyond the image: what lies outside is black. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A function of the distance in samples, 0 from `support` on. */
interface Filter {
  readonly support: number;
  weight(distance: number): number;
}

const cubicParameter = -0.5;
// 8 bits for the sample and 2 for overshoot leave 22 of 32 bits for the weight.
const weightBits = 22;
const half = 1 << (weightBits - 1);

/** For every output sample: where its input samples start, how many there are, and their fixed-point weights. */
interface FilterTable {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly weights: Int32Array;
  /** Weights are stored in rows of this length. */
  readonly stride: number;
}

/**
 * `image` resized to `size` with the bicubic filter; with `region`, only that part of the resized image (which must lie
 * inside it). The cost is that of the region: an image 1 pixel wide and very long stays cheap when its centre is all
 * that is asked for. Throws ImageError when the image or the sizes are inconsistent.
 */
export function resizeBicubic(image: Raster, size: Size, region: Region = wholeOf(size)): Raster {
  return resizeBy(cubicFilter, image, size, region);
}

/** As {@link resizeBicubic}, with the triangle filter that Pillow calls bilinear. */
export function resizeBilinear(image: Raster, size: Size, region: Region = wholeOf(size)): Raster {
  return resizeBy(triangleFilter, image, size, region);
}

/**
 * The part `region` of `image` resized to `size`; it may reach beyond, where it is `outside`. Only what lies inside is computed.
 */
export function resizedPart(
  image: Raster,
  size: Size,
  region: Region,
  resize: typeof resizeBicubic = resizeBicubic,
  outside: readonly number[] = [],
): Raster {
  const inside = intersect(size, region);
  const part = resize(image, size, inside);
  return cropFilled(part, { ...region, left: region.left - inside.left, top: region.top - inside.top }, outside);
}

function resizeBy(filter: Filter, image: Raster, size: Size, region: Region): Raster {
  checkRaster(image);
  checkRegion(size, region);
  // An axis that keeps its size is copied, not filtered, and the result of the first pass is rounded to bytes.
  const columns = filterTable(filter, image.width, size.width, region.left, region.width);
  const rows = filterTable(filter, image.height, size.height, region.top, region.height);
  const firstRow = rows.starts[0]!;
  const last = region.height - 1;
  const rowCount = rows.starts[last]! + rows.counts[last]! - firstRow;
  return filterRows(filterColumns(image, columns, firstRow, rowCount), rows, firstRow);
}

/**
 * The size that torchvision's `Resize(shorter)` gives an image: the shorter side becomes `shorter`, the longer side
 * is scaled by the same factor and truncated to a whole number.
 */
export function shorterSideSize(size: Size, shorter: number): Size {
  const { width, height } = size;
  return width <= height
    ? { width: shorter, height: Math.trunc((shorter * height) / width) }
    : { width: Math.trunc((shorter * width) / height), height: shorter };
}

/** The largest size of the same proportions that `frame` has room for: one side is the frame's, the other is rounded. */
export function fittingSize(size: Size, frame: Size): Size {
  const side = (length: number, other: number, across: number) => Math.max(1, Math.round((length * across) / other));
  return size.width * frame.height >= size.height * frame.width
    ? { width: frame.width, height: side(size.height, size.width, frame.width) }
    : { width: side(size.width, size.height, frame.height), height: frame.height };
}

/**
 * Where torchvision's `CenterCrop` cuts `crop` out of an image of `size`. `left` and `top` are negative where the image is
 * smaller than the crop and gets black borders; then the right and lower borders are the wider ones.
 */
export function centreCropRegion(size: Size, crop: Size): Region {
  return {
    left: centreOffset(size.width, crop.width),
    top: centreOffset(size.height, crop.height),
    width: crop.width,
    height: crop.height,
  };
}

/** The part of `image` that `region` covers; pixels outside the image are 0. Throws ImageError on a broken image. */
export function cropWithBlack(image: Raster, region: Region): Raster {
  return cropFilled(image, region, []);
}

/** As {@link cropWithBlack}, with a byte for each channel for what lies outside; none is black. */
export function cropFilled(image: Raster, region: Region, outside: readonly number[]): Raster {
  checkRaster(image);
  const { channels } = image;
  const data = new Uint8Array(region.width * region.height * channels);
  const inside = intersect(image, region);
  const isWhole = inside.width === region.width && inside.height === region.height;
  if (!isWhole && outside.length > 0) for (let i = 0; i < data.length; i++) data[i] = outside[i % channels]!;
  for (let y = inside.top; y < inside.top + inside.height; y++) {
    const from = (y * image.width + inside.left) * channels;
    const to = ((y - region.top) * region.width + inside.left - region.left) * channels;
    data.set(image.data.subarray(from, from + inside.width * channels), to);
  }
  return { width: region.width, height: region.height, channels, data };
}

/** The part of `region` that lies inside an image of `size`; its width or height is 0 when nothing does. */
export function intersect(size: Size, region: Region): Region {
  const left = Math.max(region.left, 0);
  const top = Math.max(region.top, 0);
  const right = Math.min(region.left + region.width, size.width);
  const bottom = Math.min(region.top + region.height, size.height);
  return { left, top, width: Math.max(right - left, 0), height: Math.max(bottom - top, 0) };
}

function wholeOf(size: Size): Region {
  return { left: 0, top: 0, width: size.width, height: size.height };
}

/** Python rounds halves to the even neighbour when cropping, and towards the left or upper border when padding. */
function centreOffset(size: number, crop: number): number {
  if (crop > size) return -Math.floor((crop - size) / 2);
  const excess = size - crop;
  const lower = Math.floor(excess / 2);
  return excess % 2 === 0 || lower % 2 === 0 ? lower : lower + 1;
}

function checkRegion(size: Size, region: Region): void {
  const inside = intersect(size, region);
  const numbers = [size.width, size.height, region.left, region.top, region.width, region.height];
  const whole = numbers.every((value) => Number.isSafeInteger(value)) && region.width > 0 && region.height > 0;
  if (!whole || inside.width !== region.width || inside.height !== region.height) {
    throw new ImageError(
      `cannot resize to ${size.width} x ${size.height} and keep ${region.width} x ${region.height} at (${region.left}, ${region.top}); ` +
        'sizes must be whole numbers of at least 1 and the part must lie inside',
    );
  }
}

/** W(x) = (a+2)|x|^3 - (a+3)|x|^2 + 1 for |x| < 1, and a|x|^3 - 5a|x|^2 + 8a|x| - 4a for 1 <= |x| < 2. */
function cubic(distance: number): number {
  const a = cubicParameter;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

const cubicFilter: Filter = { support: 2, weight: cubic };
const triangleFilter: Filter = { support: 1, weight: (distance) => Math.max(1 - Math.abs(distance), 0) };

/** The table for output samples `first` to `first + count - 1` of an axis that goes from `inputSize` to `outputSize`. */
function filterTable(filter: Filter, inputSize: number, outputSize: number, first: number, count: number): FilterTable {
  const scale = inputSize / outputSize;
  const widening = Math.max(scale, 1);
  const support = filter.support * widening;
  const stride = inputSize === outputSize ? 1 : Math.min(Math.ceil(support) * 2 + 1, inputSize);
  const table: FilterTable = {
    starts: new Int32Array(count),
    counts: new Int32Array(count),
    weights: new Int32Array(count * stride),
    stride,
  };
  if (inputSize === outputSize) fillIdentity(table, first);
  else {
    for (let i = 0; i < count; i++) fillWeights(filter, table, i, (first + i + 0.5) * scale, widening, inputSize);
  }
  return table;
}

function fillIdentity(table: FilterTable, first: number): void {
  for (let i = 0; i < table.starts.length; i++) table.starts[i] = first + i;
  table.counts.fill(1);
  table.weights.fill(1 << weightBits);
}

function fillWeights(
  filter: Filter,
  table: FilterTable,
  row: number,
  centre: number,
  widening: number,
  inputSize: number,
): void {
  const support = filter.support * widening;
  const start = Math.max(Math.trunc(centre - support + 0.5), 0);
  const count = Math.min(Math.trunc(centre + support + 0.5), inputSize) - start;
  const inverse = 1 / widening;
  const exact = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    exact[i] = filter.weight((start + i - centre + 0.5) * inverse);
    sum += exact[i]!;
  }
  table.starts[row] = start;
  table.counts[row] = count;
  for (let i = 0; i < count; i++) table.weights[row * table.stride + i] = fixedPoint(exact[i]! / sum);
}

/** Halves are rounded away from zero. */
function fixedPoint(weight: number): number {
  const scaled = weight * (1 << weightBits);
  return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

function clampToByte(value: number): number {
  return value < 0 ? 0 : Math.min(value, 255);
}

/** Horizontal pass over `rowCount` input rows from `firstRow`. */
function filterColumns(image: Raster, table: FilterTable, firstRow: number, rowCount: number): Raster {
  const { width, channels, data } = image;
  const { starts, counts, weights, stride } = table;
  const outputWidth = starts.length;
  const output = new Uint8Array(outputWidth * rowCount * channels);
  let to = 0;
  for (let y = 0; y < rowCount; y++) {
    const row = (firstRow + y) * width;
    for (let x = 0; x < outputWidth; x++) {
      const from = (row + starts[x]!) * channels;
      const firstWeight = x * stride;
      const count = counts[x]!;
      for (let c = 0; c < channels; c++) {
        let sum = half;
        let sample = from + c;
        for (let i = 0; i < count; i++) {
          sum = (sum + Math.imul(data[sample]!, weights[firstWeight + i]!)) | 0;
          sample += channels;
        }
        output[to++] = clampToByte(sum >> weightBits);
      }
    }
  }
  return { width: outputWidth, height: rowCount, channels, data: output };
}

/** Vertical pass; row 0 of `image` is row `firstRow` of what the table speaks of. Works along rows, kind to the cache. */
function filterRows(image: Raster, table: FilterTable, firstRow: number): Raster {
  const { width, channels, data } = image;
  const { starts, counts, weights, stride } = table;
  const height = starts.length;
  const rowLength = width * channels;
  const output = new Uint8Array(rowLength * height);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    for (let i = 0; i < counts[y]!; i++) {
      const weight = weights[y * stride + i]!;
      const from = (starts[y]! - firstRow + i) * rowLength;
      for (let x = 0; x < rowLength; x++) sums[x]! += Math.imul(data[from + x]!, weight);
    }
    const to = y * rowLength;
    for (let x = 0; x < rowLength; x++) output[to + x] = clampToByte(sums[x]! >> weightBits);
  }
  return { width, height, channels, data: output };
}
