/**
 * Symmetric InfoNCE (van den Oord, Li and Vinyals 2018; both ways and with a learned scale as in CLIP, Radford et al., ICML 2021): each view is to find its pair among
 * the batch's other views. The only positive is the pair; a place that comes twice in a batch is a false negative unless places are said.
 */
import { TrainingError } from '../errors.js';
import {
  addRow,
  type PairedDescriptors,
  type PairsShape,
  products,
  requirePairs,
  requirePlaces,
  throughUnitRows,
  type UnitRows,
  unitRows,
} from './pairs.js';

/** ln of the scale that training starts with, 1/0.07. */
export const startingLogScale = Math.log(1 / 0.07);
/** The scale grows no further; the gradient still passes at exactly this. */
export const largestScale = 100;

export interface InfoNceOptions {
  /** `[B]`: pairs of one place are not taken for each other's negatives. Default: all pairs are different places. */
  readonly places?: ArrayLike<number>;
  /** Multiplies loss and gradients. Default 1. */
  readonly weight?: number;
  /** Further negatives: descriptors of earlier batches, which learn nothing. Needs `places`. */
  readonly queue?: { readonly query: QueuedViews; readonly gallery: QueuedViews };
}

/** Descriptors of one view that were there before (Wang et al., "Cross-Batch Memory for Embedding Learning", CVPR 2020). */
export interface QueuedViews {
  /** `[K, D]`, rows of length 1. */
  readonly descriptors: Float32Array;
  /** `[K]`: the place of each; −1 where there is none yet. Entries of a descriptor's own place are not its negatives. */
  readonly places: ArrayLike<number>;
}

export interface InfoNceLoss {
  readonly loss: number;
  /** dL/d ln(scale), 0 where the scale is above its limit. */
  readonly logScaleGradient: number;
}

/**
 * z = min(e^logScale, 100) · q̂ ĝᵀ; L = weight · ½ (mean over rows of CE(z, diagonal) + mean over columns of CE(zᵀ, diagonal)). Overwrites the gradients with those of
 * the descriptors as they came.
 *
 * @param logScale The learned parameter.
 * @throws TrainingError when lengths do not fit or the scale is no number.
 */
export function infoNce(
  pairs: PairedDescriptors,
  shape: PairsShape,
  logScale: number,
  options: InfoNceOptions = {},
): InfoNceLoss {
  const { places, weight = 1 } = options;
  requirePairs('InfoNCE', shape, pairs);
  requirePlaces('InfoNCE', shape, places);
  if (options.queue !== undefined && places === undefined)
    throw new TrainingError('InfoNCE loss: a queue needs the places of the pairs; pass them');
  const learned = Math.exp(logScale);
  if (Number.isNaN(learned))
    throw new TrainingError('InfoNCE loss: the logit scale is no number; lower the learning rate');
  const scale = Math.min(learned, largestScale);
  const { batch, dimensions } = shape;
  const [query, gallery] = [unitRows(pairs.query, shape), unitRows(pairs.gallery, shape)];
  const cosines = products(query, gallery);
  const logits = cosines.map((cosine, at) => {
    const [row, column] = [Math.floor(at / batch), at % batch];
    const isFalseNegative = places !== undefined && row !== column && places[row] === places[column];
    return isFalseNegative ? Number.NEGATIVE_INFINITY : scale * cosine;
  });
  const queryGradient = new Float64Array(batch * dimensions);
  const galleryGradient = new Float64Array(batch * dimensions);
  // Rows and columns each are half of the loss, in means over the batch.
  const share = weight / (2 * batch);
  const logitsGradient = new Float64Array(batch * batch);
  let loss = 0;
  let scaleGradient = 0;
  for (const isRow of [true, false])
    for (let line = 0; line < batch; line++) {
      const own = isRow ? query : gallery;
      const queued = isRow ? options.queue?.gallery : options.queue?.query;
      const far = queued === undefined ? [] : queuedCosines(own, line, queued, places?.[line]);
      const at = (other: number) => (isRow ? line * batch + other : other * batch + line);
      const all = new Float64Array(batch + far.length);
      for (let other = 0; other < batch; other++) all[other] = logits[at(other)]!;
      for (const [k, { cosine }] of far.entries()) all[batch + k] = scale * cosine;
      const { loss: ofLine, gradient } = crossEntropy(all, line, share);
      loss += ofLine;
      for (let other = 0; other < batch; other++) logitsGradient[at(other)]! += gradient[other]!;
      const ownGradient = isRow ? queryGradient : galleryGradient;
      for (const [k, { index, cosine }] of far.entries()) {
        const ofLogit = gradient[batch + k]!;
        scaleGradient += ofLogit * cosine;
        for (let d = 0; d < dimensions; d++)
          ownGradient[line * dimensions + d]! += ofLogit * scale * queued!.descriptors[index * dimensions + d]!;
      }
    }
  for (let row = 0; row < batch; row++)
    for (let column = 0; column < batch; column++) {
      const gradient = logitsGradient[row * batch + column]!;
      scaleGradient += gradient * cosines[row * batch + column]!;
      addRow(queryGradient, row, scale * gradient, gallery, column);
      addRow(galleryGradient, column, scale * gradient, query, row);
    }
  throughUnitRows(query, queryGradient, pairs.queryGradient);
  throughUnitRows(gallery, galleryGradient, pairs.galleryGradient);
  return { loss, logScaleGradient: learned > largestScale ? 0 : scaleGradient * learned };
}

/** The cosine of one descriptor with every queued one of another place. */
function queuedCosines(
  { dimensions, values }: UnitRows,
  line: number,
  { descriptors, places }: QueuedViews,
  own: number | undefined,
): readonly { readonly index: number; readonly cosine: number }[] {
  return Array.from({ length: places.length }, (_, index) => index).flatMap((index) => {
    if (places[index]! < 0 || places[index] === own) return [];
    let cosine = 0;
    for (let d = 0; d < dimensions; d++)
      cosine += values[line * dimensions + d]! * descriptors[index * dimensions + d]!;
    return [{ index, cosine }];
  });
}

/** `share` · CE of a row of logits, and its gradient `share` · (softmax − target). */
function crossEntropy(
  logits: Float64Array,
  target: number,
  share: number,
): { readonly loss: number; readonly gradient: Float64Array } {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  const logNorm = largest + Math.log(sum);
  const gradient = logits.map((logit, i) => share * (Math.exp(logit - logNorm) - (i === target ? 1 : 0)));
  return { loss: share * (logNorm - logits[target]!), gradient };
}
