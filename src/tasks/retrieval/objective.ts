/**
 * What training of retrieval minimises: that a view of a place is nearest to the other view of it. A batch is pairs, the first view's images in its first half and the second
 * view's in its second, in the same order of places (`data/targets/places.ts`).
 */
import type { PlaceBatch } from '../../data/targets/places.js';
import { withOutputs } from '../../graph/outputs.js';
import { scaledDescriptorsOutput } from '../../models/descriptorHead.js';
import { infoNce } from '../../training/losses/infoNce.js';
import { batchHardTriplet } from '../../training/losses/triplet.js';
import type { AnsweringNetwork, Objective } from '../task.js';
import { DescriptorQueue } from './queue.js';
import type { RetrievalSettings } from './settings.js';

/**
 * Descriptors come as they are scaled by the root of the learned scale, so that its square is the length of any of them; the gradient along a descriptor is what the scale learns
 * from (`operators/temperature.ts`), and its sum over all of them is twice the scale's own.
 */
export function pairsLoss(
  { kind, margin, queue: length }: RetrievalSettings,
  { classes: dimensions }: Pick<AnsweringNetwork, 'classes'>,
): Objective<PlaceBatch> {
  const queue = kind === 'infoNce' && length > 0 ? new DescriptorQueue(length, dimensions) : undefined;
  return {
    ...(queue === undefined ? {} : { memory: queue.memory }),
    prepare: (graph) => withOutputs(graph, [scaledDescriptorsOutput]),
    observed: [],
    judge: (outputs, { places }, share) => {
      const scaled = outputs.get(scaledDescriptorsOutput)!;
      const batch = places.length / 2;
      const half = scaled.length / 2;
      const gradient = new Float32Array(scaled.length);
      const pairs = {
        query: scaled.subarray(0, half),
        gallery: scaled.subarray(half),
        queryGradient: gradient.subarray(0, half),
        galleryGradient: gradient.subarray(half),
      };
      const shape = { batch, dimensions };
      const ofPairs = { places: places.subarray(0, batch), weight: share };
      const sums = { found: foundPairs(pairs, shape), batches: 1 };
      if (kind === 'triplet') {
        const loss = batchHardTriplet(pairs, shape, { ...ofPairs, margin });
        return { loss, gradients: new Map([[scaledDescriptorsOutput, gradient]]), sums };
      }
      const scale = lengthOf(scaled.subarray(0, dimensions));
      const { loss, logScaleGradient } = infoNce(pairs, shape, 2 * Math.log(scale), {
        ...ofPairs,
        ...(queue === undefined ? {} : { queue: queue.views() }),
      });
      // ½ · Σ ⟨gradient, descriptor⟩ is the logarithm's gradient.
      const along = (2 * logScaleGradient) / (2 * batch * scale * scale);
      for (let i = 0; i < gradient.length; i++) gradient[i]! += along * scaled[i]!;
      queue?.take(scaled, scale, places);
      return { loss, gradients: new Map([[scaledDescriptorsOutput, gradient]]), sums };
    },
  };
}

function lengthOf(row: Float32Array): number {
  let sum = 0;
  for (const value of row) sum += value * value;
  return Math.sqrt(sum);
}

/** The share of the first views whose nearest second view is their own. */
function foundPairs(
  { query, gallery }: { readonly query: Float32Array; readonly gallery: Float32Array },
  { batch, dimensions }: { readonly batch: number; readonly dimensions: number },
): number {
  let found = 0;
  for (let row = 0; row < batch; row++) {
    let [best, most] = [-1, Number.NEGATIVE_INFINITY];
    for (let column = 0; column < batch; column++) {
      let product = 0;
      for (let d = 0; d < dimensions; d++) product += query[row * dimensions + d]! * gallery[column * dimensions + d]!;
      if (product > most) [best, most] = [column, product];
    }
    if (best === row) found++;
  }
  return found / batch;
}
