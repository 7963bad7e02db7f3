/**
 * A drawn transform applied to the masks of single objects, which unlike classes may lie over each other: each pixel of the result is of those objects that the pixel its centre
 * came from was of (`mask.ts`). Eight objects go the way together, a bit each.
 */
import { type RunLengthMask, runsOfColumns } from '../masks/runLength.js';
import { transformMask } from './mask.js';
import type { Transform } from './transform.js';

/** Bits of a pixel. */
const together = 8;

/**
 * @param masks All of the size that the transform begins with.
 * @returns in their order, in the size that it ends with; some may have no pixel left.
 * @throws DataError when a mask has another size than the image.
 */
export function transformObjectMasks(masks: readonly RunLengthMask[], transform: Transform): RunLengthMask[] {
  const moved: RunLengthMask[] = [];
  for (let first = 0; first < masks.length; first += together) {
    const group = masks.slice(first, first + together);
    const { width, height } = group[0]!;
    const data = new Uint8Array(width * height);
    for (const [bit, mask] of group.entries()) addBit(data, mask, 1 << bit);
    const result = transformMask({ width, height, data }, transform, 0);
    for (const bit of group.keys())
      moved.push(runsOfColumns(result, (x, y) => ((result.data[y * result.width + x]! >> bit) & 1) === 1));
  }
  return moved;
}

function addBit(data: Uint8Array, { width, height, runs }: RunLengthMask, bit: number): void {
  let start = runs[0]!;
  for (let i = 1; i < runs.length; i += 2) {
    const end = start + runs[i]!;
    let [x, y] = [Math.floor(start / height), start % height];
    for (let position = start; position < end; position++) {
      data[y * width + x]! |= bit;
      if (++y === height) [x, y] = [x + 1, 0];
    }
    start = end + (runs[i + 1] ?? 0);
  }
}
