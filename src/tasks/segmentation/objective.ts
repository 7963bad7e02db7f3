/**
 * What training a segmentation minimises: the cross entropy of every pixel at the size of the image, over the pixels that count. The authors' code divides by all pixels, ignored
 * ones too; here the mean is over those that are not ignored, which differs by a factor of the batch.
 */
import { withOutputs } from '../../graph/outputs.js';
import { fullLogitsOutput } from '../../models/semanticPyramid.js';
import type { AnsweringNetwork, Objective } from '../task.js';
import type { SegmentationSettings } from './settings.js';

/** What stands in a mask where nobody says what is there. */
export const ignored = 255;

/** What answers are compared with. */
export interface MaskBatch {
  /** Class numbers `[B · H · W]`; 255 does not count. */
  readonly labels: Int32Array;
}

export function pixelCrossEntropy(
  { labelSmoothing, classWeights }: SegmentationSettings,
  { classes }: AnsweringNetwork,
): Objective<MaskBatch> {
  const sums = (likeliest: ArrayLike<number>, { labels }: MaskBatch) => {
    let [correct, counted] = [0, 0];
    for (const [pixel, label] of labels.entries()) {
      if (label === ignored) continue;
      counted++;
      if (likeliest[pixel] === label) correct++;
    }
    // Samples are counted elsewhere; a share of each sample's pixels adds up to a share of all.
    return { right: counted === 0 ? 0 : correct / counted, batches: 1 };
  };
  return {
    prepare: (graph) => withOutputs(graph, [fullLogitsOutput]),
    observed: [],
    ...(classWeights === null
      ? {
          onEngine: {
            output: fullLogitsOutput,
            classes,
            labelSmoothing,
            compared: ({ labels }) => ({ labels, leftOut: ignored }),
            sums,
          },
        }
      : {}),
    judge: (outputs, batch, share) => {
      const scores = outputs.get(fullLogitsOutput)!;
      const judged = weightedRows(scores, batch.labels, { classes, labelSmoothing, classWeights, share });
      return {
        loss: judged.loss,
        gradients: new Map([[fullLogitsOutput, judged.gradient]]),
        sums: sums(judged.likeliest, batch),
      };
    },
  };
}

interface RowSettings {
  readonly classes: number;
  readonly labelSmoothing: number;
  readonly classWeights: readonly number[] | null;
  readonly share: number;
}

/**
 * PyTorch's cross entropy of rows with class weights and smoothing: `Σ_r w(y_r)·(1 − ε)·(−log p(y_r)) / Σ_r w(y_r)` plus
 * `ε/K · Σ_r Σ_k w(k)·(−log p_r(k)) / Σ_r w(y_r)`.
 */
function weightedRows(
  scores: Float32Array,
  labels: Int32Array,
  { classes, labelSmoothing: epsilon, classWeights, share }: RowSettings,
): { readonly loss: number; readonly gradient: Float32Array; readonly likeliest: Int32Array } {
  const weightOf = (label: number) => classWeights?.[label] ?? 1;
  const gradient = new Float32Array(scores.length);
  const likeliest = new Int32Array(labels.length);
  const total = labels.reduce((sum, label) => sum + (label === ignored ? 0 : weightOf(label)), 0);
  const wanted = new Float64Array(classes);
  let loss = 0;
  for (const [row, label] of labels.entries()) {
    const start = row * classes;
    let best = 0;
    for (let k = 1; k < classes; k++) if (scores[start + k]! > scores[start + best]!) best = k;
    likeliest[row] = best;
    if (label === ignored || total === 0) continue;
    const largest = scores[start + best]!;
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += Math.exp(scores[start + k]! - largest);
    const logarithm = largest + Math.log(sum);
    let all = 0;
    for (let k = 0; k < classes; k++) {
      wanted[k] = (epsilon / classes) * weightOf(k) + (k === label ? (1 - epsilon) * weightOf(label) : 0);
      all += wanted[k]!;
      loss += wanted[k]! * (logarithm - scores[start + k]!);
    }
    for (let k = 0; k < classes; k++)
      gradient[start + k] = (share / total) * (all * Math.exp(scores[start + k]! - logarithm) - wanted[k]!);
  }
  return { loss: total === 0 ? 0 : (share * loss) / total, gradient, likeliest };
}
