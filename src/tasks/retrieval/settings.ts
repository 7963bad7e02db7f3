/** What a recipe's `loss` says of retrieval. */
import { z } from 'zod';

export const retrievalSettings = z.strictObject({
  /** `infoNce`: each view is to find its pair among the batch; `triplet`: nearer to it than to the hardest other place, by a margin. */
  kind: z.enum(['infoNce', 'triplet']).default('infoNce'),
  /** Of the triplet loss, in distances of descriptors of length 1. */
  margin: z.number().gt(0).max(2).default(0.3),
  /** Of InfoNCE: how many descriptors of each view, of batches before, are further negatives. */
  queue: z.int().min(0).max(65_536).default(0),
});

export type RetrievalSettings = z.output<typeof retrievalSettings>;
