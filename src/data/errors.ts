import { MetaSpikeformerError } from '../errors.js';

/** An image, a folder of images or a description of preprocessing cannot be used; the message names the file. */
export class ImageError extends MetaSpikeformerError {}

/** A data set, an archive or the settings of a loader cannot be used; the message names the file or the setting. */
export class DataError extends MetaSpikeformerError {}

/** A data set without the asked split. */
export class MissingSplitError extends DataError {}
