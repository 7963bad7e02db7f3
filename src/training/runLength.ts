/** How long a run is, and at which rates: what follows from a recipe and the size of its data. */
import { type AnyDataset, holdOut } from '../data/datasets/dataset.js';
import type { Recipe } from './recipe.js';
import type { Progress } from './runState.js';
import { learningRateAt, type Schedule, scheduleOf } from './schedules.js';

export interface RunLength {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly schedule: Schedule;
}

/** What is trained on, and what chooses the best weights. @throws UsageError when so much cannot be held out. */
export function splitOf({ data, seed }: Pick<Recipe, 'data' | 'seed'>, dataset: AnyDataset) {
  return data.holdOut > 0
    ? holdOut(dataset, data.holdOut, seed, data.holdOutFrom)
    : { training: dataset, validation: undefined };
}

/** @param samples How many are trained on in an epoch. */
export function runLength(
  { batchSize, accumulate, epochs, schedule }: Pick<Recipe, 'batchSize' | 'accumulate' | 'epochs' | 'schedule'>,
  samples: number,
): RunLength {
  const stepsPerEpoch = Math.floor(Math.floor(samples / batchSize) / accumulate);
  const totalSteps = Math.max(1, Math.round(stepsPerEpoch * epochs));
  return { stepsPerEpoch, totalSteps, schedule: scheduleOf(schedule, stepsPerEpoch, totalSteps) };
}

/**
 * Whether a run that has come so far is what it would be, had it begun with another length and schedule: each of its steps has the same rate in both, and neither ends before
 * or within an epoch that is already over. Then it may go on with the other.
 */
export function sameSoFar(
  was: RunLength,
  now: RunLength,
  { step, epoch, batch }: Pick<Progress, 'step' | 'epoch' | 'batch'>,
): boolean {
  if (was.stepsPerEpoch !== now.stepsPerEpoch || now.totalSteps < step) return false;
  if (batch === 0 && step !== epoch * was.stepsPerEpoch) return false;
  for (let made = 0; made < step; made++)
    if (learningRateAt(made, was.totalSteps, was.schedule) !== learningRateAt(made, now.totalSteps, now.schedule))
      return false;
  return true;
}
