/** What a model refuses before it begins: options and numbers that cannot be. Every message says what was expected instead. */
import { UsageError } from '../errors.js';
import { checkOptionNames, described } from '../optionNames.js';
import type { Reading } from '../tasks/task.js';
import type { AnswerOptions, RunOptions } from './modelTypes.js';

/** @throws UsageError for an option that there is not, and for layers that are no list. */
export function checkRunOptions(where: string, options: RunOptions): void {
  checkOptionNames<RunOptions>(where, options, { record: true, regions: true });
  checkOptionNames<NonNullable<RunOptions['record']>>(`${where}: record`, options.record, {
    spikes: true,
    activations: true,
    firingRates: true,
    spikeWords: true,
    counts: true,
    inputCurrents: true,
    timings: true,
  });
  checkOptionNames<NonNullable<RunOptions['regions']>>(`${where}: regions`, options.regions, {
    regions: true,
    maskRegions: true,
    candidates: true,
    proposals: true,
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

/** How answers are to be read. @throws UsageError for an option that there is not, and numbers that cannot be. */
export function readingOf(where: string, labels: readonly string[], options: AnswerOptions): Reading {
  checkOptionNames<AnswerOptions>(where, options, { top: true, threshold: true });
  const { top = Number.MAX_SAFE_INTEGER, threshold = 0 } = options;
  checkTop(top);
  if (!(threshold >= 0 && threshold <= 1))
    throw new UsageError(`threshold: found ${described(threshold)}, expected a number from 0 to 1`);
  return { labels, top, threshold };
}
