/**
 * The one interface between what a network means and what computes it.
 *
 * `Kernels` records: each method appends one kernel call to a program, on tensors whose memory is already laid out, and
 * nothing runs until `Program.run`. That is what lets the wasm engine run a whole network without returning to
 * JavaScript, and what would let a GPU engine encode commands. Tensors are opaque: their memory may live in another
 * thread or on another device.
 *
 * Every call sees folded shapes: `images` is T·B for all kernels except the neuron, the only one that knows of time.
 * Layout is channels last. A value computed once for all time steps (a still image before its first neuron) has T = 1 and
 * is broadcast by `add`, `residual` and the neuron; because time is the outermost axis, broadcasting is "index modulo length".
 */
import { channelsOf, elementCount, type Shape } from '../graph/shape.js';

/**
 * How a tensor lies in memory: `real` is one float32 per element; `spikes` is one bit per neuron, packed along the
 * channels into 32-bit words: channel c of a position is bit (c mod 32) of word ⌊c/32⌋, a position occupies
 * ⌈C/32⌉ words, and unused bits of the last word are zero.
 */
export type Storage = 'real' | 'spikes';

/** A piece of an engine's memory; only the engine that made it can look inside. */
export interface MemoryBlock {
  readonly byteLength: number;
}

export interface Tensor {
  readonly shape: Shape;
  readonly storage: Storage;
  readonly block: MemoryBlock;
  /** Offset into the block, a multiple of `tensorAlignment`. */
  readonly byteOffset: number;
}

/** Tensors start at multiples of this many bytes: a cache line, so that threads never share one. */
export const tensorAlignment = 64;

/** 32-bit words that the spikes of `channels` neurons occupy at one position. */
export function spikeWords(channels: number): number {
  return (channels + 31) >>> 5;
}

/** Bytes a tensor occupies, before alignment. */
export function byteLengthOf(shape: Shape, storage: Storage): number {
  if (storage === 'real') return 4 * elementCount(shape);
  const channels = channelsOf(shape);
  return 4 * spikeWords(channels) * (elementCount(shape) / channels);
}

export interface ConvolutionGeometry {
  /** Images that go through at once: T·B. */
  readonly images: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly inputChannels: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly outputChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly paddingHeight: number;
  readonly paddingWidth: number;
  readonly groups: number;
}

export interface ConvolutionCall {
  /** Name of the node, for messages and profiles. */
  readonly name: string;
  readonly geometry: ConvolutionGeometry;
  /** `[images, inputHeight, inputWidth, inputChannels]` after folding; real or spikes. */
  readonly input: Tensor;
  /** `[images, outputHeight, outputWidth, outputChannels]` after folding; real. */
  readonly output: Tensor;
  /** `[outputChannels, inputChannels / groups, kernelHeight, kernelWidth]`, as PyTorch stores it. Never changed. */
  readonly weight: Float32Array;
  /** `[outputChannels]`. */
  readonly bias?: Float32Array;
  /** Added to the result; real, as long as the output or a whole fraction of it (broadcast over time). */
  readonly residual?: Tensor;
  /** Share of the input's neurons that fire, if the input is spikes and somebody measured it: an engine may choose its kernel by it. */
  readonly firingRate?: number;
}

/** `output = input · scale + shift`, per channel: batch normalisation with fixed statistics. */
export interface ScaleShiftCall {
  readonly name: string;
  /** Rows of `channels` numbers. */
  readonly rows: number;
  readonly channels: number;
  readonly input: Tensor;
  readonly output: Tensor;
  readonly scale: Float32Array;
  readonly shift: Float32Array;
}

/** Surrounds each image with `padding` pixels that hold `values` (one per channel). */
export interface PadCall {
  readonly name: string;
  readonly images: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly channels: number;
  readonly padding: number;
  readonly input: Tensor;
  readonly output: Tensor;
  readonly values: Float32Array;
}

/**
 * Leaky integrate-and-fire neurons with hard reset to zero, over all time steps:
 * `h = v + (x − v)/τ`, `s = 1 if h ≥ θ else 0`, `v = (1 − s)·h`, with `v = 0` before the first step.
 */
export interface LeakyIntegrateAndFireCall {
  readonly name: string;
  readonly timeSteps: number;
  /** Positions per time step (B·H·W or B·N or B). */
  readonly positions: number;
  readonly channels: number;
  /** Real; `timeSteps` steps long, or one step that is the same at every time. */
  readonly input: Tensor;
  readonly inputTimeSteps: number;
  /** Spikes, `timeSteps` steps long. */
  readonly output: Tensor;
  /** Real, one step long: holds v before the first step, and after the run v behind the last. Without it v begins at 0. */
  readonly membrane?: Tensor;
  /** Nobody else reads the input, so an engine need not write it. */
  readonly isOnlyReader?: boolean;
  readonly tau: number;
  readonly threshold: number;
}

/**
 * The product of SDSA-3, per image and head: `output = scale · Q (Kᵀ V)`, with Q, K, V `[tokens, channels]` spikes and
 * each head owning `channels / heads` consecutive channels. Kᵀ V counts coincidences, so every sum is an integer.
 */
export interface SpikeAttentionCall {
  readonly name: string;
  readonly images: number;
  readonly tokens: number;
  readonly channels: number;
  readonly heads: number;
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  /** Real, `[images, tokens, channels]`. */
  readonly output: Tensor;
  readonly scale: number;
}

/** `output = a + b`; either may be a whole fraction of the output's length and is then repeated (broadcast over time). */
export interface AddCall {
  readonly name: string;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly output: Tensor;
}

/** `output[i, c] = mean over p of input[i, p, c]`. */
export interface SpatialMeanCall {
  readonly name: string;
  readonly images: number;
  readonly positions: number;
  readonly channels: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

/** `output[j] = mean over t of input[t, j]`. */
export interface TimeMeanCall {
  readonly name: string;
  readonly timeSteps: number;
  readonly elements: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

/** Writes the input `times` times, one after the other (a still image shown at every time step). */
export interface RepeatCall {
  readonly name: string;
  readonly times: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

/** Whole numbers that a program counts while it runs: 0 at the start of every run, added to by the calls that are given them. Only the engine that made them can read them. */
export interface Counters {
  readonly length: number;
}

/** `counters[t][rowClass][columnClass] += spikes`, over all images and channels. */
export interface SpikeCountCall {
  readonly name: string;
  /** Outermost axis of the input. */
  readonly timeSteps: number;
  /** Per time step. */
  readonly images: number;
  readonly channels: number;
  readonly input: Tensor;
  /** A number from 0 up for each row of pixels, and for each column. */
  readonly rowClasses: readonly number[];
  readonly columnClasses: readonly number[];
  readonly counters: Counters;
}

/** `counters[0] += Σ weights[class of position][channel]` over all spikes of all images. */
export interface SpikeWeighingCall {
  readonly name: string;
  readonly images: number;
  readonly channels: number;
  readonly input: Tensor;
  /** A number from 0 up for each position of an image. */
  readonly classes: readonly number[];
  /** `[class][channel]`, whole numbers up to `largestSpikeWeight`. */
  readonly weights: Uint32Array;
  readonly counters: Counters;
}

/** So that 2,040 of them do not overflow 32 bits. */
export const largestSpikeWeight = 2 ** 20;

/** `counters[t] += Σ spikes of one · spikes of other`, counted per token and head: how often their channels meet in KᵀV. */
export interface CoincidenceCountCall {
  readonly name: string;
  readonly timeSteps: number;
  /** Per time step, of all images. */
  readonly tokens: number;
  readonly channels: number;
  readonly heads: number;
  readonly one: Tensor;
  readonly other: Tensor;
  readonly counters: Counters;
}

/** `output = 1` where a depthwise convolution has a spike under a weight that is not zero. */
export interface ReachCall {
  readonly name: string;
  /** Of a depthwise convolution. */
  readonly geometry: ConvolutionGeometry;
  readonly input: Tensor;
  readonly output: Tensor;
  /** Channels that have a weight at a tap, `[tap][word]`, packed as spikes are. */
  readonly masks: Uint32Array;
}

/** `output = 1` where the input is not zero. */
export interface MarkNonZeroCall {
  readonly name: string;
  readonly images: number;
  readonly positions: number;
  readonly channels: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

/** Calls that count what flows, between the calls that make it flow. */
export interface CountingKernels {
  counters(length: number): Counters;
  countSpikes(call: SpikeCountCall): void;
  weighSpikes(call: SpikeWeighingCall): void;
  countCoincidences(call: CoincidenceCountCall): void;
  reach(call: ReachCall): void;
  markNonZero(call: MarkNonZeroCall): void;
}

/** Records kernel calls. A recorder is used once: after `finish` it takes no more calls. */
export interface Kernels {
  /** Memory for tensors. Contents are undefined until something is written. */
  allocate(byteLength: number): MemoryBlock;
  convolution(call: ConvolutionCall): void;
  scaleShift(call: ScaleShiftCall): void;
  pad(call: PadCall): void;
  leakyIntegrateAndFire(call: LeakyIntegrateAndFireCall): void;
  spikeAttention(call: SpikeAttentionCall): void;
  add(call: AddCall): void;
  spatialMean(call: SpatialMeanCall): void;
  timeMean(call: TimeMeanCall): void;
  repeat(call: RepeatCall): void;
  readonly counting: CountingKernels;
  finish(): Program;
}

/** A recorded list of kernel calls, ready to run any number of times; `run` allocates nothing. */
export interface Program {
  run(): Promise<void>;
  /** Copies real numbers into a tensor; `values` must have exactly its length. */
  write(tensor: Tensor, values: Float32Array): Promise<void>;
  /** A copy of a real tensor's elements. */
  read(tensor: Tensor): Promise<Float32Array>;
  /** A copy of a spike tensor's words. */
  readSpikes(tensor: Tensor): Promise<Uint32Array>;
  /** What the last run counted. */
  readCounters(counters: Counters): Promise<readonly number[]>;
  /** Gives the program's own memory back to the engine; packed weights stay with the engine. */
  dispose(): void;
}

/**
 * Something that runs programs. Weights are packed once per engine and array object: recording a second program (another
 * image size, say) from the same arrays costs no second copy.
 */
export interface Engine {
  readonly name: string;
  /** Threads that work on a program, the caller's included. */
  readonly threads: number;
  record(): Kernels;
  /** Stops the threads and frees the memory; the engine and its programs cannot be used afterwards. */
  dispose(): Promise<void>;
}
