/** What a model refuses before it begins: options, images and numbers that cannot be. Every message says what was expected instead. */
import { UsageError } from '../errors.js';
import { checkOptionNames, described } from '../optionNames.js';
import type { ImageSource, RunOptions } from './modelTypes.js';

/** @throws UsageError for an option that there is not, and for layers that are no list. */
export function checkRunOptions(where: string, options: RunOptions): void {
  checkOptionNames<RunOptions>(where, options, { record: true });
  checkOptionNames<NonNullable<RunOptions['record']>>(`${where}: record`, options.record, {
    spikes: true,
    activations: true,
    firingRates: true,
    spikeWords: true,
    counts: true,
    inputCurrents: true,
    timings: true,
  });
  const layers: unknown = options.record?.inputCurrents;
  if (layers !== undefined && !Array.isArray(layers))
    throw new UsageError(`record: inputCurrents: found ${described(layers)}, expected a list of neuron layers`);
}

/** How many classes to name. @throws UsageError unless it is a whole number from 1. */
export function checkTop(top: number): void {
  if (!Number.isSafeInteger(top) || top < 1)
    throw new UsageError(`top: found ${described(top)}, expected a whole number from 1: how many classes to name`);
}

/** @throws UsageError when this is nothing an image can be read from. */
export function checkImage(image: ImageSource): void {
  const given: unknown = image;
  if (typeof given === 'string' || (typeof given === 'object' && given !== null && isImageObject(given))) return;
  throw new UsageError(
    `image: found ${described(given)}, expected a path or an address, a File or Blob, the bytes of an image file, or pixels {width, height, data}`,
  );
}

function isImageObject(value: object): boolean {
  if (value instanceof Blob || value instanceof URL || value instanceof ArrayBuffer) return true;
  return value instanceof Uint8Array || ('width' in value && 'height' in value && 'data' in value);
}
