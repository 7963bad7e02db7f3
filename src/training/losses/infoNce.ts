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
  // Rows and columns each are half of the loss, in means over the batch.
  const share = weight / (2 * batch);
  const logitsGradient = new Float64Array(batch * batch);
  let loss = 0;
  for (let line = 0; line < batch; line++) {
    loss += share * lineLoss(logits, line * batch, 1, line, batch, share, logitsGradient);
    loss += share * lineLoss(logits, line, batch, line, batch, share, logitsGradient);
  }
  const queryGradient = new Float64Array(batch * dimensions);
  const galleryGradient = new Float64Array(batch * dimensions);
  let scaleGradient = 0;
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

/** Cross entropy of one row or column, every `step`-th logit from `start`; adds `share` · (softmax − target) to the gradient. */
function lineLoss(
  logits: Float64Array,
  start: number,
  step: number,
  target: number,
  count: number,
  share: number,
  gradient: Float64Array,
): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) largest = Math.max(largest, logits[start + i * step]!);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.exp(logits[start + i * step]! - largest);
  const logNorm = largest + Math.log(sum);
  for (let i = 0; i < count; i++) {
    const at = start + i * step;
    gradient[at]! += share * (Math.exp(logits[at]! - logNorm) - (i === target ? 1 : 0));
  }
  return logNorm - logits[start + target * step]!;
}
