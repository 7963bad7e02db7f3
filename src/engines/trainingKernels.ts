/**
 * What training asks of an engine beyond inference: parameters that live in the engine's memory and change, batch normalisation with batch
 * statistics, and the gradient of every kernel. The same manner as `Kernels`: calls are recorded, nothing runs until a segment
 * is run, shapes are folded, channels come last, results do not depend on the number of threads.
 *
 * Gradients are real tensors in the shape of what they are the gradient of; a gradient of spikes is real, one number per neuron.
 * Gradients of parameters are always added to what is there (a batch may come in parts); `zero` clears them.
 */
import type { AddConstantCall } from './calls/add.js';
import type { BatchNormAgainCall, BatchNormCall, BatchNormGradientCall } from './calls/batchNorm.js';
import type {
  ConvolutionInputGradientCall,
  ConvolutionWeightGradientCall,
  TrainableConvolutionCall,
} from './calls/convolution.js';
import type {
  LeakyIntegrateAndFireGradientCall,
  TrainableLeakyIntegrateAndFireCall,
} from './calls/leakyIntegrateAndFire.js';
import type { CropCall, PadWithStatisticsCall } from './calls/pad.js';
import type { SpatialMeanCall, SpatialMeanGradientCall } from './calls/spatialMean.js';
import type { SpikeAttentionCall, SpikeAttentionGradientCall } from './calls/spikeAttention.js';
import type { TimeMeanCall, TimeMeanGradientCall } from './calls/timeMean.js';
import type { Kernels, Program } from './kernels.js';
import type { Tensor } from './tensor.js';

export type { AddConstantCall } from './calls/add.js';
export type {
  BatchNormAgainCall,
  BatchNormCall,
  BatchNormGradientCall,
  BatchNormTensors,
  NormalisationTensors,
} from './calls/batchNorm.js';
export type {
  ConvolutionInputGradientCall,
  ConvolutionWeightGradientCall,
  TrainableConvolutionCall,
} from './calls/convolution.js';
export type {
  LeakyIntegrateAndFireGradientCall,
  Surrogate,
  TrainableLeakyIntegrateAndFireCall,
} from './calls/leakyIntegrateAndFire.js';
export type { CropCall, PadWithStatisticsCall } from './calls/pad.js';
export type { SpatialMeanGradientCall } from './calls/spatialMean.js';
export type { SpikeAttentionGradientCall } from './calls/spikeAttention.js';
export type { TimeMeanGradientCall } from './calls/timeMean.js';

/** Records forward and backward. Calls belong to the segment begun last. */
export interface TrainingKernels extends Pick<Kernels, 'allocate' | 'record' | 'add' | 'repeat' | 'scaleShift'> {
  /** Begins a segment; names are unique. */
  segment(name: string): void;
  convolution(call: TrainableConvolutionCall): void;
  convolutionInputGradient(call: ConvolutionInputGradientCall): void;
  convolutionWeightGradient(call: ConvolutionWeightGradientCall): void;
  batchNorm(call: BatchNormCall): void;
  batchNormAgain(call: BatchNormAgainCall): void;
  batchNormGradient(call: BatchNormGradientCall): void;
  padWithStatistics(call: PadWithStatisticsCall): void;
  crop(call: CropCall): void;
  leakyIntegrateAndFire(call: TrainableLeakyIntegrateAndFireCall): void;
  leakyIntegrateAndFireGradient(call: LeakyIntegrateAndFireGradientCall): void;
  spikeAttention(call: SpikeAttentionCall): void;
  spikeAttentionGradient(call: SpikeAttentionGradientCall): void;
  spatialMean(call: SpatialMeanCall): void;
  spatialMeanGradient(call: SpatialMeanGradientCall): void;
  timeMean(call: TimeMeanCall): void;
  timeMeanGradient(call: TimeMeanGradientCall): void;
  addConstant(call: AddConstantCall): void;
  /** Fills a real tensor with zeros. */
  zero(tensor: Tensor): void;
  finish(): TrainingProgram;
}

export interface TrainingProgram extends Pick<Program, 'write' | 'read' | 'readSpikes' | 'dispose'> {
  /** Runs the calls of one segment. */
  run(segment: string): Promise<void>;
  /**
   * The live elements of a real tensor, for optimizers that walk over all parameters in place. Valid until memory is next
   * allocated with the engine: ask anew before each use.
   */
  view(tensor: Tensor): Float32Array;
}

/** An engine that can train. */
export interface TrainingEngine {
  recordTraining(): TrainingKernels;
}
