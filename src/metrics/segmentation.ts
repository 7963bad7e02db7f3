/**
 * How well pixels are classified: a confusion matrix of whole numbers that can be added up over batches, shards and machines, and the figures that
 * follow from it: intersection over union, accuracy, Dice and F-score, by class and on average. Definitions are those of mmsegmentation 1.x (`IoUMetric`):
 * areas of all images are summed before anything is divided, and pixels whose truth is the ignored number count for nothing.
 */
import { UsageError } from '../errors.js';

/** Sums over pixels; plain data. */
export interface SegmentationCounts {
  readonly classes: number;
  /** `[classes · classes]`: at `truth · classes + answer`, how many pixels of class `truth` were called `answer`. */
  readonly confusion: readonly number[];
  /** `[classes]`: pixels of this class that were called by a number which is no class. They are wrong, and no class's prediction. */
  readonly unnamed: readonly number[];
}

/** Figures of one class; undefined where the definition divides by zero. */
export interface ClassSegmentation {
  /** Pixels whose truth this class is. */
  readonly pixels: number;
  /** Pixels that were called this class. */
  readonly predicted: number;
  /** I / (P + L − I): undefined when the class is neither in the truth nor in the answers, 0 when it is only in the answers. */
  readonly iou: number | undefined;
  /** I / L, which is the recall too: undefined when the class is not in the truth. */
  readonly accuracy: number | undefined;
  /** I / P: undefined when nothing was called this class. */
  readonly precision: number | undefined;
  /** 2 I / (P + L). */
  readonly dice: number | undefined;
  /** 2 · precision · recall / (precision + recall): Dice, but undefined, not 0, where no pixel is right. */
  readonly fScore: number | undefined;
}

/** Each mean goes over the classes in which its figure is defined, so that over different classes; undefined when there is none. */
export interface SegmentationScores {
  /** Of all pixels that are not ignored, the share that is right. */
  readonly pixelAccuracy: number | undefined;
  readonly meanIou: number | undefined;
  readonly meanAccuracy: number | undefined;
  readonly meanPrecision: number | undefined;
  readonly meanDice: number | undefined;
  readonly meanFScore: number | undefined;
  /** By class number. */
  readonly perClass: readonly ClassSegmentation[];
}

export interface SegmentationOptions {
  /** What a figure that is not defined does to a mean: it is left out (the default, as published results do), or it counts as 0 (`nan_to_num=0`). */
  readonly undefinedAs?: 'leftOut' | 'zero';
}

/** A confusion matrix of more classes would take gigabytes. */
const mostClasses = 4096;

/** Counts while masks arrive. */
export class SegmentationCounter {
  readonly #classes: number;
  readonly #ignored: number | 'none';
  readonly #confusion: Float64Array;
  readonly #unnamed: Float64Array;

  /**
   * @param ignored The number of pixels that do not count: 255 in most data sets. It may be a class's number, which then is never a truth.
   * @throws UsageError when there are no classes, or more than 4096.
   */
  constructor(classes: number, ignored: number | 'none' = 255) {
    if (!(Number.isInteger(classes) && classes >= 1 && classes <= mostClasses))
      throw new UsageError(`segmentation: ${classes} classes; give a whole number from 1 to ${mostClasses}`);
    this.#classes = classes;
    this.#ignored = ignored;
    this.#confusion = new Float64Array(classes * classes);
    this.#unnamed = new Float64Array(classes);
  }

  /**
   * Any number of pixels in any order, one image or a batch; both masks in the same order.
   *
   * @param answers `[pixels]`, class numbers; what is no class is wrong.
   * @param truths `[pixels]`, class numbers or the ignored one.
   * @throws UsageError when the lengths differ or a truth is no class; nothing is counted then.
   */
  add(answers: ArrayLike<number>, truths: ArrayLike<number>): void {
    if (answers.length !== truths.length) {
      throw new UsageError(
        `segmentation: ${answers.length} answers for ${truths.length} pixels; pass masks of one size, scaled to that of the truth`,
      );
    }
    this.#check(truths);
    for (let pixel = 0; pixel < truths.length; pixel++) {
      const truth = truths[pixel]!;
      if (truth === this.#ignored) continue;
      const answer = answers[pixel]!;
      if (this.#isClass(answer)) this.#confusion[truth * this.#classes + answer]!++;
      else this.#unnamed[truth]!++;
    }
  }

  counts(): SegmentationCounts {
    return { classes: this.#classes, confusion: Array.from(this.#confusion), unnamed: Array.from(this.#unnamed) };
  }

  #check(truths: ArrayLike<number>): void {
    for (let pixel = 0; pixel < truths.length; pixel++) {
      const truth = truths[pixel]!;
      if (truth === this.#ignored || this.#isClass(truth)) continue;
      const ignored = this.#ignored === 'none' ? 'none is ignored' : `${this.#ignored} is ignored`;
      throw new UsageError(
        `segmentation: pixel ${pixel} has the class ${truth}; there are ${this.#classes}, and ${ignored}`,
      );
    }
  }

  #isClass(value: number): boolean {
    return Number.isInteger(value) && value >= 0 && value < this.#classes;
  }
}

/**
 * The counts over the pixels of all parts together.
 *
 * @throws UsageError when the parts are of different numbers of classes, or there are none.
 */
export function mergeSegmentation(parts: readonly SegmentationCounts[]): SegmentationCounts {
  const [first] = parts;
  if (!first) throw new UsageError('segmentation: there is nothing to merge; pass at least one part');
  const { classes } = first;
  if (parts.some((part) => part.classes !== classes))
    throw new UsageError('segmentation: the parts count different classes; merge parts of one evaluation');
  return {
    classes,
    confusion: first.confusion.map((_, i) => sum(parts.map(({ confusion }) => confusion[i]!))),
    unnamed: first.unnamed.map((_, i) => sum(parts.map(({ unnamed }) => unnamed[i]!))),
  };
}

/** The figures that follow from the counts, as shares of 1. */
export function scoreSegmentation(
  { classes, confusion, unnamed }: SegmentationCounts,
  { undefinedAs = 'leftOut' }: SegmentationOptions = {},
): SegmentationScores {
  const numbers = Array.from({ length: classes }, (_, number) => number);
  const right = numbers.map((number) => confusion[number * classes + number]!);
  const pixels = numbers.map(
    (number) => sum(confusion.slice(number * classes, (number + 1) * classes)) + unnamed[number]!,
  );
  const predicted = numbers.map((number) => sum(numbers.map((truth) => confusion[truth * classes + number]!)));
  const perClass = numbers.map((number) => scoreClass(right[number]!, pixels[number]!, predicted[number]!));
  const mean = (figure: (of: ClassSegmentation) => number | undefined) => {
    const figures = perClass.map(figure).map((value) => value ?? (undefinedAs === 'zero' ? 0 : undefined));
    const defined = figures.filter((value) => value !== undefined);
    return share(sum(defined), defined.length);
  };
  return {
    pixelAccuracy: share(sum(right), sum(pixels)),
    meanIou: mean(({ iou }) => iou),
    meanAccuracy: mean(({ accuracy }) => accuracy),
    meanPrecision: mean(({ precision }) => precision),
    meanDice: mean(({ dice }) => dice),
    meanFScore: mean(({ fScore }) => fScore),
    perClass,
  };
}

function scoreClass(right: number, pixels: number, predicted: number): ClassSegmentation {
  const dice = share(2 * right, predicted + pixels);
  return {
    pixels,
    predicted,
    iou: share(right, predicted + pixels - right),
    accuracy: share(right, pixels),
    precision: share(right, predicted),
    dice,
    fScore: right === 0 ? undefined : dice,
  };
}

function share(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
