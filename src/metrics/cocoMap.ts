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
    const byClass = new Map<number, { truths: CocoTruth[]; detections: CocoDetection[] }>();
    const groupOf = (number: number) => {
      const group = byClass.get(number) ?? { truths: [], detections: [] };
      byClass.set(number, group);
      return group;
    };
    for (const truth of truths) groupOf(truth.class).truths.push(truth);
    for (const detection of detections) groupOf(detection.class).detections.push(detection);
    const matches = Array.from(byClass, ([number, group]): ImageMatches => {
      const found = matchDetections(group.truths, group.detections, this.#compared);
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
  const [best1, best10, best100] = [1, 10, 100].map((most) => placesByScore(matches, most)) as [
    Place[],
    Place[],
    Place[],
  ];
  const whole = curveOf(matches, all, best100);
  const [ofSmall, ofMedium, ofLarge] = [small, medium, large].map((range) => curveOf(matches, range, best100));
  return {
    averagePrecision: meanOf(whole?.precision ?? []),
    averagePrecision50: whole?.precision[0],
    averagePrecision75: whole?.precision[5],
    averagePrecisionSmall: meanOf(ofSmall?.precision ?? []),
    averagePrecisionMedium: meanOf(ofMedium?.precision ?? []),
    averagePrecisionLarge: meanOf(ofLarge?.precision ?? []),
    averageRecall1: meanOf(curveOf(matches, all, best1)?.recall ?? []),
    averageRecall10: meanOf(curveOf(matches, all, best10)?.recall ?? []),
    averageRecall100: meanOf(whole?.recall ?? []),
    averageRecallSmall: meanOf(ofSmall?.recall ?? []),
    averageRecallMedium: meanOf(ofMedium?.recall ?? []),
    averageRecallLarge: meanOf(ofLarge?.recall ?? []),
  };
}

/** A detection: which of an image's, and of which entry of the matches. */
interface Place {
  readonly entry: number;
  readonly detection: number;
  readonly score: number;
}

/** The best detections of each image, surest first; of equal ones those of the earlier image. */
function placesByScore(matches: readonly ImageMatches[], most: number): Place[] {
  return matches
    .flatMap(({ scores }, entry) => scores.slice(0, most).map((score, detection) => ({ entry, detection, score })))
    .sort((a, b) => b.score - a.score);
}

/** By threshold: mean precision over `recalls`, and the recall of all detections. undefined when no object is asked for. */
function curveOf(matches: readonly ImageMatches[], range: number, places: readonly Place[]) {
  const ranges = matches.map(({ ranges }) => ranges[range]!);
  const truths = ranges.reduce((sum, one) => sum + one.truths, 0);
  if (truths === 0) return undefined;
  const [found, ignored] = [new Uint16Array(places.length), new Uint16Array(places.length)];
  for (let i = 0; i < places.length; i++) {
    const { entry, detection } = places[i]!;
    found[i] = ranges[entry]!.found[detection]!;
    ignored[i] = ranges[entry]!.ignored[detection]!;
  }
  const curves = overlapThresholds.map((_, bit) => precisionOf(found, ignored, 1 << bit, truths));
  return { precision: curves.map(({ precision }) => precision), recall: curves.map(({ recall }) => recall) };
}

/** Of the detections, surest first, that count at the threshold of one bit. */
function precisionOf(found: Uint16Array, ignored: Uint16Array, bit: number, truths: number) {
  const recall = new Float64Array(found.length);
  const precision = new Float64Array(found.length);
  let [right, counted] = [0, 0];
  for (let i = 0; i < found.length; i++) {
    if ((ignored[i]! & bit) !== 0) continue;
    if ((found[i]! & bit) !== 0) right++;
    recall[counted] = right / truths;
    precision[counted] = right / (counted + 1 + Number.EPSILON);
    counted++;
  }
  // Never lower than at a larger recall.
  for (let i = counted - 1; i > 0; i--) precision[i - 1] = Math.max(precision[i - 1]!, precision[i]!);
  let [at, sum] = [0, 0];
  for (const wanted of recalls) {
    while (at < counted && recall[at]! < wanted) at++;
    if (at < counted) sum += precision[at]!;
  }
  return { precision: sum / recalls.length, recall: right / truths };
}

function meanOf(figures: readonly (number | undefined)[]): number | undefined {
  const defined = figures.filter((figure) => figure !== undefined);
  return defined.length === 0 ? undefined : defined.reduce((a, b) => a + b, 0) / defined.length;
}

function seenTwice(image: number): UsageError {
  return new UsageError(`detection: image ${image} is counted twice; give each image to one part only`);
}
