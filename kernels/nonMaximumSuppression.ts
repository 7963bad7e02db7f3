/**
 * Of boxes that overlap, the best (`src/engines/calls/nonMaximumSuppression.ts`). One pass over the boxes for each that is kept, which drops those that overlap it and finds
 * the next: there is nothing to sort, and an image is one task.
 */
import { claimStart } from './threads';

enum Word {
  corners = 1,
  scores,
  groups,
  kept,
  left,
  images,
  boxes,
  threshold,
}

/** Tasks are images. */
export function nonMaximumSuppression(instruction: usize, from: u32, until: u32): void {
  const images = load<u32>(instruction + Word.images * 4);
  const boxes = load<u32>(instruction + Word.boxes * 4);
  const threshold = load<f32>(instruction + Word.threshold * 4);
  const hasGroups = load<u32>(instruction + Word.groups * 4) != 0;
  const last = claimStart(images, until);
  for (let image = claimStart(images, from); image < last; image++) {
    const row: usize = image * boxes * 4;
    const corners: usize = load<u32>(instruction + Word.corners * 4) + row * 4;
    const scores: usize = load<u32>(instruction + Word.scores * 4) + row;
    const groups: usize = load<u32>(instruction + Word.groups * 4) + row;
    const kept: usize = load<u32>(instruction + Word.kept * 4) + row;
    const left: usize = load<u32>(instruction + Word.left * 4) + row;
    let best: u32 = 0;
    let highest: f32 = -Infinity;
    for (let box: u32 = 0; box < boxes; box++) {
      const score = load<f32>(scores + box * 4);
      // What is no number is not left either.
      store<f32>(left + box * 4, score > -Infinity ? score : -Infinity);
      store<f32>(kept + box * 4, -1);
      if (score > highest) {
        highest = score;
        best = box;
      }
    }
    for (let place: usize = kept; highest > -Infinity; place += 4) {
      store<f32>(place, <f32>best);
      store<f32>(left + best * 4, -Infinity);
      const chosen = best;
      highest = -Infinity;
      for (let box: u32 = 0; box < boxes; box++) {
        const score = load<f32>(left + box * 4);
        if (score == -Infinity) continue;
        const competes = !hasGroups || load<f32>(groups + box * 4) == load<f32>(groups + chosen * 4);
        if (competes && overlap(corners + chosen * 16, corners + box * 16) > threshold) {
          store<f32>(left + box * 4, -Infinity);
        } else if (score > highest) {
          highest = score;
          best = box;
        }
      }
    }
  }
}

/** Intersection over union; no number where both are empty. */
// @ts-ignore: decorator
@inline
function overlap(a: usize, b: usize): f32 {
  const width = common(a, b);
  const height = common(a + 4, b + 4);
  const intersection = width * height;
  return intersection / (area(a) + area(b) - intersection);
}

// @ts-ignore: decorator
@inline
function area(box: usize): f32 {
  return (load<f32>(box, 8) - load<f32>(box)) * (load<f32>(box, 12) - load<f32>(box, 4));
}

/** The length that two boxes have in common along one axis. */
// @ts-ignore: decorator
@inline
function common(a: usize, b: usize): f32 {
  return max<f32>(0, min<f32>(load<f32>(a, 8), load<f32>(b, 8)) - max<f32>(load<f32>(a), load<f32>(b)));
}
