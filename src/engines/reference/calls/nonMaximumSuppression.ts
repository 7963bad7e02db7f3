/** Overlaps are float32: whether a box is kept hangs on them. */
import type { NonMaximumSuppressionCall } from '../../calls/nonMaximumSuppression.js';
import { realView } from '../memory.js';

const decided = Number.NEGATIVE_INFINITY;

export function nonMaximumSuppression(call: NonMaximumSuppressionCall): () => void {
  const { name, images, boxes } = call;
  const threshold = Math.fround(call.threshold);
  const [corners, scores] = [realView(name, call.corners), realView(name, call.scores)];
  const groups = call.groups ? realView(name, call.groups) : undefined;
  const [kept, left] = [realView(name, call.kept), realView(name, call.left)];
  return () => {
    for (let i = 0; i < left.length; i++) left[i] = Number.isNaN(scores[i]!) ? decided : scores[i]!;
    kept.fill(-1);
    for (let image = 0; image < images; image++) {
      const first = image * boxes;
      for (let place = first; place < first + boxes; place++) {
        let best = first;
        for (let box = first; box < first + boxes; box++) if (left[box]! > left[best]!) best = box;
        if (left[best] === decided) break;
        kept[place] = best - first;
        left[best] = decided;
        for (let box = first; box < first + boxes; box++) {
          const competes = left[box] !== decided && (!groups || groups[box] === groups[best]);
          if (competes && overlap(corners, best, box) > threshold) left[box] = decided;
        }
      }
    }
  };
}

/** Intersection over union; no number where both are empty. */
function overlap(corners: Float32Array, a: number, b: number): number {
  const { fround, max, min } = Math;
  const side = (box: number, axis: number) => fround(corners[4 * box + axis + 2]! - corners[4 * box + axis]!);
  const area = (box: number) => fround(side(box, 0) * side(box, 1));
  const common = (axis: number) => {
    const start = max(corners[4 * a + axis]!, corners[4 * b + axis]!);
    return max(0, fround(min(corners[4 * a + axis + 2]!, corners[4 * b + axis + 2]!) - start));
  };
  const intersection = fround(common(0) * common(1));
  return fround(intersection / fround(fround(area(a) + area(b)) - intersection));
}
