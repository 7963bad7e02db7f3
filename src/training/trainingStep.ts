/**
 * One network being trained: parameters, gradients and running statistics in an engine's memory, and the step that changes them. Knows
 * nothing of files, epochs or data sets.
 */
import type { TrainingEngine } from '../engines/trainingKernels.js';
import type { Parameters } from '../graph/graph.js';
import { elementCount } from '../graph/shape.js';
import { engineShape, type SampleShape } from '../modalities/input.js';
import { countSpikes, toChannelsLast } from '../runtime/layout.js';
import { type AnyObjective, askedGraph, taskNamed } from '../tasks/registry.js';
import type { Sums } from '../tasks/task.js';
import { TrainingError } from './errors.js';
import { requireFinite } from './finiteness.js';
import { ratesOf } from './learningRates.js';
import {
  clippingScale,
  firstNonFiniteGradient,
  type OptimizedParameter,
  type Optimizer,
  optimizedParameters,
} from './optimizers/index.js';
import { roundMoments } from './optimizers/roundedMoments.js';
import { mixesSamples, type Phase, type Recipe, recipeInput, recipeNetwork } from './recipe.js';
import { RecordedLoss } from './recordedLoss.js';
import { laterShapes, RecordedRegions } from './recordedRegions.js';
import { RecordedUpdate } from './recordedUpdate.js';
import { RoundedWeights } from './roundedWeights.js';
import { startingParameters } from './startingParameters.js';
import { type ParameterSlot, recordTraining, type TrainingPlan, trainingSegments } from './trainingPlan.js';

/** A batch as the loader gives it: beside these it has the targets that the recipe's task compares answers with. */
export interface StepBatch {
  /** Channels first: `[B, C, H, W]`, or frames `[T, B, C, H, W]`. */
  readonly input: Float32Array;
  /** The teacher's answers, when the objective asks for one. */
  readonly teacher?: Float32Array;
}

export interface StepResult {
  /** Mean over the batch. */
  readonly loss: number;
  /** What the task's metric is told of its progress; with mixed images only an indication. */
  readonly sums: Sums;
}

export class TrainedNetwork {
  readonly plan: TrainingPlan;
  readonly optimizer: Optimizer;
  readonly #recipe: Recipe;
  readonly #sample: SampleShape;
  readonly #layout: readonly OptimizedParameter[];
  readonly #objective: AnyObjective;
  readonly #update: RecordedUpdate;
  /** Undefined where the loss is computed here. */
  readonly #loss: RecordedLoss | undefined;
  /** Of a network that is several graphs one after the other. */
  readonly #regions: RecordedRegions | undefined;
  /** Of a recipe whose steps see rounded weights. */
  readonly #rounded: RoundedWeights | undefined;

  /** @param preprocessing Which says the shape of the input; the recipe's own by default. */
  constructor(
    engine: TrainingEngine,
    recipe: Recipe,
    preprocessing: Phase['preprocessing'] = recipe.data.preprocessing,
  ) {
    this.#recipe = recipe;
    this.#sample = recipeInput(recipe).shapeOf(preprocessing);
    const { surrogate } = recipe;
    const rateOf = ratesOf(recipe);
    this.#objective = taskNamed(recipe.task).objective(recipe.loss, recipe.model);
    let update: RecordedUpdate | undefined;
    let loss: RecordedLoss | undefined;
    let regions: RecordedRegions | undefined;
    const graph = this.#objective.prepare(askedGraph(recipeNetwork(recipe)));
    const later = this.#objective.later?.(graph);
    this.plan = recordTraining(
      engine,
      graph,
      engineShape({ ...this.#sample, channels: recipe.model.inputChannels }, recipe.batchSize),
      { surrogate: { kind: surrogate.kind, alpha: surrogate.alpha }, detachReset: surrogate.detachReset },
      {
        spikeOffsets: recipe.loss.firingRate !== null,
        observed: this.#objective.observed,
        ...(later ? { later: laterShapes(graph, later, recipe.model.timeSteps) } : {}),
        record: (kernels, { outputs, trainable, later: plans }) => {
          update = new RecordedUpdate(kernels, trainable, recipe.optimizer, rateOf);
          loss = RecordedLoss.where(kernels, outputs, this.#objective, mixesSamples(recipe));
          if (later) regions = new RecordedRegions(kernels, { outputs, later: plans }, later);
        },
      },
    );
    const { slots } = this.plan.trainable;
    this.#layout = optimizedParameters(slots, rateOf);
    if (recipe.roundedWeights) this.#rounded = new RoundedWeights(graph, this.#sample.places, slots);
    this.#loss = loss;
    this.#regions = regions;
    this.#update = update!;
    this.optimizer = this.#update.begin(this.plan.program);
    this.load(startingParameters(recipe));
  }

  /** Whether the optimizer's moments are bfloat16 numbers. */
  get hasRoundedMoments(): boolean {
    const { optimizer } = this.#recipe;
    return optimizer.name !== 'sgd' && optimizer.moments === 'bfloat16';
  }

  /** What the objective keeps between steps; live. */
  get memory(): ReadonlyMap<string, Float32Array> {
    return this.#objective.memory ?? new Map();
  }

  /** The live vector of trained parameters; valid until the engine allocates. */
  get weights(): Float32Array {
    return this.plan.program.view(this.plan.trainable.values);
  }

  /** The live vector of running statistics. */
  get statistics(): Float32Array {
    return this.plan.program.view(this.plan.buffers.values);
  }

  /** Writes parameters and running statistics; names that are not among them keep what they have. */
  load(parameters: Parameters): void {
    const { trainable, buffers } = this.plan;
    fill(trainable.slots, this.weights, parameters);
    fill(buffers.slots, this.statistics, parameters);
  }

  /** Goes on where a network of the same recipe and another image size is: parameters, statistics, optimizer. That one is disposed of. */
  continueFrom(other: TrainedNetwork): void {
    this.load(other.parameters());
    this.optimizer.restore(other.optimizer.state(), other.optimizer.counters());
    for (const [name, kept] of this.memory) kept.set(other.memory.get(name)!);
    other.plan.program.dispose();
  }

  /** Copies of all parameters and running statistics by name; of other vectors of the same layout, if given. */
  parameters(weights = this.weights, statistics = this.statistics): Map<string, Float32Array> {
    const { trainable, buffers } = this.plan;
    return new Map([...collect(trainable.slots, weights), ...collect(buffers.slots, statistics)]);
  }

  /** The weights as a step sees them: a copy, rounded where the recipe says so, else the vector itself. */
  asSeen(weights: Float32Array): Float32Array {
    return this.#rounded?.rounded(weights) ?? weights;
  }

  /** The forward pass alone, which also moves the running statistics. @param images As in a batch. */
  async forward(images: Float32Array): Promise<void> {
    const { program, input } = this.plan;
    const { inputChannels } = this.#recipe.model;
    const positions = this.#sample.places.reduce((product, size) => product * size, 1);
    const frames = images.length / (inputChannels * positions);
    await program.write(input, toChannelsLast(images, frames, inputChannels, positions));
    await program.run(trainingSegments.forward);
  }

  /**
   * Forward, loss, backward for one batch; gradients are added to those since `clear`. With `roundedWeights` they are those at the rounded weights, for
   * the weights themselves: the rounding passes them straight through (Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013).
   */
  async accumulate<Batch extends StepBatch>(batch: Batch, share: number): Promise<StepResult> {
    if (!this.#rounded) return this.#learn(batch, share);
    this.#rounded.round(this.weights);
    try {
      return await this.#learn(batch, share);
    } finally {
      this.#rounded.restore(this.weights);
    }
  }

  async #learn<Batch extends StepBatch>(batch: Batch, share: number): Promise<StepResult> {
    const { program } = this.plan;
    // What is read after the first wait is copied: a loader may fill its buffers again.
    const { input, ...targets } = batch;
    const compared = Object.fromEntries(Object.entries(targets).map(([name, values]) => [name, ownCopy(values)]));
    await this.forward(input);
    const { loss: answers, sums } =
      (await this.#loss?.judge(program, compared, share)) ?? (await this.#judge(compared, share));
    const loss = answers + (await this.#drawFiringRates(share));
    if (!Number.isFinite(loss)) throw await this.#notFinite(loss);
    await program.run(trainingSegments.backward);
    return { loss: loss / share, sums };
  }

  /** Reads the outputs and writes their gradients; graphs that are asked afterwards learn in between. */
  async #judge(batch: object, share: number): Promise<StepResult> {
    const { program, outputs, observed } = this.plan;
    const scores = new Map<string, Float32Array>();
    const shapes = new Map<string, readonly number[]>();
    for (const [name, value] of [...[...outputs].map(([name, { value }]) => [name, value] as const), ...observed]) {
      if (this.#regions?.isMap(name)) continue;
      scores.set(name, await program.read(value));
      shapes.set(name, value.shape);
    }
    const { loss, sums, gradients } = this.#objective.judge(scores, batch, share, shapes);
    for (const [name, gradient] of gradients) await program.write(outputs.get(name)!.gradient, gradient);
    // Regions of numbers that are none cannot be told apart.
    if (!this.#regions || !Number.isFinite(loss)) return { loss, sums };
    const [height = 1, width = 1] = this.#sample.places;
    const later = await this.#regions.learn(program, { outputs: scores, shapes, batch, share, size: [height, width] });
    const added = Object.entries(sums).map(([name, sum]) => [name, sum + (later.sums[name] ?? 0)] as const);
    return { loss: loss + later.loss, sums: Object.fromEntries(added) };
  }

  /**
   * L = w · mean over layers of (r − target)²: writes dL/ds = 2w(r − target)/(layers · neurons) for every layer's spikes.
   *
   * @returns L times the share.
   */
  async #drawFiringRates(share: number): Promise<number> {
    const settings = this.#recipe.loss.firingRate;
    if (settings === null) return 0;
    const { program, spikes, spikeOffsets } = this.plan;
    const layers = spikeOffsets.size;
    let loss = 0;
    for (const [name, offset] of spikeOffsets) {
      const tensor = spikes.get(name)!;
      const neurons = elementCount(tensor.shape);
      const distance = countSpikes(await program.readSpikes(tensor)) / neurons - settings.target;
      const weight = (share * settings.weight) / layers;
      loss += weight * distance * distance;
      await program.write(offset, Float32Array.of((2 * weight * distance) / neurons));
    }
    return loss;
  }

  clear(): Promise<void> {
    return this.plan.program.run(trainingSegments.clear);
  }

  /**
   * Changes the weights by the gradients that were accumulated.
   *
   * @returns the gradient's global norm before clipping.
   * @throws TrainingError when a gradient, or afterwards a weight or a running statistic, is not finite, naming it.
   */
  async update(learningRate: number): Promise<number> {
    const { clipNorm } = this.#recipe;
    const norm = await this.#update.norm();
    // The norm is finite exactly if every gradient is; only else somebody has to look which is not.
    if (!Number.isFinite(norm)) {
      const bad = firstNonFiniteGradient(this.plan.program.view(this.plan.trainable.gradients), this.#layout);
      throw new TrainingError(`the gradient of ${bad} is not finite; lower the learning rate or set clipNorm`);
    }
    await this.#update.step(learningRate, clipNorm === null ? 1 : clippingScale(norm, clipNorm));
    if (this.hasRoundedMoments) roundMoments(this.optimizer.state(), this.optimizer.counters().steps);
    // A neuron whose current is NaN is silent, so the loss need not show it.
    this.requireFinite();
    return norm;
  }

  /** @throws TrainingError naming the first weight or running statistic that is not finite. */
  requireFinite(): void {
    requireFinite(this.weights, this.plan.trainable.slots);
    requireFinite(this.statistics, this.plan.buffers.slots);
  }

  /** Share of neurons that fired in the last forward pass, by layer. */
  async firingRates(): Promise<Record<string, number>> {
    const rates: Record<string, number> = {};
    for (const [name, tensor] of this.plan.spikes) {
      rates[name] = countSpikes(await this.plan.program.readSpikes(tensor)) / elementCount(tensor.shape);
    }
    return rates;
  }

  /** Euclidean norm of each parameter's gradient. */
  gradientNorms(): Record<string, number> {
    const gradients = this.plan.program.view(this.plan.trainable.gradients);
    return Object.fromEntries(
      this.plan.trainable.slots.map(({ spec, offset, length }) => {
        let sum = 0;
        for (let i = offset; i < offset + length; i++) sum += gradients[i]! * gradients[i]!;
        return [spec.name, Math.sqrt(sum)];
      }),
    );
  }

  /** The first layer, in the order of the network, whose batch statistics are not finite. */
  async #notFinite(loss: number): Promise<TrainingError> {
    for (const [layer, tensors] of this.plan.batchStatistics) {
      for (const tensor of tensors) {
        if ((await this.plan.program.read(tensor)).some((value) => !Number.isFinite(value))) {
          return new TrainingError(
            `the loss is ${loss}: the first layer with numbers that are not finite is ${layer}; lower the learning rate or set clipNorm`,
          );
        }
      }
    }
    return new TrainingError(
      `the loss is ${loss}, behind the last batch norm; lower the learning rate or set clipNorm`,
    );
  }
}

/** Targets are typed arrays, or nothing. */
function ownCopy(values: unknown): unknown {
  return ArrayBuffer.isView(values) ? (values as Float32Array).slice() : values;
}

function fill(slots: readonly ParameterSlot[], vector: Float32Array, parameters: Parameters): void {
  for (const { spec, offset, length } of slots) {
    const values = parameters.get(spec.name);
    if (values === undefined) continue;
    if (values.length !== length)
      throw new TrainingError(`startFrom: ${spec.name} has ${values.length} values; give ${length}, or leave it out`);
    vector.set(values, offset);
  }
}

function collect(slots: readonly ParameterSlot[], vector: Float32Array): [string, Float32Array][] {
  return slots.map(({ spec, offset, length }) => [spec.name, vector.slice(offset, offset + length)]);
}
