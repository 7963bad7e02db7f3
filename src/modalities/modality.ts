/**
 * What goes into a network, independently of what is asked about it: how a sample is read, what chance may do to it, and which floats it
 * becomes. One folder beside this file for each kind, and a line in `registry.ts`; the loader and its threads know no more than this.
 */

import type { Dataset } from '../data/datasets/dataset.js';
import type { Split } from '../data/datasets/layout.js';
import type { LargestShare } from '../data/geometry/crop.js';
import type { Transform } from '../data/geometry/transform.js';
import type { RgbImage } from '../data/image.js';
import type { Protocol } from '../data/skeletons/protocols.js';
import type { ClassTargets } from '../data/targets/classes.js';
import type { Mixture } from '../data/targets/targetKind.js';
import type { Random } from '../random.js';
import type { SampleShape } from './input.js';

/** Images, recordings of events, sequences of skeletons. `Store` says as plain data where samples are, so that threads can share it. */
export interface Modality<Sample, Store, Settings, Drawn extends DrawnChange> {
  readonly name: string;
  /** Complete settings out of what was written. Throws DataError or ImageError naming `source` and the field that is wrong. */
  parse(written: unknown, source: string): Settings;
  /** Reads one sample. A promise only when there is something to wait for. Throws ImageError or DataError naming the file. */
  open(store: Store, position: number): Sample | Promise<Sample>;
  /** Whether opening samples of this store means waiting, so that it is worth opening several at once. */
  waits(store: Store): boolean;
  /** Everything that samples of one loader share is computed here. Throws DataError when the settings do not fit what is stored. */
  prepare(settings: Settings, source: NamedStore<Store>): Preparation<Sample, Drawn>;
  /** The sample as a person would look at it. */
  picture(sample: Sample): RgbImage;
  /** A set of samples with class numbers, out of a folder or an archive. Throws DataError naming the file when nothing is recognised. */
  openLabelled(path: string, options: LabelledOptions): Promise<Dataset<Sample, ClassTargets>>;
  /** What is stored, to tell this data from other data. */
  contentOf(store: Store): StoredContent;
}

/** Beside the split it has what the modality asks of its reading (`InputKind.reading`). */
export interface LabelledOptions {
  /** The first that is there, where there are several. */
  readonly split: Split | readonly [Split, ...Split[]];
  readonly clip?: number | undefined;
  readonly protocol?: Protocol | undefined;
}

/** Samples as they are stored. */
export interface StoredContent {
  /** Whether these are decoded values or files. */
  readonly what: 'pixels' | 'files';
  /** Whether reading all of them costs nothing to speak of. */
  readonly inMemory: boolean;
  /** Bytes of what a sample is stored in. */
  sizeOf(position: number): Promise<number>;
  /** Everything that tells one sample from another. */
  bytesOf(position: number): AsyncIterable<Uint8Array | string>;
}

export interface NamedStore<Store> {
  /** What messages call the data. */
  readonly name: string;
  readonly store: Store;
}

/** What was drawn for one sample; a value, applied to the sample and to its target. */
export interface DrawnChange {
  /** What moves in the picture; undefined for samples that are none. */
  readonly geometry: Transform | undefined;
}

/** How the samples of one loader become floats. */
export interface Preparation<Sample, Drawn extends DrawnChange> {
  /** Of one sample's floats. */
  readonly shape: SampleShape;
  /** Whether what is drawn depends on targets: on `largestShare` of `draw`. */
  readonly looksAtTargets?: boolean;
  /**
   * Draws all that chance decides about one sample, in an order that does not depend on its content. Throws DataError when it cannot fit.
   *
   * @param largestShare Of the sample's target, where targets have classes for places.
   */
  draw(sample: Sample, random: Random, largestShare?: LargestShare): Drawn;
  /** The sample as it was drawn to be. A promise only where opening waits too: for what is read when it is known which part is needed. */
  augment(sample: Sample, drawn: Drawn): Sample | Promise<Sample>;
  /**
   * Writes the floats of an augmented sample from `offset` on.
   *
   * @param frameStride Floats from one time step to the next: in a batch of frames the samples of a step lie together.
   */
  tensor(sample: Sample, drawn: Drawn, batch: Float32Array, offset: number, frameStride: number): void;
  /** Mixes the samples of a batch of `count` in place, and says how, for their targets. Absent when it is not asked for. */
  readonly mix?: (batch: Float32Array, count: number, random: Random) => Mixture;
}
