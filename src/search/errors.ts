import { MetaSpikeformerError } from '../errors.js';

/** A gallery's file is damaged or not one, or descriptors do not fit it. */
export class SearchError extends MetaSpikeformerError {}
