/**
 * What was found in an image beside what is there: the F-score of one image, `2 · matches / (found + there)`. From the surest on, each object found takes the
 * one of its class that it overlaps most, by at least one half, and that nobody has taken.
 */
import type { Comparing } from '../task.js';
import type { FoundObject } from './answer.js';
import { type BoxBatch, cocoBox, objectsOf } from './truths.js';

const leastOverlap = 0.5;

export const detectionComparing: Comparing<BoxBatch, readonly FoundObject[]> = {
  called: 'F-score at .5',
  truths: (batch, _frame, names) =>
    Array.from(batch.ends, (_, image) =>
      objectsOf(batch, image)
        .filter(({ crowd }) => !crowd)
        .map(({ label: index, sides, mask }) => ({
          label: names[index] ?? `class ${index}`,
          index,
          score: 1,
          box: cocoBox(sides),
          ...(mask === undefined ? {} : { mask }),
        })),
    ),
  agreement: (found, there) => {
    if (found.length + there.length === 0) return 1;
    const free = new Set(there);
    let matches = 0;
    for (const { index, box } of [...found].sort((a, b) => b.score - a.score)) {
      let [best, most] = [undefined as FoundObject | undefined, leastOverlap];
      for (const object of free) {
        const shared = object.index === index ? overlap(box, object.box) : 0;
        if (shared >= most) [best, most] = [object, shared];
      }
      if (best === undefined) continue;
      free.delete(best);
      matches++;
    }
    return (2 * matches) / (found.length + there.length);
  },
};

/** Intersection over union. */
function overlap(a: FoundObject['box'], b: FoundObject['box']): number {
  const along = (axis: 0 | 1) => {
    const size = (axis + 2) as 2 | 3;
    return Math.max(0, Math.min(a[axis] + a[size], b[axis] + b[size]) - Math.max(a[axis], b[axis]));
  };
  const inBoth = along(0) * along(1);
  return inBoth === 0 ? 0 : inBoth / (a[2] * a[3] + b[2] * b[3] - inBoth);
}
