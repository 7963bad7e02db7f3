/**
 * A drawn transform applied to the masks of single objects, which unlike classes may lie over each other: each pixel of the result is of those objects that the pixel its centre
 * came from was of (`mask.ts`). Eight objects go the way together, a bit each.
 */
import { DataError } from '../errors.js';
import type { RunLengthMask } from '../masks/runLength.js';
import { sourcesOf } from './mask.js';
import { outputSize, type Transform } from './transform.js';

/** Bits of a pixel. */
const together = 8;

/**
 * @param masks All of the size that the transform begins with.
 * @returns in their order, in the size that it ends with; some may have no pixel left.
 * @throws DataError when a mask has another size than the image.
 */
export function transformObjectMasks(masks: readonly RunLengthMask[], transform: Transform): RunLengthMask[] {
  const { from } = transform;
  const wrong = masks.find(({ width, height }) => width !== from.width || height !== from.height);
  if (wrong !== undefined)
    throw new DataError(
      `a mask of ${wrong.width} x ${wrong.height} pixels does not fit its image of ${from.width} x ${from.height}; expected the same size`,
    );
  if (masks.length === 0) return [];
  const { width, height } = outputSize(transform);
  const sources = sourcesOf(transform);
  const moved: RunLengthMask[] = [];
  for (let first = 0; first < masks.length; first += together) {
    const group = masks.slice(first, first + together);
    const bits = new Uint8Array(from.width * from.height);
    for (const [bit, mask] of group.entries()) addBit(bits, mask, 1 << bit);
    for (const runs of runsOfBits(bits, sources, { width, height, count: group.length }))
      moved.push({ width, height, runs: Uint32Array.from(runs) });
  }
  return moved;
}

function addBit(bits: Uint8Array, { width, height, runs }: RunLengthMask, bit: number): void {
  let start = runs[0]!;
  for (let i = 1; i < runs.length; i += 2) {
    const end = start + runs[i]!;
    let [x, y] = [Math.floor(start / height), start % height];
    for (let position = start; position < end; position++) {
      bits[y * width + x]! |= bit;
      if (++y === height) [x, y] = [x + 1, 0];
    }
    start = end + (runs[i + 1] ?? 0);
  }
}

interface Wanted {
  readonly width: number;
  readonly height: number;
  readonly count: number;
}

/** Column by column, as runs go: a pixel says which objects begin or end there. */
function runsOfBits(bits: Uint8Array, sources: Int32Array, { width, height, count }: Wanted): readonly number[][] {
  const runs = Array.from({ length: count }, (): number[] => []);
  const last = new Int32Array(count);
  let [previous, position] = [0, 0];
  for (let x = 0; x < width; x++) {
    for (let place = x; place < width * height; place += width, position++) {
      const source = sources[place]!;
      const here = source < 0 ? 0 : bits[source]!;
      if (here === previous) continue;
      for (let bit = 0; bit < count; bit++) {
        if ((((here ^ previous) >> bit) & 1) === 0) continue;
        runs[bit]!.push(position - last[bit]!);
        last[bit] = position;
      }
      previous = here;
    }
  }
  for (const [bit, own] of runs.entries()) own.push(position - last[bit]!);
  return runs;
}
