/** What a recipe's `loss` says for a detector. */
import { z } from 'zod';

export const detectionSettings = z.strictObject({
  /** Weight of the boxes' overlap beside the classes. */
  boxWeight: z.number().positive().max(1e6).default(1),
});

export type DetectionSettings = z.output<typeof detectionSettings>;
