/**
 * A whole training run: epochs, evaluation on held-out images, checkpoints, metrics. Killed at any moment and resumed, it ends with the
 * weights of a run left alone: batches depend only on the seed and their place, and everything else is in the saved state.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dataset, holdOut } from '../data/datasets/dataset.js';
import { createLoader, type Loader, type TrainingBatch } from '../data/loader/loader.js';
import type { Engine } from '../engines/kernels.js';
import type { TrainingEngine } from '../engines/trainingKernels.js';
import type { Parameters } from '../graph/graph.js';
import type { ModelDescription } from '../interop/loadParameters.js';
import { writeNodeFile } from '../interop/nodeFile.js';
import { checkOptionNames } from '../optionNames.js';
import { createTrainingEngine } from '../runtime/engines.js';
import { TrainingError } from './errors.js';
import { evaluateAccuracy } from './evaluate.js';
import { MetricsLog } from './metricsLog.js';
import { MovingAverage } from './movingAverage.js';
import { type Phase, phasesOf, type Recipe } from './recipe.js';
import { freshProgress, type Progress, type RunParts, restoreState, saveModel, saveState } from './runState.js';
import { learningRateAt, type Schedule } from './schedules.js';
import { openTeacher, type Teacher } from './teacher.js';
import { TensorBoardLog } from './tensorBoard.js';
import { type StepResult, TrainedNetwork } from './trainingStep.js';

export interface RunSettings {
  readonly recipe: Recipe;
  /** The training images; a part is held out if the recipe says so. */
  readonly dataset: Dataset;
  /** Folder for state, models and metrics; made if it is not there. */
  readonly output: string;
  /** Called for training and for each evaluation; the wasm engine on all processors by default. */
  readonly createEngine?: () => Promise<Engine & TrainingEngine>;
  /** Continue from the state in the output folder; default false. */
  readonly resume?: boolean;
  /** Weights to start from instead of fresh ones; names that are not among them stay fresh. */
  readonly startFrom?: Parameters;
  /** Written into the run's files, such as the revision of the software. */
  readonly provenance?: Readonly<Record<string, string>>;
  readonly onProgress?: (report: ProgressReport) => void;
  /** Ends the run after the step in hand, with its state saved. */
  readonly signal?: AbortSignal;
}

export type ProgressReport =
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly totalSteps: number;
      readonly epoch: number;
      readonly loss: number;
      readonly accuracy: number;
      readonly imagesPerSecond: number;
    }
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      readonly loss: number;
      readonly accuracy: number;
      readonly heldOutAccuracy: number | undefined;
    };

export interface RunResult {
  readonly steps: number;
  readonly finished: boolean;
  /** Of the best weights, on the held-out images; undefined when nothing was held out. */
  readonly bestAccuracy: number | undefined;
}

/** @throws TrainingError when numbers stop being finite or the state does not belong to the recipe; errors of files by name. */
export async function train(settings: RunSettings): Promise<RunResult> {
  checkSettings(settings);
  const { recipe, createEngine = createTrainingEngine } = settings;
  const teacher = recipe.loss.distillation ? await openTeacher(recipe, createEngine) : undefined;
  const engine = await createEngine();
  try {
    await mkdir(settings.output, { recursive: true });
    const run = new TrainingRun({ ...settings, createEngine }, engine, teacher);
    return await run.toEnd().finally(() => run.close());
  } finally {
    await engine.dispose();
    await teacher?.dispose();
  }
}

function checkSettings(settings: RunSettings): void {
  checkOptionNames<RunSettings>('train', settings, {
    recipe: true,
    dataset: true,
    output: true,
    createEngine: true,
    resume: true,
    startFrom: true,
    provenance: true,
    onProgress: true,
    signal: true,
  });
}

type CompleteSettings = RunSettings & Required<Pick<RunSettings, 'createEngine'>>;

class TrainingRun {
  readonly #settings: CompleteSettings;
  readonly #recipe: Recipe;
  readonly #engine: TrainingEngine;
  readonly #teacher: Teacher | undefined;
  readonly #training: Dataset;
  readonly #phaseAt: (epoch: number) => Phase;
  #phase: Phase;
  #parts: RunParts;
  #loader: Loader;
  readonly #validation: Dataset | undefined;
  readonly #log: MetricsLog;
  readonly #board: TensorBoardLog;
  readonly #stepsPerEpoch: number;
  readonly #totalSteps: number;
  #progress: Progress = freshProgress;
  #imagesSinceReport = 0;
  #lastReport = performance.now();

  constructor(settings: CompleteSettings, engine: TrainingEngine, teacher: Teacher | undefined) {
    const { recipe, dataset } = settings;
    this.#settings = settings;
    this.#recipe = recipe;
    if (dataset.classes.length !== recipe.model.classes) {
      throw new TrainingError(
        `${dataset.name}: has ${dataset.classes.length} classes, the recipe's network ${recipe.model.classes}; set classes=${dataset.classes.length}`,
      );
    }
    const split =
      recipe.data.holdOut > 0
        ? holdOut(dataset, recipe.data.holdOut, recipe.seed)
        : { training: dataset, validation: undefined };
    this.#validation = split.validation;
    this.#engine = engine;
    this.#teacher = teacher;
    this.#training = split.training;
    this.#phaseAt = phasesOf(recipe);
    this.#phase = this.#phaseAt(0);
    this.#loader = this.#createLoader();
    this.#stepsPerEpoch = Math.floor(this.#loader.batchesPerEpoch / recipe.accumulate);
    if (this.#stepsPerEpoch === 0)
      throw new TrainingError(
        `recipe ${recipe.name}: ${recipe.accumulate} batches to accumulate, but an epoch has ${this.#loader.batchesPerEpoch}`,
      );
    this.#totalSteps = Math.max(1, Math.round(this.#stepsPerEpoch * recipe.epochs));
    const network = new TrainedNetwork(engine, recipe, this.#phase.preprocessing.crop);
    if (settings.startFrom) network.load(settings.startFrom);
    this.#parts = { network, averages: averagesOf(network, recipe) };
    this.#log = new MetricsLog(settings.output);
    this.#board = new TensorBoardLog(settings.output);
  }

  async toEnd(): Promise<RunResult> {
    await this.#begin();
    while (this.#progress.step < this.#totalSteps) {
      await this.#enterPhase();
      await this.#epoch();
      if (this.#settings.signal?.aborted) return this.#result(false);
    }
    return this.#result(true);
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
    const network = new TrainedNetwork(this.#engine, this.#recipe, phase.preprocessing.crop);
    network.continueFrom(this.#parts.network);
    this.#parts = { ...this.#parts, network };
  }

  #result(finished: boolean): RunResult {
    return { steps: this.#progress.step, finished, bestAccuracy: this.#progress.best?.accuracy };
  }

  async #begin(): Promise<void> {
    const { output, resume, provenance } = this.#settings;
    if (resume === true) this.#progress = await restoreState(output, this.#parts, this.#recipe);
    await this.#log.rewindTo(this.#progress.step);
    await this.#board.begin(this.#progress.step);
    const file = { ...this.#recipe, run: provenance ?? {} };
    await writeNodeFile(join(output, 'recipe.json'), [
      new TextEncoder().encode(`${JSON.stringify(file, undefined, 2)}\n`),
    ]);
  }

  /** The rest of the current epoch: to its end, to the end of the run, or until asked to stop. */
  async #epoch(): Promise<void> {
    const { accumulate, saveEvery } = this.#recipe;
    const batches = this.#loader.epoch(this.#progress.epoch, { batch: this.#progress.batch });
    let pending: TrainingBatch[] = [];
    for await (const batch of batches) {
      pending.push(batch);
      if (pending.length < accumulate) continue;
      await this.#step(pending);
      pending = [];
      if (this.#settings.signal?.aborted) return this.#save();
      if (this.#progress.batch >= this.#stepsPerEpoch * accumulate || this.#progress.step >= this.#totalSteps) break;
      if (this.#progress.step % saveEvery === 0) await this.#save();
    }
    await this.#endEpoch();
  }

  async #step(batches: readonly TrainingBatch[]): Promise<void> {
    const { network, averages } = this.#parts;
    const rate = learningRateAt(this.#progress.step, this.#totalSteps, this.#schedule());
    await network.clear();
    const results: StepResult[] = [];
    for (const batch of batches) {
      const teacher = await this.#taught(batch);
      results.push(await network.accumulate(teacher ? { ...batch, teacher } : batch, 1 / batches.length));
    }
    const gradientNorm = network.update(rate);
    averages?.weights.update(network.weights);
    averages?.statistics.update(network.statistics);
    const images = batches.length * this.#recipe.batchSize;
    const loss = results.reduce((sum, result) => sum + result.loss, 0) / results.length;
    const correct = results.reduce((sum, result) => sum + result.correct, 0);
    const progress = this.#progress;
    this.#progress = {
      ...progress,
      step: progress.step + 1,
      batch: progress.batch + batches.length,
      optimizerSteps: progress.optimizerSteps + 1,
      averageUpdates: progress.averageUpdates + (averages ? 1 : 0),
      epochLoss: progress.epochLoss + loss * images,
      epochCorrect: progress.epochCorrect + correct,
      epochImages: progress.epochImages + images,
    };
    this.#imagesSinceReport += images;
    await this.#report(loss, correct / images, rate, gradientNorm);
  }

  async #taught({ input, labels }: TrainingBatch): Promise<Float32Array | undefined> {
    const [height, width] = this.#phase.preprocessing.crop;
    return this.#teacher?.logits(input, [labels.length, this.#recipe.model.inputChannels, height, width]);
  }

  #schedule(): Schedule {
    const { kind, learningRate, minimum, warmUpEpochs } = this.#recipe.schedule;
    const warmUpSteps = Math.min(Math.round(warmUpEpochs * this.#stepsPerEpoch), this.#totalSteps);
    if (kind === 'oneCycle')
      return { kind, learningRate, minimum, riseShare: Math.max(warmUpSteps / this.#totalSteps, 1e-9) };
    return {
      kind,
      learningRate,
      warmUpSteps,
      warmUpStart: learningRate / 1000,
      ...(kind === 'cosine' ? { minimum } : {}),
    } as Schedule;
  }

  async #report(loss: number, accuracy: number, learningRate: number, gradientNorm: number): Promise<void> {
    const { step, epoch } = this.#progress;
    if (step % this.#recipe.logEvery !== 0 && step !== 1) return;
    const now = performance.now();
    const imagesPerSecond = (1000 * this.#imagesSinceReport) / (now - this.#lastReport);
    this.#lastReport = now;
    this.#imagesSinceReport = 0;
    const { network } = this.#parts;
    const numbers = { loss, accuracy, learningRate, gradientNorm, imagesPerSecond };
    const layers = { firingRates: await network.firingRates(), gradientNorms: network.gradientNorms() };
    await this.#log.append({ kind: 'step', step, epoch, ...numbers, time: new Date().toISOString(), ...layers });
    await this.#board.append(step, { train: numbers, ...layers });
    this.#settings.onProgress?.({
      kind: 'step',
      step,
      totalSteps: this.#totalSteps,
      epoch,
      loss,
      accuracy,
      imagesPerSecond,
    });
  }

  async #endEpoch(): Promise<void> {
    const { epoch, step, epochLoss, epochCorrect, epochImages } = this.#progress;
    const parameters = this.#shippedParameters();
    const heldOutAccuracy = await this.#evaluate(parameters);
    const loss = epochLoss / epochImages;
    const accuracy = epochCorrect / epochImages;
    const best = this.#progress.best;
    const improved = heldOutAccuracy !== undefined && (best === null || heldOutAccuracy > best.accuracy);
    this.#progress = {
      ...this.#progress,
      epoch: epoch + 1,
      batch: 0,
      epochLoss: 0,
      epochCorrect: 0,
      epochImages: 0,
      best: improved ? { epoch, accuracy: heldOutAccuracy } : best,
    };
    const shapes = new Map(
      [...this.#parts.network.plan.trainable.slots, ...this.#parts.network.plan.buffers.slots].map(({ spec }) => [
        spec.name,
        spec.shape,
      ]),
    );
    const description = this.#description(heldOutAccuracy, epoch);
    await saveModel(this.#settings.output, 'last', parameters, shapes, description);
    if (improved || this.#validation === undefined)
      await saveModel(this.#settings.output, 'best', parameters, shapes, description);
    await this.#log.append({
      kind: 'epoch',
      step,
      epoch,
      loss,
      accuracy,
      heldOutAccuracy,
      time: new Date().toISOString(),
    });
    await this.#board.append(step, {
      epoch: { loss, accuracy, ...(heldOutAccuracy === undefined ? {} : { heldOutAccuracy }) },
    });
    await this.#save();
    this.#settings.onProgress?.({ kind: 'epoch', epoch, loss, accuracy, heldOutAccuracy });
    this.#lastReport = performance.now();
    this.#imagesSinceReport = 0;
  }

  /** The averaged weights if the recipe averages, else the weights. */
  #shippedParameters(): Map<string, Float32Array> {
    const { network, averages } = this.#parts;
    return averages ? network.parameters(averages.weights.average, averages.statistics.average) : network.parameters();
  }

  async #evaluate(parameters: Parameters): Promise<number | undefined> {
    if (!this.#validation) return undefined;
    return evaluateAccuracy(
      this.#settings.createEngine,
      { configuration: this.#recipe.model, parameters, preprocessing: this.#phase.preprocessing },
      this.#validation,
    );
  }

  #description(heldOutAccuracy: number | undefined, epoch: number): ModelDescription {
    const { name, model } = this.#recipe;
    const accuracy =
      heldOutAccuracy === undefined
        ? ''
        : `, ${(100 * heldOutAccuracy).toFixed(2)} % of ${this.#validation!.size} held-out images right`;
    return {
      configuration: model,
      preprocessing: this.#phase.preprocessing,
      labels: [...this.#settings.dataset.classes],
      description: `recipe ${name}, ${epoch + 1} epochs${accuracy}`,
      trainedTimeSteps: model.timeSteps,
    };
  }

  #save(): Promise<void> {
    return saveState(this.#settings.output, this.#parts, this.#progress, this.#recipe);
  }
}

function averagesOf(network: TrainedNetwork, recipe: Recipe): RunParts['averages'] {
  if (recipe.movingAverage === null) return undefined;
  const settings = { decay: recipe.movingAverage, warmUp: true };
  return {
    weights: new MovingAverage(network.weights, settings),
    statistics: new MovingAverage(network.statistics, settings),
  };
}
