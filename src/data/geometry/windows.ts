/**
 * Windows of one size over an image, as mmsegmentation's slide mode lays them (`slide_inference`): on a grid from the upper left corner on, the last of a row and of a column
 * pushed inward to the border. What is seen through them is added up, and divided by how many saw it.
 */
import type { Region, Size } from '../resize.js';

/** In pixels, along one axis or both. */
export interface WindowGrid {
  readonly size: Size;
  /** From one window to the next, at least 1 and at most the window's own side. */
  readonly stride: Size;
}

/** Two thirds, as the authors' configurations have it: 341 of 512. */
export function defaultStride({ width, height }: Size): Size {
  const of = (side: number) => Math.max(1, Math.floor((2 * side) / 3));
  return { width: of(width), height: of(height) };
}

/** Where windows begin along an axis of `length` pixels, in order; at 0 alone where one window has room for all. */
export function windowStarts(length: number, window: number, stride: number): readonly number[] {
  const more = Math.ceil(Math.max(0, length - window) / stride);
  return Array.from({ length: more + 1 }, (_, i) => Math.max(0, Math.min(i * stride, length - window)));
}

/** Row by row. Where the image is smaller than a window, windows reach beyond it on the right and below. */
export function windowsOver(image: Size, { size, stride }: WindowGrid): readonly Region[] {
  const lefts = windowStarts(image.width, size.width, stride.width);
  return windowStarts(image.height, size.height, stride.height).flatMap((top) =>
    lefts.map((left) => ({ left, top, width: size.width, height: size.height })),
  );
}

/** How many windows there are, without making them. */
export function countWindows(image: Size, { size, stride }: WindowGrid): number {
  const along = (length: number, window: number, step: number) => Math.ceil(Math.max(0, length - window) / step) + 1;
  return along(image.width, size.width, stride.width) * along(image.height, size.height, stride.height);
}

/** Numbers of several channels for every pixel, `[channels, height, width]`. */
export interface Planes extends Size {
  readonly channels: number;
  readonly data: Float32Array;
}

/**
 * The part of an image that a window shows.
 *
 * @param outside By channel, what stands where the window reaches beyond the image.
 */
export function throughWindow(image: Planes, window: Region, outside: ArrayLike<number>): Float32Array {
  const { left, top, width, height } = window;
  const area = width * height;
  const part = new Float32Array(image.channels * area);
  const [columns, rows] = [Math.min(width, image.width - left), Math.min(height, image.height - top)];
  for (let channel = 0; channel < image.channels; channel++) {
    if (columns < width || rows < height) part.fill(outside[channel]!, channel * area, (channel + 1) * area);
    for (let y = 0; y < rows; y++) {
      const from = (channel * image.height + top + y) * image.width + left;
      part.set(image.data.subarray(from, from + columns), channel * area + y * width);
    }
  }
  return part;
}

/** Adds up what is seen through windows. Sums are float32, as PyTorch's are. */
export class WindowMean {
  readonly #size: Size;
  readonly #channels: number;
  readonly #sums: Float32Array;
  /** How many windows have seen a pixel. */
  readonly #counts: Uint32Array;

  constructor(size: Size, channels: number) {
    this.#size = size;
    this.#channels = channels;
    this.#sums = new Float32Array(channels * size.width * size.height);
    this.#counts = new Uint32Array(size.width * size.height);
  }

  /** @param seen `[channels, window.height, window.width]`; what lies beyond the image is left out. */
  add(window: Region, seen: Float32Array): void {
    const { width, height } = this.#size;
    const [columns, rows] = [Math.min(window.width, width - window.left), Math.min(window.height, height - window.top)];
    for (let y = 0; y < rows; y++) {
      const place = (window.top + y) * width + window.left;
      for (let x = 0; x < columns; x++) this.#counts[place + x]!++;
      for (let channel = 0; channel < this.#channels; channel++) {
        const [to, from] = [channel * width * height + place, (channel * window.height + y) * window.width];
        for (let x = 0; x < columns; x++) this.#sums[to + x]! += seen[from + x]!;
      }
    }
  }

  /** `[channels, height, width]`. To be asked once, when every pixel was seen: the sums become the means. */
  means(): Float32Array {
    const area = this.#counts.length;
    for (let channel = 0; channel < this.#channels; channel++)
      for (let i = 0; i < area; i++) this.#sums[channel * area + i]! /= this.#counts[i]!;
    return this.#sums;
  }
}
