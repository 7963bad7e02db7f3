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
import type { AddCall } from './calls/add.js';
import type { KernelCall, NamedCall } from './calls/call.js';
import type { ConvolutionCall } from './calls/convolution.js';
import type { CoincidenceCountCall } from './calls/countCoincidences.js';
import type { SpikeCountCall } from './calls/countSpikes.js';
import type { LeakyIntegrateAndFireCall } from './calls/leakyIntegrateAndFire.js';
import type { MarkNonZeroCall } from './calls/markNonZero.js';
import type { PadCall } from './calls/pad.js';
import type { ReachCall } from './calls/reach.js';
import type { RepeatCall } from './calls/repeat.js';
import type { ScaleShiftCall } from './calls/scaleShift.js';
import type { SpatialMeanCall } from './calls/spatialMean.js';
import type { SpikeAttentionCall } from './calls/spikeAttention.js';
import type { TimeMeanCall } from './calls/timeMean.js';
import type { SpikeWeighingCall } from './calls/weighSpikes.js';
import type { Counters, MemoryBlock, Tensor } from './tensor.js';

export type { AddCall } from './calls/add.js';
export type { CallDeclaration, DeclaredSetting, DeclaredTensor, KernelCall, NamedCall } from './calls/call.js';
export type { ConvolutionCall, ConvolutionGeometry } from './calls/convolution.js';
export type { CoincidenceCountCall } from './calls/countCoincidences.js';
export type { SpikeCountCall } from './calls/countSpikes.js';
export type { LeakyIntegrateAndFireCall } from './calls/leakyIntegrateAndFire.js';
export type { MarkNonZeroCall } from './calls/markNonZero.js';
export type { PadCall } from './calls/pad.js';
export type { ReachCall } from './calls/reach.js';
export type { RepeatCall } from './calls/repeat.js';
export type { ScaleShiftCall } from './calls/scaleShift.js';
export type { SpatialMeanCall } from './calls/spatialMean.js';
export type { SpikeAttentionCall } from './calls/spikeAttention.js';
export type { TimeMeanCall } from './calls/timeMean.js';
export { largestSpikeWeight, type SpikeWeighingCall } from './calls/weighSpikes.js';
export {
  byteLengthOf,
  type Counters,
  type MemoryBlock,
  type Storage,
  spikeWords,
  type Tensor,
  tensorAlignment,
} from './tensor.js';

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
  /** Any call of `engines/calls/`; the methods below are a short way to say the same. */
  record<Call extends NamedCall>(kernel: KernelCall<Call>, call: Call): void;
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
  /** Copies words of spikes into a tensor, from its word `first` on (0 when not given); words may also hold whole numbers, for kernels that take such. */
  writeSpikes(tensor: Tensor, words: Uint32Array, first?: number): Promise<void>;
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
