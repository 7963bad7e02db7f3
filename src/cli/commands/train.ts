/** `train`: trains a network from a recipe on a data set; Ctrl-C saves the state after the step in hand, `--resume` goes on from it. */
import { execFileSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { z } from 'zod';
import { openTaskDataset } from '../../api/taskData.js';
import { MetaSpikeformerError, UsageError } from '../../errors.js';
import { createTrainingEngine, engineNames, maximumThreads } from '../../runtime/engines.js';
import { defaultTask, taskNamed } from '../../tasks/registry.js';
import { type FigureWords, qualified } from '../../tasks/task.js';
import { dataProblems } from '../../training/fit.js';
import { checkRecipe, draftOf, metricOf, recipeReading } from '../../training/recipe.js';
import { draftRecipe, recipeNames } from '../../training/recipeFiles.js';
import { misfit, type RecipeDraft } from '../../training/recipeProblems.js';
import { checkFolder } from '../../training/runFolder.js';
import { refuseLocked } from '../../training/runLock.js';
import { hasState, refuseOverwriting } from '../../training/runOrigin.js';
import { readRecord, statePath } from '../../training/runState.js';
import { type ProgressReport, type RunResult, train } from '../../training/trainingRun.js';
import type { Io } from '../io.js';
import { at, giveWay, leastUrgent, momentOf } from '../longRuns.js';
import { given, oneOf, parseOptions, wholeNumber } from '../options.js';
import { startProgress } from '../progress.js';
import {
  addReadingOptions,
  applyReadingOptions,
  damagedField,
  readingOptions,
  reportDamaged,
  skipBadHelp,
} from '../readingOptions.js';
import { exitCodes, type Session } from '../session.js';
import { startingWeights } from '../startingWeights.js';
import { printNotes } from '../text.js';

const schema = z.strictObject({
  recipe: z.string().optional(),
  data: z.string().optional(),
  output: z.string({ error: 'give the folder for weights, state and metrics' }),
  resume: z.boolean().default(false),
  dataChanged: z.boolean().default(false),
  skipBad: z.boolean().default(false),
  set: z.array(z.string()).default([]),
  decay: wholeNumber(1, 10_000).optional(),
  until: z.string().optional(),
  nice: z.preprocess((typed) => (typed === true ? String(leastUrgent) : typed), wholeNumber(1, leastUrgent).optional()),
  threads: wholeNumber(1, maximumThreads).optional(),
  engine: oneOf(engineNames).optional(),
  ...readingOptions,
  json: z.boolean().default(false),
});

type Options = z.output<typeof schema>;

export function registerTrain(program: Command, session: Session): void {
  const command = program
    .command('train')
    .description('train a network by a recipe')
    .option('--recipe <NAME|FILE>', `one of ${recipeNames().join(', ')}, or a file`)
    .option('--data <DIR>', 'images: a folder, a .tar(.gz) of one, CIFAR binaries or idx files')
    .option('--output <DIR>', 'folder for weights, state and metrics')
    .option(
      '--resume',
      'continue from the state in the output folder, with its recipe and data unless others are given',
    )
    .option('--data-changed', 'with --resume: continue although the data has changed since the run began')
    .option('--skip-bad', skipBadHelp)
    .option('--set <key=value...>', 'change the recipe, e.g. schedule.learningRate=0.002 timeSteps=4')
    .option('--decay <EPOCHS>', 'with --resume: the rate falls from the next epoch on, and the run ends after so many')
    .option('--until <TIME>', 'stop at this time, such as 18:30 or 2026-12-01T08:00, to be resumed')
    .option('--nice [N]', `let other processes go first: niceness 1 to ${leastUrgent} (${leastUrgent} when not said)`)
    .option('--threads <N>', `threads, 1 to ${maximumThreads} (default: as many as there are processors)`)
    .option(
      '--engine <NAME>',
      'native (default where it was built), wasm, or reference: plain loops, very slow, for comparison',
    );
  addReadingOptions(command)
    .option('--json', 'print one JSON document')
    .action((typed: Record<string, unknown>) => run(session, parseOptions(schema, typed)));
}

async function run(session: Session, options: Options): Promise<void> {
  const { io } = session;
  const until = options.until === undefined ? undefined : momentOf(options.until);
  // Before there are threads: they are as nice as the one that makes them.
  if (options.nice !== undefined) giveWay(options.nice);
  applyReadingOptions(options);
  await checkFolder(options.output);
  await refuseLocked(options.output);
  const draft = await recipeFor(options);
  const { recipe, dataset, dataPath } = await recipeAndData(options, draft);
  printNotes(io, dataset.notes);
  // A state holds the weights that it goes on with.
  const starting =
    recipe.finetune === null || options.resume ? undefined : await startingWeights(recipe.finetune, recipe);
  printNotes(io, starting?.notes);
  const abort = new AbortController();
  let interrupted = false;
  const ignore = io.onInterrupt(() => {
    interrupted = true;
    abort.abort();
  });
  const callOff = until && at(until, () => abort.abort());
  const { words } = metricOf(recipe);
  const watcher = watch(io, words);
  try {
    const result = await train({
      recipe,
      dataset,
      dataPath,
      output: options.output,
      createEngine: () => createTrainingEngine(given({ threads: options.threads, engine: options.engine })),
      resume: options.resume,
      overwrite: false,
      acceptChangedData: options.dataChanged,
      ...(starting ? { startFrom: starting.parameters } : {}),
      provenance: { revision: revision(), node: process.version },
      onProgress: watcher.report,
      signal: abort.signal,
    });
    watcher.stop();
    if (!result.finished && interrupted) session.exitCode = exitCodes.interrupted;
    print(io, options, result, words);
  } finally {
    watcher.stop();
    ignore();
    callOff?.();
  }
}

/** The recipe that is given, or the folder's own when a run is resumed. A run that is there is only touched when asked to. */
async function recipeFor(options: Options): Promise<RecipeDraft> {
  const { recipe, output, resume, dataChanged } = options;
  if (options.decay !== undefined && !resume)
    throw new UsageError('--decay: only works with --resume; a new run has schedule.decayEpochs in its recipe');
  if (dataChanged && !resume)
    throw new UsageError('--data-changed: only works with --resume; leave it out to begin a run');
  if (resume && !(await hasState(output))) {
    throw new UsageError(`--resume: there is no ${statePath(output)}; leave --resume out to begin a run`);
  }
  const set = [...options.set, ...(options.decay === undefined ? [] : await decaySettings(options.decay, output))];
  if (recipe !== undefined) {
    const draft = await draftRecipe(recipe, set);
    if (!resume) await refuseOverwriting(output, false);
    return draft;
  }
  if (!resume) {
    const names = recipeNames().join(', ');
    throw new UsageError(`--recipe: give a name (${names}) or a file; with --resume it may be left out`);
  }
  const own = join(output, 'recipe.json');
  const isThere = (await stat(own).catch(() => undefined))?.isFile() === true;
  return isThere ? draftRecipe(own, set) : draftOf((await readRecord(output)).recipe, statePath(output), set);
}

/** What `--decay` changes in the recipe: the decay begins with the next epoch and ends the run. */
async function decaySettings(epochs: number, output: string): Promise<string[]> {
  const { recipe, progress } = await readRecord(output);
  const kind = checkRecipe(recipe).recipe?.schedule.kind;
  if (kind !== 'warmUpStableDecay' && kind !== 'constant')
    throw new UsageError(
      `--decay: the run in ${output} has the schedule ${kind ?? 'of another version'}, whose rate does not wait for it; schedules that do are warmUpStableDecay and constant`,
    );
  const begins = progress.epoch + (progress.batch > 0 ? 1 : 0);
  return ['schedule.kind=warmUpStableDecay', `schedule.decayEpochs=${epochs}`, `epochs=${begins + epochs}`];
}

/** @throws TrainingError naming all that is wrong with the recipe, by itself and for this data. */
async function recipeAndData(options: Options, draft: RecipeDraft) {
  const dataPath = resolve(options.data ?? (await rememberedData(options)));
  const { recipe, partial, problems } = checkRecipe(draft.value);
  const task = taskNamed(partial.task ?? defaultTask);
  const { skipBad } = options;
  const asked = { modality: partial.data?.modality, reading: recipeReading(partial), skipBad };
  const dataset = await openTaskDataset(task, options.data ?? dataPath, 'train', asked).catch((error: unknown) => {
    if (!(error instanceof MetaSpikeformerError)) throw error;
    if (problems.length > 0) throw misfit(draft, [...problems, { path: [], message: error.message }]);
    if (options.data !== undefined) throw error;
    throw new UsageError(`${error.message} (where the run's data was; give --data if it has moved)`, { cause: error });
  });
  // What other data means for a run that is resumed is said by the run, which knows what it began with.
  const all = [...problems, ...(options.resume ? [] : dataProblems(partial, dataset))];
  if (recipe === undefined || all.length > 0) throw misfit(draft, all);
  return { recipe, dataset, dataPath };
}

async function rememberedData({ resume, output }: Options): Promise<string> {
  if (!resume) throw new UsageError('--data: give a folder or an archive of labelled images');
  const { dataPath } = await readRecord(output);
  if (dataPath !== undefined) return dataPath;
  throw new UsageError(`--data: ${statePath(output)} does not say where the data is; give the folder or archive`);
}

/** The revision of a clone, `unknown` for an installed package. */
function revision(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd: here,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

function watch(
  io: Io,
  words: FigureWords,
): { readonly report: (report: ProgressReport) => void; readonly stop: () => void } {
  let progress: ReturnType<typeof startProgress> | undefined;
  const stop = () => {
    progress?.stop();
    progress = undefined;
  };
  const report = (report: ProgressReport) => {
    if (report.kind === 'epoch') {
      stop();
      const { short, training = short } = words;
      const held = report.heldOutFigure === undefined ? '' : `, held out ${short(report.heldOutFigure)}`;
      io.stderr.write(
        `epoch ${report.epoch + 1}: loss ${report.loss.toFixed(4)}, training ${training(report.figure)}${held}\n`,
      );
      return;
    }
    const { step, totalSteps, loss, figure, imagesPerSecond, epoch } = report;
    const rate = `${imagesPerSecond.toFixed(1)} images/s`;
    const note = `epoch ${epoch + 1}, loss ${loss.toFixed(4)}, training ${(words.training ?? words.short)(figure)}, ${rate}`;
    // Lines come as often as metrics; a bar shows the last of them.
    progress ??= startProgress(io, 'train', totalSteps, 'steps', step);
    progress.update(step, note);
  };
  return { report, stop };
}

function print(io: Io, options: Options, result: RunResult, words: FigureWords): void {
  const { output, json } = options;
  const { steps, finished, figureName, bestFigure = null } = result;
  reportDamaged(io, options);
  if (json) {
    io.stdout.write(
      `${JSON.stringify({ output, steps, finished, [qualified('best', figureName)]: bestFigure, ...damagedField(options) }, null, 2)}\n`,
    );
    return;
  }
  const best = bestFigure === null ? '' : `; best weights: ${words.on(bestFigure, 'the held-out images')}`;
  io.stdout.write(
    finished
      ? `${output}: ${steps} steps${best}\n`
      : `${output}: stopped after ${steps} steps; continue with --resume\n`,
  );
}
