/**
 * Scores of a whole image, at whatever size the network saw it, as classes in the image's own pixels: resampled as PyTorch's `interpolate` does (bilinear, `align_corners=False`),
 * as mmsegmentation does before it takes the largest. Resampled scores are never all in memory: of a large image with many classes they would be gigabytes.
 */
import type { Size } from '../../data/resize.js';
import { fullLogitsOutput } from '../../models/semanticPyramid.js';
import type { Outputs, PixelScores } from '../task.js';
import { likeliestOutput, likeliestPerPixel } from './metric.js';

export const pixelScores: PixelScores = { output: fullLogitsOutput, inOwnPixels };

function inOwnPixels({ shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array }, own: Size) {
  const [, classes, height, width] = shape as [number, number, number, number];
  const isOwn = height === own.height && width === own.width;
  const likeliest = isOwn
    ? Float32Array.from(likeliestPerPixel(new Map([[fullLogitsOutput, { shape, data }]])))
    : resampledLikeliest(data, classes, { width, height }, own);
  return new Map([[likeliestOutput, { shape: [1, own.height, own.width], data: likeliest }]]) satisfies Outputs;
}

/** The class of the largest resampled score, of equal ones the first, for each of the pixels of `to`. */
function resampledLikeliest(scores: Float32Array, classes: number, from: Size, to: Size): Float32Array {
  const [rows, columns] = [madeOf(from.height, to.height), madeOf(from.width, to.width)];
  const likeliest = new Float32Array(to.width * to.height);
  const [row, best] = [new Float64Array(from.width), new Float64Array(to.width)];
  for (let y = 0; y < to.height; y++) {
    const below = rows.share[y]!;
    const answers = likeliest.subarray(y * to.width, (y + 1) * to.width);
    best.fill(Number.NEGATIVE_INFINITY);
    for (let k = 0; k < classes; k++) {
      const first = (k * from.height + rows.first[y]!) * from.width;
      const second = (k * from.height + rows.second[y]!) * from.width;
      for (let x = 0; x < from.width; x++) row[x] = (1 - below) * scores[first + x]! + below * scores[second + x]!;
      for (let x = 0; x < to.width; x++) {
        const right = columns.share[x]!;
        const score = (1 - right) * row[columns.first[x]!]! + right * row[columns.second[x]!]!;
        if (score <= best[x]!) continue;
        best[x] = score;
        answers[x] = k;
      }
    }
  }
  return likeliest;
}

/** Of each of `to` pixels of an axis the two of `from` that it is made of, and the share of the second. */
function madeOf(from: number, to: number) {
  const [first, second, share] = [new Int32Array(to), new Int32Array(to), new Float64Array(to)];
  for (let i = 0; i < to; i++) {
    const place = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    first[i] = Math.floor(place);
    second[i] = Math.min(first[i]! + 1, from - 1);
    share[i] = place - first[i]!;
  }
  return { first, second, share };
}
