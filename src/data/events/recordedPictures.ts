/** A recording of an event camera as pictures, one for each window of time. */
import type { RgbImage } from '../image.js';

/** Decoded pictures of one recording, in the order of time. */
export interface RecordedPictures {
  /** What messages call it. */
  readonly name?: string;
  readonly pictures: readonly RgbImage[];
}
