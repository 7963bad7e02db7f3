/**
 * Boxes as what a detector learns: the way from a given box to the wanted one, in sizes of the given one (Girshick et al. 2014, R-CNN). As mmdetection's
 * `DeltaXYWHBBoxCoder` with means of 0: enlargements are limited to 1000/16, shifts are not.
 */
import { DataError } from '../errors.js';
import type { Size } from '../resize.js';

/** What dx, dy, dw and dh are divided by when boxes are encoded. */
export type Deviations = readonly [dx: number, dy: number, dw: number, dh: number];

/** Of mmdetection's proposals. */
export const proposalDeviations: Deviations = [1, 1, 1, 1];
/** Of mmdetection's box head. */
export const headDeviations: Deviations = [0.1, 0.1, 0.2, 0.2];

/** ln(1000/16) ≈ 4.135. */
const largestLogarithm = Math.abs(Math.log(16 / 1000));

export interface DecodingOptions {
  readonly deviations?: Deviations;
  /** Boxes are cut off at the border of an image of this size. */
  readonly within?: Size;
}

/**
 * dx = (x − x₀) / w₀, dy = (y − y₀) / h₀ of the centres, dw = ln(w / w₀), dh = ln(h / h₀), divided by the deviations. Boxes without an area have no finite deltas.
 *
 * @param given `[N, 4]`: left, top, right and bottom.
 * @param wanted `[N, 4]`
 * @returns `[N, 4]`
 * @throws DataError when the lengths do not fit.
 */
export function encodeBoxes(
  given: Float32Array,
  wanted: Float32Array,
  deviations: Deviations = proposalDeviations,
): Float32Array {
  if (given.length !== wanted.length || given.length % 4 !== 0)
    throw new DataError(`boxes: ${given.length} numbers for ${wanted.length}; pass [N, 4] of both`);
  const deltas = new Float32Array(given.length);
  for (let at = 0; at < given.length; at += 4) {
    const [from, to] = [centred(given, at), centred(wanted, at)];
    deltas[at] = (to.x - from.x) / from.width / deviations[0];
    deltas[at + 1] = (to.y - from.y) / from.height / deviations[1];
    deltas[at + 2] = Math.log(to.width / from.width) / deviations[2];
    deltas[at + 3] = Math.log(to.height / from.height) / deviations[3];
  }
  return deltas;
}

/**
 * The boxes to which deltas lead, the inverse of {@link encodeBoxes}.
 *
 * @param given `[N, 4]`
 * @param deltas `[N, K, 4]`: any number K for each given box, one for each class.
 * @returns `[N, K, 4]`
 * @throws DataError when the lengths do not fit.
 */
export function decodeBoxes(
  given: Float32Array,
  deltas: Float32Array,
  { deviations = proposalDeviations, within }: DecodingOptions = {},
): Float32Array {
  const each = given.length === 0 ? 0 : deltas.length / given.length;
  if (given.length % 4 !== 0 || !Number.isInteger(each) || (each === 0 && deltas.length > 0))
    throw new DataError(`boxes: ${deltas.length} deltas for ${given.length / 4} boxes; pass [N, K, 4] for [N, 4]`);
  const boxes = new Float32Array(deltas.length);
  for (let at = 0; at < deltas.length; at += 4) {
    const from = centred(given, 4 * Math.floor(at / 4 / each));
    const x = from.x + from.width * deltas[at]! * deviations[0];
    const y = from.y + from.height * deltas[at + 1]! * deviations[1];
    const width = from.width * Math.exp(limited(deltas[at + 2]! * deviations[2]));
    const height = from.height * Math.exp(limited(deltas[at + 3]! * deviations[3]));
    boxes.set([x - width / 2, y - height / 2, x + width / 2, y + height / 2], at);
  }
  return within === undefined ? boxes : clipBoxes(boxes, within);
}

/** Boxes `[N, 4]` cut off at the border of an image; those outside it become empty ones on it. */
export function clipBoxes(boxes: Float32Array, { width, height }: Size): Float32Array {
  return boxes.map((position, i) => Math.min(Math.max(position, 0), i % 2 === 0 ? width : height));
}

function limited(logarithm: number): number {
  return Math.min(Math.max(logarithm, -largestLogarithm), largestLogarithm);
}

function centred(boxes: Float32Array, at: number) {
  const [left, top, right, bottom] = [boxes[at]!, boxes[at + 1]!, boxes[at + 2]!, boxes[at + 3]!];
  return { x: (left + right) / 2, y: (top + bottom) / 2, width: right - left, height: bottom - top };
}
