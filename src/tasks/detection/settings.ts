/** What a recipe's `loss` says for a detector. */
import { z } from 'zod';

const count = z.int().min(1);

/** Of a detector with regions. Where nothing is said, mmdetection's numbers, but for the regions of an image, of which it takes 512. */
export const regionSettings = z.strictObject({
  /** Anchors of an image that the loss counts, at most half of them on objects. */
  anchors: count.max(4096).default(256),
  /** Proposals of a level that are compared with each other. */
  candidates: count.max(10_000).default(2000),
  /** Proposals of an image that are left. */
  proposals: count.max(10_000).default(1000),
  /** Regions of an image that the heads learn from, at most a quarter of them on objects. */
  sampled: count.max(4096).default(128),
});

export const detectionSettings = z.strictObject({
  /** Weight of the boxes beside the classes. */
  boxWeight: z.number().positive().max(1e6).default(1),
  /** How a detector with regions learns; says nothing to others. */
  regions: regionSettings.optional(),
});

export type RegionSettings = z.output<typeof regionSettings>;
export type DetectionSettings = z.output<typeof detectionSettings>;
