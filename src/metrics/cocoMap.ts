/**
 * COCO's twelve figures of a detector, as pycocotools computes them: average precision over ten thresholds of overlap, at .5 (the plain mAP@.5) and .75, by size
 * of objects; average recall of the best 1, 10 and 100 detections. Of all classes and of each. What is kept of an image is plain data that adds up over batches and
 * shards; the order in which images come changes nothing.
 */
import { UsageError } from '../errors.js';
import {
  type ClassMatches,
  type CocoDetection,
  type CocoTruth,
  type Compared,
  matchDetections,
  overlapThresholds,
  spaced,
} from './cocoMatching.js';

/** Detections of one class in one image. */
export interface ImageMatches extends ClassMatches {
  readonly image: number;
  readonly class: number;
}

/** Plain data. */
export interface CocoCounts {
  readonly compared: Compared;
  readonly classes: number;
  /** Numbers of the images that were looked at. */
  readonly images: readonly number[];
  /** By class and image, without those where there is nothing. */
  readonly matches: readonly ImageMatches[];
}

/** Shares of 1; undefined where no object is asked for, which pycocotools prints as -1. In the order in which COCO prints them. */
export interface CocoFigures {
  /** Mean over the thresholds 0.5, 0.55 … 0.95: what COCO calls AP or mAP. */
  readonly averagePrecision: number | undefined;
  /** mAP@.5. */
  readonly averagePrecision50: number | undefined;
  readonly averagePrecision75: number | undefined;
  /** Areas up to 32² pixels. */
  readonly averagePrecisionSmall: number | undefined;
  /** From 32² to 96². */
  readonly averagePrecisionMedium: number | undefined;
  /** From 96². */
  readonly averagePrecisionLarge: number | undefined;
  /** With one detection for each class and image. */
  readonly averageRecall1: number | undefined;
  readonly averageRecall10: number | undefined;
  readonly averageRecall100: number | undefined;
  readonly averageRecallSmall: number | undefined;
  readonly averageRecallMedium: number | undefined;
  readonly averageRecallLarge: number | undefined;
}

export interface CocoScores extends CocoFigures {
  /** By class number; figures of a class of which there is no object are undefined, and it is in no mean. */
  readonly perClass: readonly CocoFigures[];
}

/** Places of `areaRanges`. */
const [all, small, medium, large] = [0, 1, 2, 3];
/** Precision is read at these recalls. */
const recalls = spaced(0, 1, 101);

/** Counts while images arrive. */
export class CocoCounter {
  readonly #classes: number;
  readonly #compared: Compared;
  readonly #images = new Set<number>();
  readonly #matches: ImageMatches[] = [];

  /** @throws UsageError when there are no classes. */
  constructor(classes: number, compared: Compared = 'boxes') {
    if (!(Number.isInteger(classes) && classes >= 1))
      throw new UsageError(`detection: ${classes} classes; give a whole number of at least 1`);
    this.#classes = classes;
    this.#compared = compared;
  }

  /**
   * All objects and all detections of one image.
   *
   * @param image Its number, which decides the order of detections of equal scores in different images.
   * @throws UsageError when the image was here before, a class does not exist, a score or box is none, or what is compared is missing; DataError when masks are of
   *   different sizes. Nothing is counted then.
   */
  add(image: number, truths: readonly CocoTruth[], detections: readonly CocoDetection[]): void {
    if (!Number.isInteger(image)) throw new UsageError(`detection: image ${image}; give a whole number`);
    if (this.#images.has(image)) throw seenTwice(image);
    for (const [i, truth] of truths.entries()) this.#check(`object ${i} of image ${image}`, truth, truth.area);
    for (const [i, detection] of detections.entries())
      this.#check(`detection ${i} of image ${image}`, detection, detection.score);
    const present = new Set([...truths, ...detections].map((one) => one.class));
    const matches = [...present].map((number): ImageMatches => {
      const ofClass = <One extends { readonly class: number }>(one: One) => one.class === number;
      const found = matchDetections(truths.filter(ofClass), detections.filter(ofClass), this.#compared);
      return { image, class: number, ...found };
    });
    this.#images.add(image);
    this.#matches.push(...matches);
  }

  counts(): CocoCounts {
    return { compared: this.#compared, classes: this.#classes, images: [...this.#images], matches: [...this.#matches] };
  }

  /** @param number The area of an object, the score of a detection. */
  #check(name: string, one: Omit<CocoDetection, 'score'>, number = 0): void {
    const { box, mask } = one;
    if (!(Number.isInteger(one.class) && one.class >= 0 && one.class < this.#classes))
      throw new UsageError(`detection: ${name} has the class ${one.class}; there are ${this.#classes}`);
    if (!Number.isFinite(number)) throw new UsageError(`detection: ${name} has the score or area ${number}`);
    if (this.#compared === 'masks' ? mask === undefined : box === undefined)
      throw new UsageError(`detection: ${name} has no ${this.#compared}, which are compared`);
    if (box !== undefined && !(box.every(Number.isFinite) && box[2] >= 0 && box[3] >= 0))
      throw new UsageError(`detection: ${name} has the box ${box.join(', ')}; expected x, y, width and height`);
  }
}

/**
 * The counts over the images of all parts together.
 *
 * @throws UsageError when the parts do not count the same, an image is in two of them, or there are none.
 */
export function mergeCoco(parts: readonly CocoCounts[]): CocoCounts {
  const [first] = parts;
  if (!first) throw new UsageError('detection: there is nothing to merge; pass at least one part');
  const { compared, classes } = first;
  if (parts.some((part) => part.compared !== compared || part.classes !== classes))
    throw new UsageError(
      'detection: the parts count different classes or masks and boxes; merge parts of one evaluation',
    );
  const images = new Set<number>();
  for (const image of parts.flatMap((part) => part.images)) {
    if (images.has(image)) throw seenTwice(image);
    images.add(image);
  }
  return { compared, classes, images: [...images], matches: parts.flatMap(({ matches }) => matches) };
}

/** The figures that follow from the counts. */
export function scoreCoco({ classes, matches }: CocoCounts): CocoScores {
  const byClass: ImageMatches[][] = Array.from({ length: classes }, () => []);
  for (const match of matches.toSorted((a, b) => a.image - b.image)) byClass[match.class]!.push(match);
  const perClass = byClass.map(figuresOfClass);
  const mean = (figure: keyof CocoFigures) => meanOf(perClass.map((figures) => figures[figure]));
  return {
    averagePrecision: mean('averagePrecision'),
    averagePrecision50: mean('averagePrecision50'),
    averagePrecision75: mean('averagePrecision75'),
    averagePrecisionSmall: mean('averagePrecisionSmall'),
    averagePrecisionMedium: mean('averagePrecisionMedium'),
    averagePrecisionLarge: mean('averagePrecisionLarge'),
    averageRecall1: mean('averageRecall1'),
    averageRecall10: mean('averageRecall10'),
    averageRecall100: mean('averageRecall100'),
    averageRecallSmall: mean('averageRecallSmall'),
    averageRecallMedium: mean('averageRecallMedium'),
    averageRecallLarge: mean('averageRecallLarge'),
    perClass,
  };
}

function figuresOfClass(matches: readonly ImageMatches[]): CocoFigures {
  const [whole, ...sizes] = [all, small, medium, large].map((range) => curveOf(matches, range, 100));
  const [best1, best10] = [1, 10].map((most) => curveOf(matches, all, most));
  const [ofSmall, ofMedium, ofLarge] = sizes;
  return {
    averagePrecision: meanOf(whole?.precision ?? []),
    averagePrecision50: whole?.precision[0],
    averagePrecision75: whole?.precision[5],
    averagePrecisionSmall: meanOf(ofSmall?.precision ?? []),
    averagePrecisionMedium: meanOf(ofMedium?.precision ?? []),
    averagePrecisionLarge: meanOf(ofLarge?.precision ?? []),
    averageRecall1: meanOf(best1?.recall ?? []),
    averageRecall10: meanOf(best10?.recall ?? []),
    averageRecall100: meanOf(whole?.recall ?? []),
    averageRecallSmall: meanOf(ofSmall?.recall ?? []),
    averageRecallMedium: meanOf(ofMedium?.recall ?? []),
    averageRecallLarge: meanOf(ofLarge?.recall ?? []),
  };
}

/** By threshold: mean precision over `recalls`, and the recall of all detections. undefined when no object is asked for. */
function curveOf(matches: readonly ImageMatches[], range: number, most: number) {
  const ranges = matches.map(({ ranges }) => ranges[range]!);
  const truths = ranges.reduce((sum, one) => sum + one.truths, 0);
  if (truths === 0) return undefined;
  const detections = matches
    .flatMap(({ scores }, i) =>
      scores
        .slice(0, most)
        .map((score, k) => ({ score, found: ranges[i]!.found[k]!, ignored: ranges[i]!.ignored[k]! })),
    )
    .sort((a, b) => b.score - a.score);
  const curves = overlapThresholds.map((_, bit) => {
    const counted = detections.filter(({ ignored }) => (ignored & (1 << bit)) === 0);
    return precisionOf(
      counted.map(({ found }) => (found & (1 << bit)) !== 0),
      truths,
    );
  });
  return { precision: curves.map(({ precision }) => precision), recall: curves.map(({ recall }) => recall) };
}

/** @param right Whether each detection is, surest first. */
function precisionOf(right: readonly boolean[], truths: number): { precision: number; recall: number } {
  const recall: number[] = [];
  const precision: number[] = [];
  let found = 0;
  for (const [i, is] of right.entries()) {
    if (is) found++;
    recall.push(found / truths);
    precision.push(found / (i + 1 + Number.EPSILON));
  }
  // Never lower than at a larger recall.
  for (let i = right.length - 1; i > 0; i--) precision[i - 1] = Math.max(precision[i - 1]!, precision[i]!);
  let at = 0;
  let sum = 0;
  for (const wanted of recalls) {
    while (at < recall.length && recall[at]! < wanted) at++;
    sum += precision[at] ?? 0;
  }
  return { precision: sum / recalls.length, recall: recall.at(-1) ?? 0 };
}

function meanOf(figures: readonly (number | undefined)[]): number | undefined {
  const defined = figures.filter((figure) => figure !== undefined);
  return defined.length === 0 ? undefined : defined.reduce((a, b) => a + b, 0) / defined.length;
}

function seenTwice(image: number): UsageError {
  return new UsageError(`detection: image ${image} is counted twice; give each image to one part only`);
}
