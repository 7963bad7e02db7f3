/**
 * Decoded images as plain bytes, the common currency of decoding, resizing and preprocessing. Nothing here reads files
 * or knows a file format; it runs in Node and in a browser alike.
 */
import { ImageError } from './errors.js';

/** 8-bit samples, rows from the top, the channels of a pixel side by side: `data[(y * width + x) * channels + c]`. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** An 8-bit RGB image: `data[(y * width + x) * 3 + c]`. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A view of an RGB image as a raster of three channels; the bytes are shared. */
export function rasterOf(image: RgbImage): Raster {
  return { width: image.width, height: image.height, channels: 3, data: image.data };
}

/**
 * The RGB image behind RGBA bytes, such as a canvas gives. Alpha is dropped, not composited onto a background.
 * Throws ImageError when the number of bytes is not `width * height * 4`.
 */
export function rgbFromRgba(width: number, height: number, rgba: ArrayLike<number>): RgbImage {
  if (!isPositiveInteger(width) || !isPositiveInteger(height) || rgba.length !== width * height * 4) {
    throw new ImageError(
      `RGBA data of ${rgba.length} bytes do not fit an image of ${width} x ${height} pixels; pass width * height * 4 bytes`,
    );
  }
  const data = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    data[pixel * 3] = rgba[pixel * 4]!;
    data[pixel * 3 + 1] = rgba[pixel * 4 + 1]!;
    data[pixel * 3 + 2] = rgba[pixel * 4 + 2]!;
  }
  return { width, height, data };
}

/** Throws ImageError unless the sizes are positive whole numbers and the bytes are exactly as many as they say. */
export function checkRaster(image: Raster): void {
  const { width, height, channels, data } = image;
  if (!isPositiveInteger(width) || !isPositiveInteger(height)) {
    throw new ImageError(`an image of ${width} x ${height} pixels has no content; both sides must be at least 1`);
  }
  if (data.length !== width * height * channels) {
    throw new ImageError(
      `an image of ${width} x ${height} pixels with ${channels} channels needs ${width * height * channels} bytes, found ${data.length}`,
    );
  }
}

function isPositiveInteger(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}
