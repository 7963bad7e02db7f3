/**
 * What goes into a network, independently of what is asked about it: how a sample is read, what chance may do to it, and which floats it
 * becomes. One folder beside this file for each kind, and a line in `registry.ts`; the loader and its threads know no more than this.
 */
import type { Transform } from '../data/geometry/transform.js';
import type { RgbImage } from '../data/image.js';
import type { Mixture } from '../data/targets/targetKind.js';
import type { Random } from '../random.js';

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
  /** Of one sample's floats, as they lie in a batch. */
  readonly shape: readonly number[];
  /** Draws all that chance decides about one sample, in an order that does not depend on its content. Throws DataError when it cannot fit. */
  draw(sample: Sample, random: Random): Drawn;
  /** The sample as it was drawn to be. */
  augment(sample: Sample, drawn: Drawn): Sample;
  /** Writes the floats of an augmented sample from `offset` on. */
  tensor(sample: Sample, drawn: Drawn, batch: Float32Array, offset: number): void;
  /** Mixes the samples of a batch of `count` in place, and says how, for their targets. Absent when it is not asked for. */
  readonly mix?: (batch: Float32Array, count: number, random: Random) => Mixture;
}
