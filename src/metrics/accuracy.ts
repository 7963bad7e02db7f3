/**
 * Top-1 and top-k accuracy as exact integer counts, per class and in total, that can be added up over batches, shards and machines.
 * A sample counts for top-k when fewer than k classes score higher; of equal scores the class with the smaller number comes first,
 * so that ties are decided the same way everywhere.
 */
import { UsageError } from '../errors.js';

export interface ClassCounts {
  /** Samples whose true class this is. */
  readonly images: number;
  readonly top1: number;
  readonly topK: number;
}

export interface AccuracyCounts extends ClassCounts {
  /** The k of `topK`. */
  readonly k: number;
  /** By class number. */
  readonly perClass: readonly ClassCounts[];
}

/** How many classes come before `target` among the scores `[classes]`: 0 when it is the answer. */
export function rankOf(scores: Float32Array, target: number): number {
  const score = scores[target]!;
  let rank = 0;
  for (let index = 0; index < scores.length; index++) {
    const other = scores[index]!;
    // What is no number cannot be told to be lower.
    const isBehind = other < score || (other === score && index > target);
    if (index !== target && !isBehind) rank++;
  }
  return rank;
}

/**
 * How many samples are right: whose true class comes first, ties decided as everywhere here.
 *
 * @param logits `[B, classes]`
 * @param targets `[B]`
 */
export function countCorrect(logits: Float32Array, targets: ArrayLike<number>, classes: number): number {
  let correct = 0;
  for (let sample = 0; sample < targets.length; sample++)
    if (rankOf(logits.subarray(sample * classes, (sample + 1) * classes), targets[sample]!) === 0) correct++;
  return correct;
}

/** Counts while batches arrive. */
export class AccuracyCounter {
  readonly #classes: number;
  readonly #k: number;
  readonly #images: Uint32Array;
  readonly #top1: Uint32Array;
  readonly #topK: Uint32Array;

  /** `k` is cut to the number of classes: with three classes, top-5 means top-3. */
  constructor(classes: number, k = 5) {
    this.#classes = classes;
    this.#k = Math.min(k, classes);
    this.#images = new Uint32Array(classes);
    this.#top1 = new Uint32Array(classes);
    this.#topK = new Uint32Array(classes);
  }

  /**
   * @param logits `[B, classes]`
   * @param targets `[B]`, the number of each sample's true class
   * @throws UsageError when the lengths do not fit or there is no class of that number.
   */
  add(logits: Float32Array, targets: ArrayLike<number>): void {
    if (logits.length !== targets.length * this.#classes) {
      throw new UsageError(
        `accuracy: ${logits.length} scores for ${targets.length} samples of ${this.#classes} classes; pass [B, classes] scores`,
      );
    }
    for (let sample = 0; sample < targets.length; sample++) {
      const target = targets[sample]!;
      if (!(Number.isInteger(target) && target >= 0 && target < this.#classes)) {
        throw new UsageError(`accuracy: class ${target} does not exist; there are ${this.#classes}`);
      }
      const rank = rankOf(logits.subarray(sample * this.#classes, (sample + 1) * this.#classes), target);
      this.#images[target]!++;
      if (rank === 0) this.#top1[target]!++;
      if (rank < this.#k) this.#topK[target]!++;
    }
  }

  counts(): AccuracyCounts {
    const perClass = Array.from(this.#images, (images, index) => ({
      images,
      top1: this.#top1[index]!,
      topK: this.#topK[index]!,
    }));
    return { k: this.#k, ...totalOf(perClass), perClass };
  }
}

/**
 * The counts over the samples of all parts together.
 *
 * @throws UsageError when the parts do not count the same classes and the same k, or there are none.
 */
export function mergeAccuracy(parts: readonly AccuracyCounts[]): AccuracyCounts {
  const [first] = parts;
  if (!first) throw new UsageError('accuracy: there is nothing to merge; pass at least one part');
  const same = parts.every((part) => part.k === first.k && part.perClass.length === first.perClass.length);
  if (!same) throw new UsageError('accuracy: the parts count different classes; merge parts of one evaluation');
  const perClass = first.perClass.map((_, index) => totalOf(parts.map((part) => part.perClass[index]!)));
  return { k: first.k, ...totalOf(perClass), perClass };
}

/** Sums of counts. */
export function totalOf(counts: readonly ClassCounts[]): ClassCounts {
  return counts.reduce(
    (sum, { images, top1, topK }) => ({
      images: sum.images + images,
      top1: sum.top1 + top1,
      topK: sum.topK + topK,
    }),
    { images: 0, top1: 0, topK: 0 },
  );
}
