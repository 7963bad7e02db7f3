/** `train`: trains a network from a recipe on a data set; Ctrl-C saves the state after the step in hand, `--resume` goes on from it. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { z } from 'zod';
import { openDataset } from '../../data/datasets/openDataset.js';
import { UsageError } from '../../errors.js';
import type { Parameters } from '../../graph/graph.js';
import { openCheckpointFile } from '../../interop/checkpointFiles.js';
import { loadParameters } from '../../interop/loadParameters.js';
import { createTrainingEngine, maximumThreads } from '../../runtime/engines.js';
import type { Recipe } from '../../training/recipe.js';
import { openRecipe, recipeNames } from '../../training/recipeFiles.js';
import { statePath } from '../../training/runState.js';
import { type ProgressReport, type RunResult, train } from '../../training/trainingRun.js';
import type { Io } from '../io.js';
import { given, oneOf, parseOptions, wholeNumber } from '../options.js';
import { startProgress } from '../progress.js';
import {
  addReadingOptions,
  applyReadingOptions,
  damagedField,
  readingOptions,
  reportDamaged,
} from '../readingOptions.js';
import { exitCodes, type Session } from '../session.js';
import { printNotes } from '../text.js';

const schema = z.strictObject({
  recipe: z.string({ error: `give ${recipeNames().join(', ')}, or a file` }),
  data: z.string({ error: 'give a folder or an archive of labelled images' }),
  output: z.string({ error: 'give the folder for weights, state and metrics' }),
  resume: z.boolean().default(false),
  set: z.array(z.string()).default([]),
  threads: wholeNumber(1, maximumThreads).optional(),
  engine: oneOf(['wasm', 'reference']).optional(),
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
    .option('--resume', 'go on from the state in the output folder')
    .option('--set <key=value...>', 'change the recipe, e.g. schedule.learningRate=0.002 timeSteps=4')
    .option('--threads <N>', `threads, 1 to ${maximumThreads} (default: as many as there are processors)`)
    .option('--engine <NAME>', 'wasm (default), or reference: plain loops, very slow, for comparison');
  addReadingOptions(command)
    .option('--json', 'print one JSON document')
    .action((typed: Record<string, unknown>) => run(session, parseOptions(schema, typed)));
}

async function run(session: Session, options: Options): Promise<void> {
  const { io } = session;
  applyReadingOptions(options);
  const recipe = await openRecipe(options.recipe, options.set);
  refuseOverwriting(options);
  const dataset = await openDataset(options.data, { split: 'train' });
  printNotes(io, dataset.notes);
  const startFrom = recipe.finetune === null ? undefined : await parametersOf(recipe.finetune, recipe);
  const abort = new AbortController();
  const ignore = io.onInterrupt(() => abort.abort());
  const watcher = watch(io);
  try {
    const result = await train({
      recipe,
      dataset,
      output: options.output,
      createEngine: () => createTrainingEngine(given({ threads: options.threads, engine: options.engine })),
      resume: options.resume,
      ...(startFrom ? { startFrom } : {}),
      provenance: { revision: revision(), node: process.version },
      onProgress: watcher.report,
      signal: abort.signal,
    });
    watcher.stop();
    if (!result.finished) session.exitCode = exitCodes.interrupted;
    print(io, options, result);
  } finally {
    watcher.stop();
    ignore();
  }
}

/** A run that is there is only touched when asked to. */
function refuseOverwriting({ output, resume }: Options): void {
  const state = statePath(output);
  if (resume && !existsSync(state))
    throw new UsageError(`--resume: there is no ${state}; leave --resume out to begin a run`);
  if (!resume && existsSync(state)) {
    throw new UsageError(`${output}: there is a run already; give --resume to go on with it, or another --output`);
  }
}

/** Weights to fine-tune: of the same network, time steps and neurons aside. */
async function parametersOf(path: string, recipe: Recipe): Promise<Parameters> {
  const checkpoint = await openCheckpointFile(path);
  try {
    const { heads, strides, timeSteps } = recipe.model;
    return (await loadParameters(checkpoint, { heads, strides, timeSteps })).parameters;
  } finally {
    await checkpoint.close();
  }
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

function watch(io: Io): { readonly report: (report: ProgressReport) => void; readonly stop: () => void } {
  let progress: ReturnType<typeof startProgress> | undefined;
  const stop = () => {
    progress?.stop();
    progress = undefined;
  };
  const report = (report: ProgressReport) => {
    if (report.kind === 'epoch') {
      stop();
      const held = report.heldOutAccuracy === undefined ? '' : `, held out ${percent(report.heldOutAccuracy)}`;
      io.stderr.write(
        `epoch ${report.epoch + 1}: loss ${report.loss.toFixed(4)}, training ${percent(report.accuracy)}${held}\n`,
      );
      return;
    }
    const { step, totalSteps, loss, accuracy, imagesPerSecond, epoch } = report;
    const rate = `${imagesPerSecond.toFixed(1)} images/s`;
    const note = `epoch ${epoch + 1}, loss ${loss.toFixed(4)}, training ${percent(accuracy)}, ${rate}`;
    // Lines come as often as metrics; a bar shows the last of them.
    progress ??= startProgress(io, 'train', totalSteps, 'steps', step);
    progress.update(step, note);
  };
  return { report, stop };
}

function print(io: Io, options: Options, result: RunResult): void {
  const { output, json } = options;
  reportDamaged(io, options);
  if (json) {
    io.stdout.write(
      `${JSON.stringify({ output, ...result, bestAccuracy: result.bestAccuracy ?? null, ...damagedField(options) }, null, 2)}\n`,
    );
    return;
  }
  const best =
    result.bestAccuracy === undefined ? '' : `; best weights: ${percent(result.bestAccuracy)} of the held-out images`;
  io.stdout.write(
    result.finished
      ? `${output}: ${result.steps} steps${best}\n`
      : `${output}: stopped after ${result.steps} steps; go on with --resume\n`,
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
