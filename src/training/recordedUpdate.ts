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

/** Parameters that follow each other and learn at one rate, as lines of the vectors. */
interface RateRun {
  readonly rate: number;
  readonly firstLine: number;
  readonly lines: number;
}

/** What the kernel of a run has of its own. */
interface RecordedRun extends RateRun {
  readonly decays: Tensor;
  readonly numbers: Tensor;
}

/** The vectors that all runs have parts of. */
type StepVectors = Pick<AdamWCall, 'parameters' | 'gradients' | 'firstMoment' | 'secondMoment'>;

export class RecordedUpdate {
  readonly #trainable: TrainingPlan['trainable'];
  readonly #settings: OptimizerSettings;
  readonly #layout: readonly OptimizedParameter[];
  readonly #ranges: Tensor;
  readonly #sums: Tensor;
  readonly #step: StepVectors | undefined;
  /** One, unless parameters learn at different rates. */
  readonly #runs: readonly RecordedRun[] = [];
  #program: TrainingProgram | undefined;
  #optimizer: Optimizer | undefined;
  /** The same one, where the engine takes its steps. */
  #recorded: AdamW | undefined;

  /**
   * Appends the segments; `begin` has to follow when the program is there.
   *
   * @param rateOf What the learning rate is multiplied by, by the name of the parameter.
   */
  constructor(
    kernels: TrainingKernels,
    trainable: TrainingPlan['trainable'],
    settings: OptimizerSettings,
    rateOf?: (name: string) => number,
  ) {
    this.#trainable = trainable;
    this.#settings = settings;
    this.#layout = optimizedParameters(trainable.slots, rateOf);
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
    };
    this.#runs = runsOf(this.#layout, lines).map((run) => ({
      ...run,
      decays: allocated(kernels, [run.lines]),
      numbers: allocated(kernels, [adamWNumbers.length, 2]),
    }));
    kernels.segment('update');
    for (const run of this.#runs) {
      const { lines: own, decays, numbers } = run;
      kernels.record(adamW, { name: 'optimizer', lines: own, ...partsOf(this.#step, run), decays, numbers });
    }
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
    for (const { firstLine, lines, decays: place } of this.#runs) {
      const decays = program.view(place).fill(0);
      for (const { offset, length: elements, decay } of this.#layout) {
        const line = offset / lineElements - firstLine;
        if (line < 0 || line >= lines) continue;
        decays.fill(decay ? 1 : 0, line, line + Math.ceil(elements / lineElements));
      }
    }
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
      const numbersOf = this.#recorded.next(learningRate);
      for (const { rate, numbers: place } of this.#runs) {
        const numbers = { ...numbersOf(rate), gradientScale: scale };
        doublesOf(program, place).set(adamWNumbers.map((name) => numbers[name]));
      }
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

/** All lines of the vectors, cut where the rate changes: a kernel takes one step size for all of its lines. */
function runsOf(layout: readonly OptimizedParameter[], lines: number): readonly RateRun[] {
  const starts = [...layout]
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, rate = 1 }) => ({ rate, firstLine: offset / lineElements }))
    .filter(({ rate }, i, all) => i === 0 || rate !== all[i - 1]!.rate);
  if (starts.length === 0) return [{ rate: 1, firstLine: 0, lines }];
  return starts.map((start, i) => ({ ...start, lines: (starts[i + 1]?.firstLine ?? lines) - start.firstLine }));
}

/** The lines of a run in each of the vectors. */
function partsOf(vectors: StepVectors, { firstLine, lines }: RateRun): StepVectors {
  const part = (tensor: Tensor): Tensor => ({
    ...tensor,
    shape: [lines * lineElements],
    byteOffset: tensor.byteOffset + firstLine * tensorAlignment,
  });
  const { parameters, gradients, firstMoment, secondMoment } = vectors;
  return {
    parameters: part(parameters),
    gradients: part(gradients),
    firstMoment: part(firstMoment),
    secondMoment: part(secondMoment),
  };
}
