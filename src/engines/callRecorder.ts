/**
 * The methods of `Kernels` and `TrainingKernels`, for every engine: each hands its call to `record`, which is the engine's own. A kernel needs no method here: whoever
 * uses it says `record(kernel, call)`.
 */
import { type AddCall, type AddConstantCall, add, addConstant } from './calls/add.js';
import {
  type BatchNormAgainCall,
  type BatchNormCall,
  type BatchNormGradientCall,
  batchNorm,
  batchNormAgain,
  batchNormGradient,
} from './calls/batchNorm.js';
import type { KernelCall, NamedCall } from './calls/call.js';
import {
  type ConvolutionCall,
  type ConvolutionInputGradientCall,
  type ConvolutionWeightGradientCall,
  convolution,
  convolutionInputGradient,
  convolutionWeightGradient,
  type TrainableConvolutionCall,
  trainableConvolution,
} from './calls/convolution.js';
import { type CoincidenceCountCall, countCoincidences } from './calls/countCoincidences.js';
import { countSpikes, type SpikeCountCall } from './calls/countSpikes.js';
import {
  type LeakyIntegrateAndFireCall,
  type LeakyIntegrateAndFireGradientCall,
  leakyIntegrateAndFire,
  leakyIntegrateAndFireGradient,
  type TrainableLeakyIntegrateAndFireCall,
} from './calls/leakyIntegrateAndFire.js';
import { type MarkNonZeroCall, markNonZero } from './calls/markNonZero.js';
import { type CropCall, crop, type PadCall, type PadWithStatisticsCall, pad, padWithStatistics } from './calls/pad.js';
import { type ReachCall, reach } from './calls/reach.js';
import { type RepeatCall, repeat } from './calls/repeat.js';
import { type ScaleShiftCall, scaleShift } from './calls/scaleShift.js';
import {
  type SpatialMeanCall,
  type SpatialMeanGradientCall,
  spatialMean,
  spatialMeanGradient,
} from './calls/spatialMean.js';
import {
  type SpikeAttentionCall,
  type SpikeAttentionGradientCall,
  spikeAttention,
  spikeAttentionGradient,
} from './calls/spikeAttention.js';
import { type TimeMeanCall, type TimeMeanGradientCall, timeMean, timeMeanGradient } from './calls/timeMean.js';
import { type SpikeWeighingCall, weighSpikes } from './calls/weighSpikes.js';
import { zero } from './calls/zero.js';
import type { CountingKernels, Kernels, Program } from './kernels.js';
import type { Counters, MemoryBlock, Tensor } from './tensor.js';
import type { TrainingKernels, TrainingProgram } from './trainingKernels.js';

abstract class CommonCalls {
  abstract allocate(byteLength: number): MemoryBlock;
  abstract record<Call extends NamedCall>(kernel: KernelCall<Call>, call: Call): void;

  add(call: AddCall): void {
    this.record(add, call);
  }

  repeat(call: RepeatCall): void {
    this.record(repeat, call);
  }

  scaleShift(call: ScaleShiftCall): void {
    this.record(scaleShift, call);
  }

  spikeAttention(call: SpikeAttentionCall): void {
    this.record(spikeAttention, call);
  }

  spatialMean(call: SpatialMeanCall): void {
    this.record(spatialMean, call);
  }

  timeMean(call: TimeMeanCall): void {
    this.record(timeMean, call);
  }
}

/** What an inference recorder has beside its own `record`, `allocate`, `counters` and `finish`. */
export abstract class KernelCalls extends CommonCalls implements Kernels {
  readonly counting: CountingKernels = new CountingCalls(this);

  /** As `CountingKernels.counters`. */
  abstract counters(length: number): Counters;
  abstract finish(): Program;

  convolution(call: ConvolutionCall): void {
    this.record(convolution, call);
  }

  pad(call: PadCall): void {
    this.record(pad, call);
  }

  leakyIntegrateAndFire(call: LeakyIntegrateAndFireCall): void {
    this.record(leakyIntegrateAndFire, call);
  }
}

class CountingCalls implements CountingKernels {
  constructor(private readonly recorder: KernelCalls) {}

  counters(length: number): Counters {
    return this.recorder.counters(length);
  }

  countSpikes(call: SpikeCountCall): void {
    this.recorder.record(countSpikes, call);
  }

  weighSpikes(call: SpikeWeighingCall): void {
    this.recorder.record(weighSpikes, call);
  }

  countCoincidences(call: CoincidenceCountCall): void {
    this.recorder.record(countCoincidences, call);
  }

  reach(call: ReachCall): void {
    this.recorder.record(reach, call);
  }

  markNonZero(call: MarkNonZeroCall): void {
    this.recorder.record(markNonZero, call);
  }
}

/** What a training recorder has beside its own `record`, `allocate`, `segment` and `finish`. */
export abstract class TrainingCalls extends CommonCalls implements TrainingKernels {
  abstract segment(name: string): void;
  abstract finish(): TrainingProgram;

  convolution(call: TrainableConvolutionCall): void {
    this.record(trainableConvolution, call);
  }

  convolutionInputGradient(call: ConvolutionInputGradientCall): void {
    this.record(convolutionInputGradient, call);
  }

  convolutionWeightGradient(call: ConvolutionWeightGradientCall): void {
    this.record(convolutionWeightGradient, call);
  }

  batchNorm(call: BatchNormCall): void {
    this.record(batchNorm, call);
  }

  batchNormAgain(call: BatchNormAgainCall): void {
    this.record(batchNormAgain, call);
  }

  batchNormGradient(call: BatchNormGradientCall): void {
    this.record(batchNormGradient, call);
  }

  padWithStatistics(call: PadWithStatisticsCall): void {
    this.record(padWithStatistics, call);
  }

  crop(call: CropCall): void {
    this.record(crop, call);
  }

  leakyIntegrateAndFire(call: TrainableLeakyIntegrateAndFireCall): void {
    this.record(leakyIntegrateAndFire, call);
  }

  leakyIntegrateAndFireGradient(call: LeakyIntegrateAndFireGradientCall): void {
    this.record(leakyIntegrateAndFireGradient, call);
  }

  spikeAttentionGradient(call: SpikeAttentionGradientCall): void {
    this.record(spikeAttentionGradient, call);
  }

  spatialMeanGradient(call: SpatialMeanGradientCall): void {
    this.record(spatialMeanGradient, call);
  }

  timeMeanGradient(call: TimeMeanGradientCall): void {
    this.record(timeMeanGradient, call);
  }

  addConstant(call: AddConstantCall): void {
    this.record(addConstant, call);
  }

  zero(tensor: Tensor): void {
    this.record(zero, { name: 'zero', tensor });
  }
}
