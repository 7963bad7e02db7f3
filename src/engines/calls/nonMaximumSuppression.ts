/** Of boxes that overlap, the best: greedy non-maximum suppression. */
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { declareCall, float32, read, write } from './call.js';

/**
 * For each image on its own, torchvision's `nms` and, with groups, its `batched_nms`, in float32: the box with the highest score that is left is kept (the first of several
 * with the same score), and all that are left of its group are dropped whose intersection over union with it is above the threshold; and so on. Boxes whose score is −∞
 * or no number are left out, so that fewer boxes can be asked about than there is room for.
 */
export interface NonMaximumSuppressionCall {
  readonly name: string;
  readonly images: number;
  readonly boxes: number;
  /** From 0 to 1. */
  readonly threshold: number;
  /** Real, `[images, boxes, 4]`: x1, y1, x2, y2. */
  readonly corners: Tensor;
  /** Real, `[images, boxes]`. */
  readonly scores: Tensor;
  /** Real, `[images, boxes]`: boxes of different classes, or levels, do not compete. Without it all do. */
  readonly groups?: Tensor;
  /** Real, `[images, boxes]`: numbers of the boxes that are kept, the best first; −1 behind them. */
  readonly kept: Tensor;
  /** Real, `[images, boxes]`: room for the scores of those that are left. */
  readonly left: Tensor;
}

const scoreShape = ({ images, boxes }: Pick<NonMaximumSuppressionCall, 'images' | 'boxes'>) => [images, boxes];

export const nonMaximumSuppression = declareCall<NonMaximumSuppressionCall>('nonMaximumSuppression', {
  sizes: ['images', 'boxes'],
  tensors: {
    corners: read('real', ({ images, boxes }) => [images, boxes, 4]),
    scores: read('real', scoreShape),
    groups: read('real', scoreShape),
    kept: write('real', scoreShape),
    left: write('real', scoreShape, ['scores']),
  },
  settings: { threshold: float32(({ threshold }) => threshold) },
  check: ({ name, threshold, boxes }) => {
    if (!(threshold >= 0 && threshold <= 1))
      throw new EngineError(`${name}: threshold is ${threshold}, expected a number from 0 to 1`);
    if (boxes > 2 ** 24)
      throw new EngineError(`${name}: ${boxes} boxes, expected at most 2^24, whose numbers a float32 can hold`);
  },
});
