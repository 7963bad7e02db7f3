/**
 * Where a run begins: anew, or at the state in its folder. Everything that speaks against it is found here, before an engine is started:
 * another recipe, other data, a recipe that does not fit the data, a run that would be overwritten.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AnyDataset } from '../data/datasets/dataset.js';
import { UsageError } from '../errors.js';
import { changesBetween, fingerprintOf, pack } from './dataFingerprint.js';
import { TrainingError } from './errors.js';
import { dataProblems } from './fit.js';
import { checkRecipe, metricOf, type Recipe } from './recipe.js';
import { recipeDifferences } from './recipeDifferences.js';
import { misfit } from './recipeProblems.js';
import { settingsWithoutEffect } from './recipeSchema.js';
import { runLength, sameSoFar, splitOf } from './runLength.js';
import type { RunSettings } from './runSettings.js';
import {
  freshProgress,
  type Progress,
  progressOf,
  type RunRecord,
  readRecord,
  type StateOrigin,
  statePath,
} from './runState.js';

export interface RunOrigin {
  readonly progress: Progress;
  /** Whether the state in the folder is gone on from. */
  readonly resumed: boolean;
  /** Whether the state in the folder says something else of where it comes from, or nothing. */
  readonly isNews: boolean;
  /** What every state of the run says of where it comes from. */
  readonly state: StateOrigin;
}

/** @throws TrainingError or UsageError with everything that speaks against the run. */
export async function originOf(settings: RunSettings): Promise<RunOrigin> {
  const { recipe, dataset, output, resume = false } = settings;
  if (!resume) await refuseOverwriting(output, settings.overwrite ?? true);
  const record = resume ? await readRecord(output) : undefined;
  if (record) refuseOtherRecipe(record, recipe, dataset, output);
  const data = await fingerprintOf(dataset, record?.data);
  const changes = record?.data && changesBetween(record.data, data);
  if (changes !== undefined && settings.acceptChangedData !== true) {
    throw new TrainingError(
      `${dataset.name}: is not the data that the run in ${output} began with: ${changes}; restore it, or continue anyway with --data-changed`,
    );
  }
  const problems = dataProblems(recipe, dataset);
  if (problems.length > 0)
    throw misfit({ source: `recipe ${recipe.name}`, value: { ...recipe }, assignments: [] }, problems);
  const dataPath = settings.dataPath ?? record?.dataPath;
  const state = { recipe, dataPath, data: pack(data) };
  const isNews = record?.data === undefined || changes !== undefined || dataPath !== record.dataPath;
  const metric = metricOf(recipe);
  const progress = record ? progressOf(record, metric, output) : freshProgress(metric);
  return { progress, resumed: record !== undefined, isNews, state };
}

/** @throws UsageError when there is a run that has made steps, unless it may be overwritten. */
export async function refuseOverwriting(output: string, overwrite: boolean): Promise<void> {
  if (overwrite || !(await hasState(output))) return;
  if ((await readRecord(output)).progress.step === 0) return;
  throw new UsageError(`${output}: there is a run already; give --resume to continue it, or another --output`);
}

export async function hasState(output: string): Promise<boolean> {
  const found = await stat(statePath(output)).catch(() => undefined);
  return found?.isFile() === true;
}

/** Fields that decide only what is still to come, where the schedule lets them: see `sameSoFar`. */
const length = (path: string) => path === 'epochs' || path.startsWith('schedule.');

function refuseOtherRecipe(record: RunRecord, recipe: Recipe, dataset: AnyDataset, output: string): void {
  // Read again, fields that came after the state was written have their defaults.
  const was = checkRecipe(record.recipe).recipe;
  const differences = recipeDifferences(was ?? record.recipe, recipe);
  if (differences.length === 0) return;
  if (was && differences.every(({ path }) => length(path)) && goesOn(was, recipe, dataset, record)) return;
  const named = differences.slice(0, 12).map(({ text }) => text);
  const more = differences.length > 12 ? `; and ${differences.length - 12} more` : '';
  throw new TrainingError(
    `${statePath(output)}: belongs to a run with another recipe or other settings: ${named.join('; ')}${more}; resume with the ones in ${join(output, 'recipe.json')} (only ${settingsWithoutEffect.join(', ')} may change, and epochs and schedule where the rates of the steps so far stay the same)`,
  );
}

function goesOn(was: Recipe, now: Recipe, dataset: AnyDataset, { progress }: RunRecord): boolean {
  const samples = splitOf(now, dataset).training.size;
  return sameSoFar(runLength(was, samples), runLength(now, samples), progress);
}
