/** A segmentation beside what is true of the image: the mean over the classes that are there of intersection over union, of one image alone. */
import type { Comparing } from '../task.js';
import { type Segmentation, segmentationOf } from './answer.js';
import { ignored, type MaskBatch } from './objective.js';

export const segmentationComparing: Comparing<MaskBatch, Segmentation> = {
  called: 'mean IoU',
  truths: ({ labels: all }, frame, labels) => {
    const area = frame.width * frame.height;
    return Array.from({ length: all.length / area }, (_, image) =>
      segmentationOf(Uint16Array.from(all.subarray(image * area, (image + 1) * area)), frame, labels),
    );
  },
  agreement: ({ mask: found }, { mask: truth }) => {
    const counts = new Map<number, { inBoth: number; inTruth: number; found: number }>();
    const of = (index: number) => {
      const known = counts.get(index) ?? { inBoth: 0, inTruth: 0, found: 0 };
      counts.set(index, known);
      return known;
    };
    for (const [pixel, index] of truth.entries()) {
      if (index === ignored) continue;
      of(index).inTruth++;
      of(found[pixel]!).found++;
      if (found[pixel] === index) of(index).inBoth++;
    }
    const present = [...counts.values()].filter(({ inTruth }) => inTruth > 0);
    if (present.length === 0) return 1;
    const shares = present.map(({ inBoth, inTruth, found: called }) => inBoth / (inTruth + called - inBoth));
    return shares.reduce((sum, share) => sum + share, 0) / shares.length;
  },
};
