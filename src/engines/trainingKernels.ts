/**
 * What training asks of an engine beyond inference: parameters that live in the engine's memory and change, batch normalisation with batch
 * statistics, and the gradient of every kernel. The same manner as `Kernels`: calls are recorded, nothing runs until a segment
 * is run, shapes are folded, channels come last, results do not depend on the number of threads.
 *
 * Gradients are real tensors in the shape of what they are the gradient of; a gradient of spikes is real, one number per neuron.
 * Gradients of parameters are always added to what is there (a batch may come in parts); `zero` clears them.
 */
import type {
  ConvolutionGeometry,
  Kernels,
  LeakyIntegrateAndFireCall,
  Program,
  SpatialMeanCall,
  SpikeAttentionCall,
  Tensor,
  TimeMeanCall,
} from './kernels.js';

/** As `ConvolutionCall`, with parameters that change between runs; `weight` is `[outputChannels, inputChannels / groups, kernelHeight, kernelWidth]`. */
export interface TrainableConvolutionCall {
  readonly name: string;
  readonly geometry: ConvolutionGeometry;
  /** Real or spikes. */
  readonly input: Tensor;
  readonly output: Tensor;
  readonly weight: Tensor;
  readonly bias?: Tensor;
}

export interface ConvolutionInputGradientCall {
  readonly name: string;
  readonly geometry: ConvolutionGeometry;
  readonly weight: Tensor;
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
  /** Add to what `inputGradient` holds, or replace it. */
  readonly accumulate: boolean;
}

export interface ConvolutionWeightGradientCall {
  readonly name: string;
  readonly geometry: ConvolutionGeometry;
  /** Real or spikes; spikes make it a sum of rows of `outputGradient`. */
  readonly input: Tensor;
  readonly outputGradient: Tensor;
  /** Added to. */
  readonly weightGradient: Tensor;
  /** Added to. */
  readonly biasGradient?: Tensor;
}

/** The parameters and statistics of one batch normalisation, `[channels]` each. */
export interface BatchNormTensors {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly runningMean: Tensor;
  readonly runningVariance: Tensor;
  /** Mean of the last batch, written by the forward kernel. */
  readonly batchMean: Tensor;
  /** 1/√(variance + ε) of the last batch (biased variance), written by the forward kernel. */
  readonly batchInverseDeviation: Tensor;
}

/** What it takes to write the output of a batch normalisation again. */
export type NormalisationTensors = Pick<BatchNormTensors, 'weight' | 'bias' | 'batchMean' | 'batchInverseDeviation'>;

/**
 * Batch normalisation over `rows` rows with the statistics of the batch. Running statistics move by `momentum` towards the batch's mean and
 * unbiased variance (PyTorch's BatchNorm: `running = (1 − momentum) · running + momentum · batch`). Sums in float64 or compensated, in
 * an order that does not depend on the number of threads.
 */
export interface BatchNormCall {
  readonly name: string;
  readonly rows: number;
  readonly channels: number;
  readonly input: Tensor;
  /** Without it only the statistics are measured: for readers that normalise on their own. */
  readonly output?: Tensor;
  readonly tensors: BatchNormTensors;
  readonly epsilon: number;
  readonly momentum: number;
}

/** Writes the output of a batch normalisation again from its input and the statistics its forward kernel left. */
export interface BatchNormAgainCall extends Omit<BatchNormCall, 'output' | 'momentum'> {
  readonly output: Tensor;
}

/**
 * Gradient through the batch statistics. `inputGradient` may be `outputGradient`'s memory. Sums as in `BatchNormCall`, but up to 16 rows may
 * be added in float32 first.
 */
export interface BatchNormGradientCall {
  readonly name: string;
  readonly rows: number;
  readonly channels: number;
  readonly input: Tensor;
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
  readonly tensors: BatchNormTensors;
  /** Added to. */
  readonly weightGradient: Tensor;
  /** Added to. */
  readonly biasGradient: Tensor;
}

/**
 * RepConv's border: pixels that hold what the normalisation with *running* statistics (as just updated) makes of 0,
 * `bias − runningMean · weight/√(runningVariance + ε)`. The authors detach it: the border has no gradient.
 */
export interface PadWithStatisticsCall {
  readonly name: string;
  readonly images: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly channels: number;
  readonly padding: number;
  readonly input: Tensor;
  readonly output: Tensor;
  readonly tensors: Pick<BatchNormTensors, 'weight' | 'bias' | 'runningMean' | 'runningVariance'>;
  readonly epsilon: number;
}

/** The inside of padded maps: `input` is `[images, height + 2·padding, width + 2·padding, channels]`. */
export interface CropCall {
  readonly name: string;
  readonly images: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly channels: number;
  readonly padding: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

/**
 * The stand-in for the derivative of the step, as a function of u = h − θ:
 * `sigmoid` α·σ(αu)(1 − σ(αu)); `arctangent` (α/2)/(1 + (παu/2)²); `rectangular` α where |u| < 1/(2α), else 0.
 */
export interface Surrogate {
  readonly kind: 'sigmoid' | 'arctangent' | 'rectangular';
  readonly alpha: number;
}

/** Neurons that may stand behind a batch normalisation. */
export interface TrainableLeakyIntegrateAndFireCall extends LeakyIntegrateAndFireCall {
  /** As in `LeakyIntegrateAndFireGradientCall`: `input` is what the normalisation reads; for one time step only. */
  readonly normalisation?: NormalisationTensors;
}

/**
 * Gradient of leaky integrate-and-fire neurons, membranes recomputed from the input. With g'(u) the surrogate:
 * reset detached: `δh[t] = δs[t]·g'(u[t]) + δh[t+1]·(1 − 1/τ)·(1 − s[t])`;
 * reset attached: `δh[t] = (δs[t] − δv[t]·h[t])·g'(u[t]) + δv[t]·(1 − s[t])` with `δv[t] = δh[t+1]·(1 − 1/τ)`;
 * `δx[t] = δh[t]/τ`.
 */
export interface LeakyIntegrateAndFireGradientCall {
  readonly name: string;
  readonly timeSteps: number;
  readonly positions: number;
  readonly channels: number;
  /** The neurons' input, real, `timeSteps` steps. */
  readonly input: Tensor;
  /**
   * With it `input` is what a batch normalisation read, and the neurons' input is what `BatchNormAgainCall` would write: it is made on the way instead of being
   * written and read. For one time step only.
   */
  readonly normalisation?: NormalisationTensors;
  /** Real, `timeSteps` steps. */
  readonly outputGradient: Tensor;
  /** Of the neurons' input, normalised or not. */
  readonly inputGradient: Tensor;
  readonly accumulate: boolean;
  readonly tau: number;
  readonly threshold: number;
  readonly surrogate: Surrogate;
  readonly detachReset: boolean;
}

/**
 * Gradient of `scale · Q (Kᵀ V)` per image and head, with spikes for Q, K, V: `δQ = scale · δO (KᵀV)ᵀ`,
 * `δK = V (scale · Qᵀ δO)ᵀ`, `δV = K (scale · Qᵀ δO)`. Replaces what the three gradients hold.
 */
export interface SpikeAttentionGradientCall {
  readonly name: string;
  readonly images: number;
  readonly tokens: number;
  readonly channels: number;
  readonly heads: number;
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly outputGradient: Tensor;
  readonly queryGradient: Tensor;
  readonly keyGradient: Tensor;
  readonly valueGradient: Tensor;
  readonly scale: number;
}

/** `inputGradient[i, p, c] = outputGradient[i, c] / positions`. */
export interface SpatialMeanGradientCall {
  readonly name: string;
  readonly images: number;
  readonly positions: number;
  readonly channels: number;
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
}

/** `inputGradient[t, j] = outputGradient[j] / timeSteps`. */
export interface TimeMeanGradientCall {
  readonly name: string;
  readonly timeSteps: number;
  readonly elements: number;
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
}

/** `tensor += value`: a number that the caller writes between runs, added to every element. */
export interface AddConstantCall {
  readonly name: string;
  /** Real. */
  readonly tensor: Tensor;
  /** Real, one element. */
  readonly value: Tensor;
}

/** Records forward and backward. Calls belong to the segment begun last. */
export interface TrainingKernels extends Pick<Kernels, 'allocate' | 'add' | 'repeat' | 'scaleShift'> {
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
   * The live elements of a real tensor, for the optimizer, which walks over all parameters in place. Valid until memory is next
   * allocated with the engine: ask anew before each use.
   */
  view(tensor: Tensor): Float32Array;
}

/** An engine that can train. */
export interface TrainingEngine {
  recordTraining(): TrainingKernels;
}
