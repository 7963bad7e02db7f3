/**
 * Which place of which level answers for which box (Tian et al., FCOS, ICCV 2019, sections 3.1 and 3.2, with the sampling around centres of its later version): a place inside a box and near
 * its centre, on the level whose reach the box has; of several boxes the smallest.
 */

/** A level of places: place (x, y) is at `((x + ½)·stride, (y + ½)·stride)` of the input. */
export interface Level {
  readonly stride: number;
  readonly height: number;
  readonly width: number;
}

/** Boxes of one image: left, top, right, bottom in pixels of the input. */
export interface LabelledBoxes {
  /** `[K, 4]` */
  readonly boxes: Float32Array;
  /** `[K]` */
  readonly labels: Int32Array;
}

/** How far from a box's centre, in strides, a place may be that answers for it. */
const centreReach = 1.5;
/** A box is a level's whose largest distance is at most so many strides, and more than the level before takes. */
const levelReach = 5;

/** For each place of a level, `height · width`: the box it answers for, or −1. */
export function assignBoxes(levels: readonly Level[], index: number, { boxes, labels }: LabelledBoxes): Int32Array {
  const { stride, height, width } = levels[index]!;
  const least = index === 0 ? 0 : levelReach * levels[index - 1]!.stride;
  const most = index === levels.length - 1 ? Number.POSITIVE_INFINITY : levelReach * stride;
  const assigned = new Int32Array(height * width).fill(-1);
  const smallest = new Float64Array(height * width).fill(Number.POSITIVE_INFINITY);
  for (let box = 0; box < labels.length; box++) {
    const [left, top, right, bottom] = boxes.subarray(4 * box, 4 * box + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    const area = (right - left) * (bottom - top);
    if (!(area > 0)) continue;
    const [x, y, reach] = [(left + right) / 2, (top + bottom) / 2, centreReach * stride];
    const columns = placesBetween(Math.max(left, x - reach), Math.min(right, x + reach), stride, width);
    const rows = placesBetween(Math.max(top, y - reach), Math.min(bottom, y + reach), stride, height);
    for (const row of rows) {
      for (const column of columns) {
        const place = row * width + column;
        const [px, py] = [(column + 0.5) * stride, (row + 0.5) * stride];
        const farthest = Math.max(px - left, right - px, py - top, bottom - py);
        if (farthest <= least || farthest > most || area >= smallest[place]!) continue;
        assigned[place] = box;
        smallest[place] = area;
      }
    }
  }
  return assigned;
}

/** Places strictly between two pixels. */
function placesBetween(from: number, to: number, stride: number, count: number): readonly number[] {
  const first = Math.max(0, Math.floor(from / stride - 0.5) + 1);
  const last = Math.min(count - 1, Math.ceil(to / stride - 0.5) - 1);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}
