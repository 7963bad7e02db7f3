/**
 * The end of a training step as segments of its program: the norm of the gradients, and the optimizer's step where there is a kernel for it (AdamW); other optimizers walk over
 * the parameters here. Both ways give the same bits, for every number of threads: sums keep the order of `optimizers/gradients.ts`, a parameter at a time.
 */
import { type AdamWCall, adamW, adamWNumbers } from '../engines/calls/adamW.js';
import { sumOfSquares } from '../engines/calls/sumOfSquares.js';
import { type Storage, type Tensor, tensorAlignment } from '../engines/kernels.js';
import type { TrainingKernels, TrainingProgram } from '../engines/trainingKernels.js';
import { elementCount, type Shape } from '../graph/shape.js';
import {
  type AdamW,
  adamWDefaults,
  createAdamW,
  createOptimizer,
  type OptimizedParameter,
  type Optimizer,
  type OptimizerSettings,
  optimizedParameters,
  scaleGradients,
} from './optimizers/index.js';
import { alignedBytes } from './trainingMemory.js';
import type { TrainingPlan } from './trainingPlanTypes.js';

/** Elements of a cache line: parameters begin with one, so each line is of one parameter. */
const lineElements = tensorAlignment / 4;

/** A tensor in a block of its own. */
export function allocated(kernels: Pick<TrainingKernels, 'allocate'>, shape: Shape): Tensor {
  const storage: Storage = 'real';
  return { shape, storage, block: kernels.allocate(alignedBytes(4 * elementCount(shape))), byteOffset: 0 };
}

/** The float64 numbers that lie in a tensor, each in the place of two elements. */
export function doublesOf(program: TrainingProgram, tensor: Tensor): Float64Array {
  const { buffer, byteOffset, length } = program.view(tensor);
  return new Float64Array(buffer, byteOffset, length / 2);
}

export class RecordedUpdate {
  readonly #trainable: TrainingPlan['trainable'];
  readonly #settings: OptimizerSettings;
  readonly #layout: readonly OptimizedParameter[];
  readonly #ranges: Tensor;
  readonly #sums: Tensor;
  readonly #step: Omit<AdamWCall, 'name' | 'lines'> | undefined;
  #program: TrainingProgram | undefined;
  #optimizer: Optimizer | undefined;
  /** The same one, where the engine takes its steps. */
  #recorded: AdamW | undefined;

  /** Appends the segments; `begin` has to follow when the program is there. */
  constructor(kernels: TrainingKernels, trainable: TrainingPlan['trainable'], settings: OptimizerSettings) {
    this.#trainable = trainable;
    this.#settings = settings;
    this.#layout = optimizedParameters(trainable.slots);
    const parts = this.#layout.length;
    const elements = elementCount(trainable.gradients.shape);
    this.#ranges = allocated(kernels, [parts, 2]);
    this.#sums = allocated(kernels, [parts, 2]);
    kernels.segment('norm');
    const summed = { values: trainable.gradients, ranges: this.#ranges, sums: this.#sums };
    kernels.record(sumOfSquares, { name: 'gradients', elements, parts, ...summed });
    if (!hasKernel(settings)) return;
    const lines = elements / lineElements;
    this.#step = {
      parameters: trainable.values,
      gradients: trainable.gradients,
      firstMoment: allocated(kernels, [elements]),
      secondMoment: allocated(kernels, [elements]),
      decays: allocated(kernels, [lines]),
      numbers: allocated(kernels, [adamWNumbers.length, 2]),
    };
    kernels.segment('update');
    kernels.record(adamW, { name: 'optimizer', lines, ...this.#step });
  }

  /** Gives the program's memory its first contents. @returns the optimizer, whose memory may be the engine's. */
  begin(program: TrainingProgram): Optimizer {
    this.#program = program;
    const { buffer, byteOffset, length } = program.view(this.#ranges);
    const ranges = new Uint32Array(buffer, byteOffset, length);
    ranges.set(this.#layout.flatMap((parameter) => [parameter.offset / lineElements, parameter.length]));
    const step = this.#step;
    if (!step || this.#settings.name !== 'adamw') {
      this.#optimizer = createOptimizer(this.#layout, this.#settings);
      return this.#optimizer;
    }
    const { firstMoment, secondMoment } = step;
    // Between the parameters, too: the step goes over all lines, and zeros stay zeros.
    for (const tensor of [step.parameters, step.gradients, firstMoment, secondMoment]) program.view(tensor).fill(0);
    const decays = program.view(step.decays).fill(0);
    for (const { offset, length: elements, decay } of this.#layout)
      decays.fill(decay ? 1 : 0, offset / lineElements, Math.ceil((offset + elements) / lineElements));
    const moments: Readonly<Record<string, Tensor>> = { firstMoment, secondMoment };
    this.#recorded = createAdamW(this.#layout, this.#settings, (quantity) => program.view(moments[quantity]!));
    this.#optimizer = this.#recorded;
    return this.#recorded;
  }

  /** ‖g‖₂ over all parameters, as `globalNorm`. */
  async norm(): Promise<number> {
    const program = this.#program!;
    await program.run('norm');
    return Math.sqrt(doublesOf(program, this.#sums).reduce((sum, part) => sum + part, 0));
  }

  /** Multiplies the gradients by a scale below 1, and changes the parameters by them. */
  async step(learningRate: number, scale: number): Promise<void> {
    const program = this.#program!;
    const [parameters, gradients] = [this.#trainable.values, this.#trainable.gradients];
    if (this.#recorded && this.#step) {
      const numbers = { ...this.#recorded.next(learningRate), gradientScale: scale };
      doublesOf(program, this.#step.numbers).set(adamWNumbers.map((name) => numbers[name]));
      await program.run('update');
    } else {
      scaleGradients(program.view(gradients), this.#layout, scale);
      this.#optimizer!.step(program.view(parameters), program.view(gradients), learningRate);
    }
  }
}

/** Without an epsilon the zeros between parameters would be divided by zero. */
function hasKernel(settings: OptimizerSettings): boolean {
  return settings.name === 'adamw' && (settings.epsilon ?? adamWDefaults.epsilon) > 0;
}
