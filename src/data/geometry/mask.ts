/**
 * A drawn transform applied to a mask of class numbers: each pixel of the result takes the number of the pixel that its centre came from.
 * All steps are followed back at once, so that nothing is rounded twice.
 */
import { DataError } from '../errors.js';
import { backward, backwardAlong, type Position } from './mapping.js';
import { outputSize, type Transform } from './transform.js';

/** One class number a pixel, rows from the top: `data[y * width + x]`. */
export interface ClassMask {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint16Array;
}

/**
 * @param outside The number of what was not in the picture; 255 is what published evaluations ignore.
 * @throws DataError when the mask has another size than the image that the transform was drawn for.
 */
export function transformMask(mask: ClassMask, transform: Transform, outside = 255): ClassMask {
  const { from } = transform;
  if (mask.width !== from.width || mask.height !== from.height) {
    throw new DataError(
      `a mask of ${mask.width} x ${mask.height} pixels does not fit its image of ${from.width} x ${from.height}; expected the same size`,
    );
  }
  const { width, height } = outputSize(transform);
  const data = mask.data instanceof Uint16Array ? new Uint16Array(width * height) : new Uint8Array(width * height);
  const sources = sourcesOf(transform);
  for (let i = 0; i < data.length; i++) data[i] = sources[i]! < 0 ? outside : mask.data[sources[i]!]!;
  return { width, height, data };
}

/** For each pixel of the result, rows from the top, the number of the pixel that its centre came from, or −1 where nothing was. */
export function sourcesOf(transform: Transform): Int32Array {
  const { from, steps } = transform;
  const { width, height } = outputSize(transform);
  const sources = new Int32Array(width * height);
  const back = steps.toReversed();
  const apart = back.filter((step) => step.kind !== 'affine');
  if (apart.length === back.length) {
    const along = (axis: 'width' | 'height', count: number) =>
      Int32Array.from({ length: count }, (_, pixel) => {
        let position: number | undefined = pixel + 0.5;
        for (let i = 0; i < apart.length && position !== undefined; i++)
          position = backwardAlong(apart[i]!, axis, position);
        return position === undefined ? -1 : Math.floor(position);
      });
    const [columns, rows] = [along('width', width), along('height', height)];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        sources[y * width + x] = rows[y]! < 0 || columns[x]! < 0 ? -1 : rows[y]! * from.width + columns[x]!;
    return sources;
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let position: Position | undefined = [x + 0.5, y + 0.5];
      for (let i = 0; i < back.length && position !== undefined; i++) position = backward(back[i]!, position);
      sources[y * width + x] =
        position === undefined ? -1 : Math.floor(position[1]) * from.width + Math.floor(position[0]);
    }
  }
  return sources;
}
