/**
 * A drawn transform applied to a mask of class numbers: each pixel of the result takes the number of the pixel that its centre came from.
 * All steps are followed back at once, so that nothing is rounded twice.
 */
import { DataError } from '../errors.js';
import { backward, type Position } from './mapping.js';
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
  const { from, steps } = transform;
  if (mask.width !== from.width || mask.height !== from.height) {
    throw new DataError(
      `a mask of ${mask.width} x ${mask.height} pixels does not fit its image of ${from.width} x ${from.height}; expected the same size`,
    );
  }
  const { width, height } = outputSize(transform);
  const back = steps.toReversed();
  const data = mask.data instanceof Uint16Array ? new Uint16Array(width * height) : new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let position: Position | undefined = [x + 0.5, y + 0.5];
      for (let i = 0; i < back.length && position !== undefined; i++) position = backward(back[i]!, position);
      data[y * width + x] =
        position === undefined ? outside : mask.data[Math.floor(position[1]) * mask.width + Math.floor(position[0])]!;
    }
  }
  return { width, height, data };
}
