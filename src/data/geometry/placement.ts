/**
 * Where an image lies in a network's input: of a cropped image a part lies outside, of a fitted one the input has a border around it. Answers in pixels of the
 * input are brought back into those of the image by it. Positions are continuous, see `transform.ts`.
 */
import { type PreprocessSettings, resizedSize } from '../preprocess.js';
import { centreCropRegion, type Region, type Size } from '../resize.js';

export interface Placement {
  /** The size of the network's input. */
  readonly frame: Size;
  /** Where the whole image lies, in pixels of the input; it may reach beyond. */
  readonly image: Region;
}

/** Where evaluation puts an image of this size. */
export function placementOf(from: Size, preprocessing: Pick<PreprocessSettings, 'resize' | 'crop'>): Placement {
  const [height, width] = preprocessing.crop;
  const resized = resizedSize(from, preprocessing);
  const { left, top } = centreCropRegion(resized, { width, height });
  // No minus zero: placements are compared.
  return { frame: { width, height }, image: { left: 0 - left, top: 0 - top, ...sizeOf(resized) } };
}

/** The image is all of the input, resized to it. */
export function filling(frame: Size): Placement {
  return { frame: sizeOf(frame), image: { left: 0, top: 0, ...sizeOf(frame) } };
}

/** The part of the image that is in the input, in the image's own pixels: `[left, top, right, bottom]`. */
export function seenPart({ frame, image }: Placement, own: Size): readonly [number, number, number, number] {
  const [x, y] = [own.width / image.width, own.height / image.height];
  const [left, top] = [Math.max(0, -image.left), Math.max(0, -image.top)];
  const right = Math.min(image.width, frame.width - image.left);
  const bottom = Math.min(image.height, frame.height - image.top);
  return [left * x, top * y, Math.max(left, right) * x, Math.max(top, bottom) * y];
}

/**
 * A box of the input in the image's own pixels, without what is outside of what was seen; undefined where nothing is left.
 *
 * @param sides Left, top, right and bottom in pixels of the input.
 */
export function boxInImage(
  sides: readonly [number, number, number, number],
  placement: Placement,
  own: Size,
): readonly [number, number, number, number] | undefined {
  const { image } = placement;
  const [x, y] = [own.width / image.width, own.height / image.height];
  const [seenLeft, seenTop, seenRight, seenBottom] = seenPart(placement, own);
  const left = Math.max(seenLeft, (sides[0] - image.left) * x);
  const top = Math.max(seenTop, (sides[1] - image.top) * y);
  const right = Math.min(seenRight, (sides[2] - image.left) * x);
  const bottom = Math.min(seenBottom, (sides[3] - image.top) * y);
  return right > left && bottom > top ? [left, top, right, bottom] : undefined;
}

/**
 * A mask of the input in the image's own pixels: each takes what the pixel shows that its centre falls into.
 *
 * @param mask `frame.height` rows of `frame.width`.
 * @param unseen What pixels get that are outside of the input.
 */
export function maskInImage(mask: Uint16Array, { frame, image }: Placement, own: Size, unseen: number): Uint16Array {
  const result = new Uint16Array(own.width * own.height).fill(unseen);
  const column = Int32Array.from({ length: own.width }, (_, x) =>
    Math.floor(image.left + ((x + 0.5) * image.width) / own.width),
  );
  for (let y = 0; y < own.height; y++) {
    const row = Math.floor(image.top + ((y + 0.5) * image.height) / own.height);
    if (row < 0 || row >= frame.height) continue;
    for (let x = 0; x < own.width; x++) {
      const from = column[x]!;
      if (from >= 0 && from < frame.width) result[y * own.width + x] = mask[row * frame.width + from]!;
    }
  }
  return result;
}

function sizeOf({ width, height }: Size): Size {
  return { width, height };
}
