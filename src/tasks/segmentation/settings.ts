/** What a recipe's `loss` says for a segmentation. */
import { z } from 'zod';

export const segmentationSettings = z.strictObject({
  labelSmoothing: z.number().min(0).max(1).default(0),
  /**
   * Weight of every class in the loss, in their order; null: all alike. Where classes are weighed, the loss is the weighted mean over the pixels that count (PyTorch's
   * `CrossEntropyLoss(weight)`).
   */
  classWeights: z.array(z.number().min(0).max(1e6)).max(4096).nullable().default(null),
});

export type SegmentationSettings = z.output<typeof segmentationSettings>;
