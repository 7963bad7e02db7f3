/**
 * Answers that have places: a mask or boxes, as the page shows them over the image. Everything is within the part of the image that the network saw, at the
 * network's own resolution: a large photograph costs no more than a small one.
 */
import type { Answer, Model, Original, Outputs } from '../../../src/index.browser.js';

/** A rectangle in shares of the image's sides; it may reach beyond the image. */
export interface Place {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface MaskView {
  readonly kind: 'mask';
  /** What the mask covers. */
  readonly place: Place;
  /** Of the mask in its own pixels. */
  readonly width: number;
  readonly height: number;
  /** Class numbers, rows from the top. */
  readonly mask: Uint16Array<ArrayBuffer>;
  /** From the largest share of the mask to the smallest. */
  readonly segments: readonly { readonly index: number; readonly label: string; readonly share: number }[];
}

export interface SeenBox {
  readonly index: number;
  readonly label: string;
  readonly score: number;
  /** Of the image. */
  readonly place: Place;
}

export interface BoxesView {
  readonly kind: 'boxes';
  /** From the surest on; those of a low score are among them. */
  readonly boxes: readonly SeenBox[];
}

export type DenseView = MaskView | BoxesView;

/** Boxes below are not worth being sent to the page. */
const leastScore = 0.05;

/** A part of an image, in shares of its sides, and the same as something that answers are about. */
export interface Part {
  readonly place: Place;
  readonly original: Original;
}

/**
 * Where a network looked, and the part of it that is in the image. Answers about that part are in the network's pixels.
 *
 * @param original The image, by `Model.original`.
 */
export function placed({ width, height, placement }: Original): { readonly place: Place; readonly part: Part } {
  const { frame, image } = placement ?? {
    frame: { width, height },
    image: { left: 0, top: 0, width, height },
  };
  const left = Math.max(0, image.left);
  const top = Math.max(0, image.top);
  const inside = {
    left,
    top,
    width: Math.min(frame.width, image.left + image.width) - left,
    height: Math.min(frame.height, image.top + image.height) - top,
  };
  // Pixels of the input as shares of the image.
  const shares = (part: Place): Place => ({
    left: (part.left - image.left) / image.width,
    top: (part.top - image.top) / image.height,
    width: part.width / image.width,
    height: part.height / image.height,
  });
  return {
    place: shares({ left: 0, top: 0, ...frame }),
    part: {
      place: shares(inside),
      original: { width: inside.width, height: inside.height, placement: { frame, image: inside } },
    },
  };
}

/** What a model says about that part of an image; null where its answers have no places. */
export function denseViewOf(model: Model, outputs: Outputs, { place, original }: Part): DenseView | null {
  const [first] = model.answers(outputs, [original], { threshold: leastScore });
  return first ? denseOf(first, place, original) : null;
}

function denseOf(said: Answer, place: Place, { width, height }: Original): DenseView | null {
  switch (said.task) {
    case 'segmentation': {
      const { segments, mask } = said.answer;
      // Messages give arrays away.
      return { kind: 'mask', place, width, height, mask: new Uint16Array(mask), segments };
    }
    case 'detection':
      return {
        kind: 'boxes',
        boxes: said.answer.map(({ index, label, score, box: [left, top, w, h] }) => ({
          index,
          label,
          score,
          place: {
            left: place.left + (left / width) * place.width,
            top: place.top + (top / height) * place.height,
            width: (w / width) * place.width,
            height: (h / height) * place.height,
          },
        })),
      };
    default:
      return null;
  }
}
