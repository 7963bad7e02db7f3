/** Places and their views, as plain data: what a loader draws pairs from, and what an evaluation looks for where. */
import type { Split } from '../datasets/layout.js';
import type { EncodedStore, FileStore } from '../datasets/stores.js';

/** Images of one view, in order. */
export interface RetrievalList {
  readonly view: string;
  /** Positions in the store. */
  readonly images: Int32Array;
  /** The place that each shows, an index into the places; −1 for junk, which shows none. */
  readonly places: Int32Array;
}

/** What is looked for, and where. */
export interface RetrievalDirection {
  /** `drone → satellite`. */
  readonly name: string;
  readonly query: RetrievalList;
  readonly gallery: RetrievalList;
}

export interface PlaceViews {
  /** What messages call the data. */
  readonly name: string;
  readonly part: Split;
  /** Names, sorted. */
  readonly places: readonly string[];
  readonly views: readonly string[];
  /** Encoded images. */
  readonly store: EncodedStore | FileStore;
  /** `[view][place]`: positions in the store of the images that show a place. In the training part none is empty; in the test part they are the gallery's. */
  readonly images: readonly (readonly Int32Array[])[];
  /** Of the test part; empty of the other. */
  readonly directions: readonly RetrievalDirection[];
  /** Lines about what was left out. */
  readonly notes: readonly string[];
}
