/**
 * Changes of colour and sharpness on 8-bit RGB images, byte for byte what Pillow's ImageOps and ImageEnhance compute: the
 * photometric half of RandAugment (Cubuk et al. 2020). Nothing here is random and nothing moves a pixel.
 */
import type { RgbImage } from '../../data/image.js';

/** Stretches every channel so that its darkest value becomes 0 and its brightest 255. */
export function autoContrast(image: RgbImage): RgbImage {
  return throughTables(image, histograms(image).map(stretchingTable));
}

/** Makes the histogram of every channel as flat as a table of bytes can. */
export function equalize(image: RgbImage): RgbImage {
  return throughTables(image, histograms(image).map(equalizingTable));
}

/** 255 - v. */
export function invert(image: RgbImage): RgbImage {
  return throughTable(image, (value) => 255 - value);
}

/** Keeps the highest `bits` (0 to 8) of every byte. */
export function posterize(image: RgbImage, bits: number): RgbImage {
  const mask = bits >= 8 ? 255 : ~(2 ** (8 - bits) - 1) & 255;
  return throughTable(image, (value) => value & mask);
}

/** Inverts the values from `threshold` (0 to 256) on. */
export function solarize(image: RgbImage, threshold: number): RgbImage {
  return throughTable(image, (value) => (value < threshold ? value : 255 - value));
}

/** Adds `amount` to the values below `threshold`. */
export function solarizeAdd(image: RgbImage, amount: number, threshold = 128): RgbImage {
  return throughTable(image, (value) => (value < threshold ? Math.min(255, value + amount) : value));
}

/** Saturation: 0 gives grey, 1 the image, more than 1 stronger colours. */
export function adjustColour(image: RgbImage, factor: number): RgbImage {
  const grey = luminance(image);
  const degenerate = new Uint8Array(image.data.length);
  for (let pixel = 0; pixel < grey.length; pixel++) degenerate.fill(grey[pixel]!, pixel * 3, pixel * 3 + 3);
  return blended(degenerate, image, factor);
}

/** Contrast: 0 gives the mean grey, 1 the image. */
export function adjustContrast(image: RgbImage, factor: number): RgbImage {
  const grey = luminance(image);
  let sum = 0;
  for (const value of grey) sum += value;
  const mean = Math.trunc(sum / grey.length + 0.5);
  const alpha = Math.fround(factor);
  return throughTable(image, (value) => blend(mean, value, alpha));
}

/** Brightness: 0 gives black, 1 the image. */
export function adjustBrightness(image: RgbImage, factor: number): RgbImage {
  const alpha = Math.fround(factor);
  return throughTable(image, (value) => blend(0, value, alpha));
}

/** Sharpness: 0 gives the image smoothed by (1 1 1, 1 5 1, 1 1 1) / 13, 1 the image. */
export function adjustSharpness(image: RgbImage, factor: number): RgbImage {
  return blended(smoothed(image), image, factor);
}

/** Y of ITU-R BT.601 in 16-bit fixed point, as Pillow's conversion to "L". */
function luminance(image: RgbImage): Uint8Array {
  const { data } = image;
  const grey = new Uint8Array(data.length / 3);
  for (let pixel = 0; pixel < grey.length; pixel++) {
    const at = pixel * 3;
    grey[pixel] = (data[at]! * 19595 + data[at + 1]! * 38470 + data[at + 2]! * 7471 + 0x8000) >> 16;
  }
  return grey;
}

/** Border pixels stay as they are. A thirteenth can never end in a half, so whole numbers round as Pillow's floats do. */
function smoothed(image: RgbImage): Uint8Array {
  const { width, height, data } = image;
  const output = Uint8Array.from(data);
  const row = width * 3;
  for (let y = 1; y < height - 1; y++) {
    for (let at = y * row + 3; at < (y + 1) * row - 3; at++) {
      const above = data[at - row - 3]! + data[at - row]! + data[at - row + 3]!;
      const beside = data[at - 3]! + 5 * data[at]! + data[at + 3]!;
      const below = data[at + row - 3]! + data[at + row]! + data[at + row + 3]!;
      output[at] = Math.floor((2 * (above + beside + below) + 13) / 26);
    }
  }
  return output;
}

function blended(degenerate: Uint8Array, image: RgbImage, factor: number): RgbImage {
  const { width, height, data } = image;
  const alpha = Math.fround(factor);
  const output = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) output[i] = blend(degenerate[i]!, data[i]!, alpha);
  return { width, height, data: output };
}

/** from + alpha (to - from) in float32, cut off to a whole number and limited to a byte. `alpha` is a float32. */
function blend(from: number, to: number, alpha: number): number {
  const value = Math.fround(from + Math.fround(alpha * (to - from)));
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
}

function histograms(image: RgbImage): Int32Array[] {
  const counts = [new Int32Array(256), new Int32Array(256), new Int32Array(256)];
  const [red, green, blue] = counts;
  const { data } = image;
  for (let at = 0; at < data.length; at += 3) {
    red![data[at]!]! += 1;
    green![data[at + 1]!]! += 1;
    blue![data[at + 2]!]! += 1;
  }
  return counts;
}

function stretchingTable(histogram: Int32Array): Uint8Array {
  const lowest = histogram.findIndex((count) => count > 0);
  const highest = histogram.findLastIndex((count) => count > 0);
  if (highest <= lowest) return identityTable();
  const scale = 255 / (highest - lowest);
  const offset = -lowest * scale;
  return tableOf((value) => limited(Math.trunc(value * scale + offset)));
}

function equalizingTable(histogram: Int32Array): Uint8Array {
  const occupied = histogram.filter((count) => count > 0);
  const total = occupied.reduce((sum, count) => sum + count, 0);
  const step = Math.floor((total - (occupied.at(-1) ?? 0)) / 255);
  if (occupied.length <= 1 || step === 0) return identityTable();
  let seen = Math.floor(step / 2);
  return tableOf((value) => {
    const equalized = limited(Math.floor(seen / step));
    seen += histogram[value]!;
    return equalized;
  });
}

function limited(value: number): number {
  return Math.min(Math.max(value, 0), 255);
}

function identityTable(): Uint8Array {
  return tableOf((value) => value);
}

function tableOf(map: (value: number) => number): Uint8Array {
  const table = new Uint8Array(256);
  for (let value = 0; value < 256; value++) table[value] = map(value);
  return table;
}

function throughTable(image: RgbImage, map: (value: number) => number): RgbImage {
  const table = tableOf(map);
  return throughTables(image, [table, table, table]);
}

function throughTables(image: RgbImage, tables: readonly Uint8Array[]): RgbImage {
  const { width, height, data } = image;
  const [red, green, blue] = tables;
  const output = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    output[at] = red![data[at]!]!;
    output[at + 1] = green![data[at + 1]!]!;
    output[at + 2] = blue![data[at + 2]!]!;
  }
  return { width, height, data: output };
}
