/**
 * Rotation, shear and translation of 8-bit RGB images that keep their size, as Pillow's `Image.transform` and `Image.rotate`
 * compute them: each output pixel's centre is mapped back into the image and interpolated there; what falls outside gets the
 * fill colour. Bicubic here is Keys' filter with a = -1, which is Pillow's choice for transforms (resizing has a = -0.5).
 */
import type { RgbImage } from '../image.js';
import type { Size } from '../resize.js';
import type { AffineMatrix, Sampling } from './transform.js';

/** Turns an image of this size counter-clockwise around its centre. */
export function rotation({ width, height }: Size, degrees: number): AffineMatrix {
  const turn = degrees % 360;
  const angle = -(turn < 0 ? turn + 360 : turn) * (Math.PI / 180);
  const [cosine, sine] = [rounded(Math.cos(angle)), rounded(Math.sin(angle))];
  const [x, y] = [width / 2, height / 2];
  return [cosine, sine, cosine * -x + sine * -y + x, -sine, cosine, -sine * -x + cosine * -y + y];
}

/** Moves every row left by `factor` times its distance from the top. */
export function shearX(factor: number): AffineMatrix {
  return [1, factor, 0, 0, 1, 0];
}

/** Moves every column up by `factor` times its distance from the left border. */
export function shearY(factor: number): AffineMatrix {
  return [1, 0, 0, factor, 1, 0];
}

/** Moves an image of this size left by `share` of its width. */
export function translationX({ width }: Size, share: number): AffineMatrix {
  return [1, 0, share * width, 0, 1, 0];
}

/** Moves an image of this size up by `share` of its height. */
export function translationY({ height }: Size, share: number): AffineMatrix {
  return [1, 0, 0, 0, 1, share * height];
}

/** The image seen through an affine map from output to input positions. */
export function transformAffine(image: RgbImage, matrix: AffineMatrix, sampling: Sampling): RgbImage {
  const { width, height } = image;
  const [a, b, c, d, e, f] = matrix;
  const sample = sampling.interpolation === 'bicubic' ? sampleBicubic : sampleBilinear;
  const output = new Uint8Array(width * height * 3);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const fromX = a * (x + 0.5) + b * (y + 0.5) + c;
      const fromY = d * (x + 0.5) + e * (y + 0.5) + f;
      if (fromX >= 0 && fromX < width && fromY >= 0 && fromY < height) {
        sample(image, fromX - 0.5, fromY - 0.5, output, at);
      } else {
        output[at] = sampling.fill[0];
        output[at + 1] = sampling.fill[1];
        output[at + 2] = sampling.fill[2];
      }
      at += 3;
    }
  }
  return { width, height, data: output };
}

/** Pillow rounds the matrix of a rotation to 15 decimals. */
function rounded(value: number): number {
  return Number(value.toFixed(15));
}

function sampleBilinear(image: RgbImage, x: number, y: number, output: Uint8Array, at: number): void {
  const { width, height, data } = image;
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const [dx, dy] = [x - column, y - row];
  const left = Math.max(column, 0) * 3;
  const right = Math.min(column + 1, width - 1) * 3;
  const upper = Math.max(row, 0) * width * 3;
  const lower = Math.min(row + 1, height - 1) * width * 3;
  for (let channel = 0; channel < 3; channel++) {
    const above = between(data[upper + left + channel]!, data[upper + right + channel]!, dx);
    const below = between(data[lower + left + channel]!, data[lower + right + channel]!, dx);
    output[at + channel] = Math.trunc(between(above, below, dy));
  }
}

function between(from: number, to: number, share: number): number {
  return from + (to - from) * share;
}

function sampleBicubic(image: RgbImage, x: number, y: number, output: Uint8Array, at: number): void {
  const { width, height, data } = image;
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const [dx, dy] = [x - column, y - row];
  const x0 = inside(column - 1, width) * 3;
  const x1 = inside(column, width) * 3;
  const x2 = inside(column + 1, width) * 3;
  const x3 = inside(column + 2, width) * 3;
  const y0 = inside(row - 1, height) * width * 3;
  const y1 = inside(row, height) * width * 3;
  const y2 = inside(row + 1, height) * width * 3;
  const y3 = inside(row + 2, height) * width * 3;
  for (let channel = 0; channel < 3; channel++) {
    const [c0, c1, c2, c3] = [x0 + channel, x1 + channel, x2 + channel, x3 + channel];
    const value = cubicThrough(
      cubicThrough(data[y0 + c0]!, data[y0 + c1]!, data[y0 + c2]!, data[y0 + c3]!, dx),
      cubicThrough(data[y1 + c0]!, data[y1 + c1]!, data[y1 + c2]!, data[y1 + c3]!, dx),
      cubicThrough(data[y2 + c0]!, data[y2 + c1]!, data[y2 + c2]!, data[y2 + c3]!, dx),
      cubicThrough(data[y3 + c0]!, data[y3 + c1]!, data[y3 + c2]!, data[y3 + c3]!, dx),
      dy,
    );
    output[at + channel] = value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
  }
}

function inside(position: number, size: number): number {
  return position < 0 ? 0 : position < size ? position : size - 1;
}

/** The cubic that passes through v1 at 0 and v2 at 1 with the slopes (v2 - v0) and (v3 - v1), at `share`. */
function cubicThrough(v0: number, v1: number, v2: number, v3: number, share: number): number {
  const linear = -v0 + v2;
  const quadratic = 2 * (v0 - v1) + v2 - v3;
  const cubic = -v0 + v1 - v2 + v3;
  return v1 + share * (linear + share * (quadratic + share * cubic));
}
