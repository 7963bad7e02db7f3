/**
 * Records forward and backward calls for the reference engine, in named segments. Not their arithmetic: each call becomes a
 * closure made by the file of its kernel, checked when it is recorded. The contract is `engines/trainingKernels.ts`.
 */
import { EngineError } from '../errors.js';
import type { MemoryBlock, Tensor } from '../kernels.js';
import type { TrainingKernels, TrainingProgram } from '../trainingKernels.js';
import { spikeAttention, spikeAttentionGradient } from './attention.js';
import { batchNorm, batchNormAgain, batchNormGradient, padWithStatistics } from './batchNorm.js';
import { trainableConvolution } from './convolution.js';
import { convolutionInputGradient, convolutionWeightGradient } from './convolutionGradient.js';
import {
  add,
  addConstant,
  crop,
  repeat,
  scaleShift,
  spatialMean,
  spatialMeanGradient,
  timeMean,
  timeMeanGradient,
  zero,
} from './elementwise.js';
import { ReferenceBlock } from './memory.js';
import { leakyIntegrateAndFire, leakyIntegrateAndFireGradient } from './neuron.js';
import { type Mortal, ReferenceTrainingProgram } from './program.js';

export class ReferenceTrainingRecorder implements TrainingKernels {
  private readonly segments = new Map<string, (() => void)[]>();
  private current: (() => void)[] | undefined;
  private finished = false;

  constructor(private readonly engine: Mortal) {}

  allocate(byteLength: number): MemoryBlock {
    this.expectOpen('allocate');
    return new ReferenceBlock(byteLength);
  }

  segment(name: string): void {
    this.expectOpen(name);
    if (this.segments.has(name)) throw new EngineError(`${name}: the recording has a segment of this name already`);
    this.current = [];
    this.segments.set(name, this.current);
  }

  readonly convolution = this.recording(trainableConvolution);
  readonly convolutionInputGradient = this.recording(convolutionInputGradient);
  readonly convolutionWeightGradient = this.recording(convolutionWeightGradient);
  readonly batchNorm = this.recording(batchNorm);
  readonly batchNormAgain = this.recording(batchNormAgain);
  readonly batchNormGradient = this.recording(batchNormGradient);
  readonly padWithStatistics = this.recording(padWithStatistics);
  readonly crop = this.recording(crop);
  readonly leakyIntegrateAndFire = this.recording(leakyIntegrateAndFire);
  readonly leakyIntegrateAndFireGradient = this.recording(leakyIntegrateAndFireGradient);
  readonly spikeAttention = this.recording(spikeAttention);
  readonly spikeAttentionGradient = this.recording(spikeAttentionGradient);
  readonly spatialMean = this.recording(spatialMean);
  readonly spatialMeanGradient = this.recording(spatialMeanGradient);
  readonly timeMean = this.recording(timeMean);
  readonly timeMeanGradient = this.recording(timeMeanGradient);
  readonly add = this.recording(add);
  readonly repeat = this.recording(repeat);
  readonly scaleShift = this.recording(scaleShift);
  readonly addConstant = this.recording(addConstant);

  zero(tensor: Tensor): void {
    this.steps('zero').push(zero(tensor));
  }

  finish(): TrainingProgram {
    this.expectOpen('finish');
    this.finished = true;
    return new ReferenceTrainingProgram(this.engine, this.segments);
  }

  private recording<Call extends { readonly name: string }>(prepare: (call: Call) => () => void): (call: Call) => void {
    return (call) => {
      this.steps(call.name).push(prepare(call));
    };
  }

  /** The calls of the segment begun last. */
  private steps(user: string): (() => void)[] {
    this.expectOpen(user);
    if (!this.current) throw new EngineError(`${user}: begin a segment with segment(name) before the first call`);
    return this.current;
  }

  private expectOpen(user: string): void {
    this.engine.expectAlive(user);
    if (this.finished) {
      throw new EngineError(`${user}: the recording is finished; start another with engine.recordTraining()`);
    }
  }
}
