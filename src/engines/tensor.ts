/** What calls are about: tensors in an engine's memory, and how their elements lie there. */
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

/** Whole numbers that a program counts while it runs: 0 at the start of every run, added to by the calls that are given them. Only the engine that made them can read them. */
export interface Counters {
  readonly length: number;
}
