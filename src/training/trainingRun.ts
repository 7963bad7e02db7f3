/**
 * A whole training run: epochs, evaluation on held-out images, checkpoints, metrics. Killed at any moment and resumed, it ends with the
 * weights of a run left alone: batches depend only on the seed and their place, and everything else is in the saved state.
 */
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AnyDataset } from '../data/datasets/dataset.js';
import type { TrainingEngine } from '../engines/trainingKernels.js';
import type { Parameters } from '../graph/graph.js';
import type { ModelDescription } from '../interop/modelDescription.js';
import { writeNodeFile } from '../interop/nodeFile.js';
import { sweepTemporaries } from '../interop/temporaryFiles.js';
import { createLoader, type Loader, type TrainingBatch } from '../loader/loader.js';
import { batchShape, sampleLength } from '../modalities/input.js';
import { createTrainingEngine } from '../runtime/engines.js';
import { type AnyMetric, taskNamed } from '../tasks/registry.js';
import { qualified, type Sums } from '../tasks/task.js';
import { evaluateFigure } from './evaluate.js';
import { evaluatedParameters } from './measuredStatistics.js';
import { MetricsLog } from './metricsLog.js';
import {
  metricOf,
  type Phase,
  parseRecipe,
  phasesOf,
  type Recipe,
  recipeInput,
  recipeNetwork,
  recipeReading,
} from './recipe.js';
import { prepareFolder, runFiles } from './runFolder.js';
import { type RunLength, runLength, splitOf } from './runLength.js';
import { lockRun, type RunLock } from './runLock.js';
import { originOf, type RunOrigin } from './runOrigin.js';
import { type CompleteSettings, checkSettings, type RunResult, type RunSettings } from './runSettings.js';
import {
  averagesOf,
  freshProgress,
  type Progress,
  type RunParts,
  restoreState,
  saveModel,
  saveState,
  statePath,
} from './runState.js';
import { learningRateAt } from './schedules.js';
import { openTeacher, type Teacher } from './teacher.js';
import { TensorBoardLog } from './tensorBoard.js';
import { type StepResult, TrainedNetwork } from './trainingStep.js';
import { whitenedStem } from './whitenedStem.js';

export type { ProgressReport, RunResult, RunSettings } from './runSettings.js';

/**
 * @throws TrainingError when numbers stop being finite, the state belongs to another recipe or other data, or another training has the
 * folder; errors of files by name.
 */
export async function train(settings: RunSettings): Promise<RunResult> {
  checkSettings(settings);
  const { output, createEngine = createTrainingEngine } = settings;
  const own = { ...settings, recipe: parseRecipe(settings.recipe, 'train: recipe'), createEngine };
  await prepareFolder(output);
  const lock = await lockRun(output);
  try {
    await sweepTemporaries(output, runFiles);
    return await trainLocked(own, lock, await originOf(own));
  } finally {
    await lock.release();
  }
}

async function trainLocked(settings: CompleteSettings, lock: RunLock, origin: RunOrigin): Promise<RunResult> {
  const { recipe, createEngine } = settings;
  const asked = taskNamed(recipe.task).teacher(recipe.loss);
  const teacher = asked ? await openTeacher(asked, recipe, createEngine) : undefined;
  try {
    const engine = await createEngine();
    try {
      const run = new TrainingRun(settings, { engine, teacher, lock, origin });
      return await run.toEnd().finally(() => run.close());
    } finally {
      await engine.dispose();
    }
  } finally {
    await teacher?.dispose();
  }
}

/** What a run is given beside its settings. */
interface RunMeans {
  readonly engine: TrainingEngine;
  readonly teacher: Teacher | undefined;
  readonly lock: RunLock;
  readonly origin: RunOrigin;
}

class TrainingRun {
  readonly #settings: CompleteSettings;
  readonly #recipe: Recipe;
  readonly #metric: AnyMetric;
  readonly #engine: TrainingEngine;
  readonly #teacher: Teacher | undefined;
  readonly #lock: RunLock;
  readonly #origin: RunOrigin;
  readonly #training: AnyDataset;
  readonly #phaseAt: (epoch: number) => Phase;
  #phase: Phase;
  #parts: RunParts;
  #loader: Loader;
  readonly #validation: AnyDataset | undefined;
  readonly #log: MetricsLog;
  readonly #board: TensorBoardLog;
  readonly #length: RunLength;
  #progress: Progress;
  #imagesSinceReport = 0;
  #lastReport = performance.now();

  constructor(settings: CompleteSettings, { engine, teacher, lock, origin }: RunMeans) {
    const { recipe, dataset } = settings;
    this.#settings = settings;
    this.#recipe = recipe;
    this.#metric = metricOf(recipe);
    this.#lock = lock;
    this.#origin = origin;
    this.#progress = origin.progress;
    const split = splitOf(recipe, dataset);
    this.#validation = split.validation;
    this.#engine = engine;
    this.#teacher = teacher;
    this.#training = split.training;
    this.#phaseAt = phasesOf(recipe);
    this.#phase = this.#phaseAt(0);
    this.#loader = this.#createLoader();
    this.#length = runLength(recipe, this.#training.size);
    const network = new TrainedNetwork(engine, recipe, this.#phase.preprocessing);
    if (settings.startFrom) network.load(settings.startFrom);
    this.#parts = { network, averages: averagesOf(network, recipe) };
    this.#log = new MetricsLog(settings.output, { title: `recipe ${recipe.name}`, better: this.#metric.better });
    this.#board = new TensorBoardLog(settings.output);
  }

  async toEnd(): Promise<RunResult> {
    await this.#begin();
    while (!this.#isOver()) {
      if (this.#isStopped()) return this.#stop();
      await this.#enterPhase();
      if (!(await this.#epoch())) return this.#stop();
    }
    return this.#result(true);
  }

  /** Steps alone do not end a run: the last epoch's evaluation and weights belong to it. */
  #isOver(): boolean {
    return this.#progress.step >= this.#length.totalSteps && this.#progress.batch === 0;
  }

  #isStopped(): boolean {
    return this.#settings.signal?.aborted === true;
  }

  async #stop(): Promise<RunResult> {
    await this.#save();
    return this.#result(false);
  }

  close(): Promise<void> {
    return this.#loader.close();
  }

  #createLoader(): Loader {
    const { batchSize, seed, data } = this.#recipe;
    const { preprocessing, augmentation } = this.#phase;
    const { workers, repeated } = data;
    const options = { batchSize, seed, augmentation, preprocessing, workers, repeated, dropLast: true };
    return createLoader(this.#training, options);
  }

  /** Where the epoch about to be trained has images of another size: a network and a loader for it. */
  async #enterPhase(): Promise<void> {
    const phase = this.#phaseAt(this.#progress.epoch);
    if (phase === this.#phase) return;
    this.#phase = phase;
    await this.#loader.close();
    this.#loader = this.#createLoader();
    const network = new TrainedNetwork(this.#engine, this.#recipe, phase.preprocessing);
    network.continueFrom(this.#parts.network);
    this.#parts = { ...this.#parts, network };
  }

  #result(finished: boolean): RunResult {
    const { step: steps, best } = this.#progress;
    const [figureName, bestFigure] = [this.#metric.name, best?.figure];
    return { steps, finished, bestFigure, figureName, [qualified('best', figureName)]: bestFigure };
  }

  async #begin(): Promise<void> {
    const { output, provenance } = this.#settings;
    const { resumed, isNews, progress } = this.#origin;
    if (resumed) await restoreState(output, this.#parts, progress);
    // From here on a run that was here before is no more.
    else await unlink(statePath(output)).catch(() => undefined);
    if (!resumed && this.#recipe.whitenedStem) {
      const { network } = this.#parts;
      network.load(await whitenedStem(this.#recipe, this.#training, this.#phase.preprocessing));
      this.#parts = { network, averages: averagesOf(network, this.#recipe) };
    }
    this.#parts.network.requireFinite();
    await this.#log.rewindTo(progress.step, progress.epoch);
    await this.#board.begin(progress.step);
    const file = { ...this.#recipe, run: provenance ?? {} };
    await writeNodeFile(join(output, 'recipe.json'), [
      new TextEncoder().encode(`${JSON.stringify(file, undefined, 2)}\n`),
    ]);
    // A run can be resumed from its first moment, and a disk that is full is found before the work.
    if (isNews) await this.#save();
  }

  /**
   * The rest of the current epoch, its evaluation included.
   *
   * @returns false when asked to stop before its end.
   */
  async #epoch(): Promise<boolean> {
    if (!this.#isEpochTrained() && !(await this.#trainEpoch())) return false;
    return this.#endEpoch();
  }

  #isEpochTrained(): boolean {
    const { batch, step } = this.#progress;
    return batch >= this.#length.stepsPerEpoch * this.#recipe.accumulate || step >= this.#length.totalSteps;
  }

  async #trainEpoch(): Promise<boolean> {
    const { accumulate, saveEvery } = this.#recipe;
    const batches = this.#loader.epoch(this.#progress.epoch, { batch: this.#progress.batch });
    let pending: TrainingBatch[] = [];
    for await (const batch of batches) {
      pending.push(batch);
      if (pending.length < accumulate) continue;
      await this.#step(pending);
      pending = [];
      if (this.#isEpochTrained()) break;
      // On one thread nothing else waits: without it neither Ctrl-C nor a timer would be heard before the next line of the log.
      await nextTurn();
      if (this.#isStopped()) return false;
      if (this.#progress.step % saveEvery === 0) await this.#save();
    }
    return true;
  }

  async #step(batches: readonly TrainingBatch[]): Promise<void> {
    const { network, averages } = this.#parts;
    const rate = learningRateAt(this.#progress.step, this.#length.totalSteps, this.#length.schedule);
    await network.clear();
    const results: StepResult[] = [];
    for (const batch of batches) {
      const teacher = await this.#taught(batch);
      results.push(await network.accumulate(teacher ? { ...batch, teacher } : batch, 1 / batches.length));
    }
    const gradientNorm = await network.update(rate);
    averages?.weights.update(network.weights);
    averages?.statistics.update(network.statistics);
    const images = batches.length * this.#recipe.batchSize;
    const loss = results.reduce((sum, result) => sum + result.loss, 0) / results.length;
    const sums = results.map((result) => result.sums).reduce(added);
    const progress = this.#progress;
    this.#progress = {
      ...progress,
      step: progress.step + 1,
      batch: progress.batch + batches.length,
      optimizerSteps: progress.optimizerSteps + 1,
      averageUpdates: progress.averageUpdates + (averages ? 1 : 0),
      epochLoss: progress.epochLoss + loss * images,
      epochSums: added(progress.epochSums, sums),
      epochImages: progress.epochImages + images,
    };
    this.#imagesSinceReport += images;
    await this.#report(loss, this.#metric.progress.figure(sums, images), rate, gradientNorm);
  }

  async #taught({ input }: TrainingBatch): Promise<Float32Array | undefined> {
    const shape = recipeInput(this.#recipe).shapeOf(this.#phase.preprocessing);
    return this.#teacher?.logits(input, batchShape(shape, input.length / sampleLength(shape)));
  }

  async #report(loss: number, figure: number, learningRate: number, gradientNorm: number): Promise<void> {
    const { step, epoch } = this.#progress;
    if (step % this.#recipe.logEvery !== 0 && step !== 1) return;
    const now = performance.now();
    const imagesPerSecond = (1000 * this.#imagesSinceReport) / (now - this.#lastReport);
    this.#lastReport = now;
    this.#imagesSinceReport = 0;
    const { network } = this.#parts;
    const name = this.#metric.progress.name ?? this.#metric.name;
    const numbers = { loss, [name]: figure, learningRate, gradientNorm, imagesPerSecond };
    const layers = { firingRates: await network.firingRates(), gradientNorms: network.gradientNorms() };
    await this.#log.append({ kind: 'step', step, epoch, ...numbers, time: new Date().toISOString(), ...layers });
    await this.#board.append(step, { train: numbers, ...layers });
    this.#settings.onProgress?.({
      kind: 'step',
      step,
      totalSteps: this.#length.totalSteps,
      epoch,
      loss,
      figure,
      figureName: name,
      [name]: figure,
      imagesPerSecond,
    });
  }

  /** @returns false when asked to stop during the evaluation: all of it is then still to be done. */
  async #endEpoch(): Promise<boolean> {
    const { epoch, step, epochLoss, epochSums, epochImages } = this.#progress;
    const { name, better, progress } = this.#metric;
    const trainingName = progress.name ?? name;
    const { preprocessing } = this.#phase;
    const parameters = await evaluatedParameters(this.#parts, this.#recipe, this.#training, preprocessing);
    const heldOut = await this.#evaluate(parameters);
    if (this.#validation && heldOut === undefined) return false;
    await this.#lock.confirm();
    const loss = epochLoss / epochImages;
    const figure = progress.figure(epochSums, epochImages);
    const best = this.#progress.best;
    const improved = heldOut !== undefined && (best === null || better(heldOut, best.figure));
    this.#progress = {
      ...this.#progress,
      epoch: epoch + 1,
      batch: 0,
      epochLoss: 0,
      epochSums: freshProgress(this.#metric).epochSums,
      epochImages: 0,
      best: improved ? { epoch, figure: heldOut } : best,
    };
    const shapes = new Map(
      [...this.#parts.network.plan.trainable.slots, ...this.#parts.network.plan.buffers.slots].map(({ spec }) => [
        spec.name,
        spec.shape,
      ]),
    );
    const description = this.#description(heldOut, epoch);
    await saveModel(this.#settings.output, 'last', parameters, shapes, description);
    if (improved || this.#validation === undefined)
      await saveModel(this.#settings.output, 'best', parameters, shapes, description);
    const figures = {
      [trainingName]: figure,
      ...(heldOut === undefined ? {} : { [qualified('heldOut', name)]: heldOut }),
    };
    await this.#log.append({ kind: 'epoch', step, epoch, loss, ...figures, time: new Date().toISOString() });
    await this.#board.append(step, { epoch: { loss, ...figures } });
    await this.#save();
    const report = { kind: 'epoch', epoch, loss, figure, figureName: trainingName, heldOutFigure: heldOut } as const;
    this.#settings.onProgress?.({ ...report, ...figures });
    this.#lastReport = performance.now();
    this.#imagesSinceReport = 0;
    return true;
  }

  async #evaluate(parameters: Parameters): Promise<number | undefined> {
    if (!this.#validation) return undefined;
    return evaluateFigure(
      this.#settings.createEngine,
      { ...recipeNetwork(this.#recipe), parameters, preprocessing: this.#phase.preprocessing },
      this.#validation,
      this.#metric,
      () => this.#isStopped(),
    );
  }

  #description(heldOut: number | undefined, epoch: number): ModelDescription {
    const { name, model, task } = this.#recipe;
    const { words } = this.#metric;
    const reading = recipeReading(this.#recipe);
    const { targets } = taskNamed(task);
    const judged =
      heldOut === undefined
        ? ''
        : `, ${words.described(heldOut, `${this.#validation!.size} held-out ${this.#validation!.noun}s`)}`;
    return {
      ...recipeNetwork(this.#recipe),
      modality: recipeInput(this.#recipe).name,
      preprocessing: this.#phase.preprocessing,
      ...(Object.keys(reading).length > 0 ? { reading } : {}),
      ...(targets.numbersAreFree ? {} : { labels: [...targets.names(this.#settings.dataset.targets)] }),
      description: `recipe ${name}, ${epoch + 1} epochs${judged}`,
      trainedTimeSteps: model.timeSteps,
    };
  }

  async #save(): Promise<void> {
    await this.#lock.confirm();
    await saveState(this.#settings.output, this.#parts, this.#progress, this.#metric, this.#origin.state);
  }
}

function added(a: Sums, b: Sums): Sums {
  return Object.fromEntries(Object.entries(a).map(([name, value]) => [name, value + b[name]!]));
}
