/**
 * What is to be answered about a sample, of whatever kind: where targets are (plain data that threads share), how one is read and moved
 * with its sample, and what a batch of them is. The loader knows targets by this interface only.
 */
import type { Random } from '../../random.js';
import type { Transform } from '../geometry/transform.js';

/** Targets of a data set; `kind` is a name in `registry.ts`. The target at position p belongs to the sample at position p. */
export interface TargetStoreBase {
  readonly kind: string;
}

/** How the samples of a batch were mixed: sample i has `weight` of itself and 1 - `weight` of sample B - 1 - i. */
export interface Mixture {
  readonly weight: number;
  /** Of the soft targets that this makes. */
  readonly labelSmoothing: number;
}

/** What an order is made of. */
export interface SampleOrder {
  /** What messages call the data. */
  readonly name: string;
  /** How many samples there are. */
  readonly size: number;
  /** Where sample i's target is. */
  position(i: number): number;
  readonly batchSize: number;
  readonly batches: number;
}

/** `Batch` holds typed arrays; those on buffers of their own are handed over to the receiving thread, not copied. */
export interface TargetKind<Store extends TargetStoreBase, Target, Batch extends object> {
  readonly name: Store['kind'];
  count(store: Store): number;
  /** Throws DataError, its message beginning with `source`, when a target is impossible in itself. */
  check(store: Store, source: string): void;
  read(store: Store, position: number): Target;
  /** Bytes that tell a target from others, where there are shorter ones than the target itself in JSON. */
  readonly identity?: (store: Store, position: number) => Uint8Array | string;
  /** The target of a sample that was moved so; `geometry` is undefined for samples that are no pictures. */
  transform(target: Target, geometry: Transform | undefined): Target;
  /** Of a target that gives a class to every place, the share of the commonest of those that have one; 1 where there are not two classes. */
  readonly largestShare?: (target: Target) => number;
  collate(store: Store, targets: readonly Target[]): Batch;
  /** As `collate`, for mixed samples. Absent where a mixture has no meaning. */
  readonly mixed?: (store: Store, targets: readonly Target[], mixture: Mixture) => Batch;
  /** How many groups there are that a part that is held out should have in proportion, and which one each target is in. */
  readonly groups?: {
    count(store: Store): number;
    /** −1 for a target that is in none. */
    of(store: Store, position: number): number;
    /** Groups are held out as a whole or not at all. */
    readonly undivided?: boolean;
  };
  /** Why batches of so many cannot be made of these targets, and what to do; undefined where they can. */
  readonly unfitBatch?: (store: Store, batchSize: number) => string | undefined;
  /**
   * In which order an epoch visits the samples, `[batches · batchSize]`, where chance alone is not enough: samples that are to meet in a batch. Throws DataError where that
   * cannot be.
   */
  readonly order?: (store: Store, samples: SampleOrder, random: Random) => Int32Array;
}
