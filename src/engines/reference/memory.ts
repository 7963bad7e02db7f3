/**
 * The reference engine's memory: one ArrayBuffer per block, seen through typed arrays. Not an allocator; who lies where is
 * decided by whoever records the calls. Every view is checked against its block, so that a wrong plan fails with the
 * name of the layer instead of computing with someone else's numbers.
 */
import { channelsOf, elementCount, formatShape } from '../../graph/shape.js';
import { EngineError } from '../errors.js';
import { byteLengthOf, type MemoryBlock, type Tensor, tensorAlignment } from '../kernels.js';

export class ReferenceBlock implements MemoryBlock {
  readonly buffer: ArrayBuffer;

  constructor(readonly byteLength: number) {
    if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
      throw new EngineError(`a memory block of ${byteLength} bytes was asked for: give a whole number, 0 or more`);
    }
    try {
      this.buffer = new ArrayBuffer(byteLength);
    } catch (cause) {
      throw new EngineError(`out of memory: no block of ${byteLength} bytes is left; use a smaller batch or image`, {
        cause,
      });
    }
  }
}

/** The elements of a real tensor. Throws EngineError naming `user` when the tensor holds spikes or leaves its block. */
export function realView(user: string, tensor: Tensor): Float32Array {
  if (tensor.storage !== 'real') {
    throw new EngineError(`${user}: found a tensor of spikes ${formatShape(tensor.shape)}, expected real numbers`);
  }
  return new Float32Array(bufferOf(user, tensor), tensor.byteOffset, byteLengthOf(tensor.shape, 'real') / 4);
}

/** The words of a spike tensor. Throws EngineError naming `user` when the tensor is real or leaves its block. */
export function spikeView(user: string, tensor: Tensor): Uint32Array {
  if (tensor.storage !== 'spikes') {
    throw new EngineError(`${user}: found a real tensor ${formatShape(tensor.shape)}, expected spikes`);
  }
  return wordView(user, tensor);
}

/** The 32-bit words of a tensor, whatever they mean. */
export function wordView(user: string, tensor: Tensor): Uint32Array {
  return new Uint32Array(bufferOf(user, tensor), tensor.byteOffset, byteLengthOf(tensor.shape, tensor.storage) / 4);
}

function bufferOf(user: string, tensor: Tensor): ArrayBuffer {
  const { block, byteOffset, shape, storage } = tensor;
  if (!(block instanceof ReferenceBlock)) {
    throw new EngineError(`${user}: the tensor ${formatShape(shape)} lies in another engine's memory`);
  }
  if (byteOffset < 0 || byteOffset % tensorAlignment !== 0) {
    throw new EngineError(`${user}: a tensor starts at byte ${byteOffset}, expected a multiple of ${tensorAlignment}`);
  }
  const end = byteOffset + byteLengthOf(shape, storage);
  if (!(end <= block.byteLength)) {
    throw new EngineError(
      `${user}: the tensor ${formatShape(shape)} ends at byte ${end} of a block of ${block.byteLength} bytes`,
    );
  }
  return block.buffer;
}

/** Throws EngineError unless the tensor has `count` elements and, if it holds spikes, `channels` of them per position. */
export function expectSize(user: string, role: string, tensor: Tensor, count: number, channels: number): void {
  const found = elementCount(tensor.shape);
  if (found !== count) {
    throw new EngineError(
      `${user}: ${role} ${formatShape(tensor.shape)} has ${found} elements, the geometry of the call expects ${count}`,
    );
  }
  if (tensor.storage === 'spikes' && channelsOf(tensor.shape) !== channels) {
    throw new EngineError(
      `${user}: ${role} ${formatShape(tensor.shape)} packs ${channelsOf(tensor.shape)} channels, expected ${channels}`,
    );
  }
}

/** Throws EngineError unless the tensor is as long as the output or a whole fraction of it (broadcast over time). */
export function expectFraction(user: string, role: string, tensor: Tensor, outputLength: number): void {
  const length = elementCount(tensor.shape);
  if (length === 0 || outputLength % length !== 0) {
    throw new EngineError(
      `${user}: ${role} ${formatShape(tensor.shape)} cannot be repeated to the output's ${outputLength} elements`,
    );
  }
}

/** Throws EngineError unless the array of parameters has `length` numbers. */
export function expectLength(user: string, role: string, values: Float32Array, length: number): void {
  if (values.length !== length) {
    throw new EngineError(`${user}: ${role} has ${values.length} numbers, expected ${length}`);
  }
}

/** Throws EngineError unless every number is a whole one, at least `least`. */
export function expectWhole(user: string, numbers: Readonly<Record<string, number>>, least = 1): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new EngineError(`${user}: ${name} is ${value}, expected a whole number of at least ${least}`);
    }
  }
}

/** Throws EngineError when writing the output would destroy an input that is still to be read. */
export function expectApart(user: string, output: Tensor, inputs: readonly Tensor[]): void {
  for (const input of inputs) {
    if (overlap(output, input)) {
      throw new EngineError(
        `${user}: output ${formatShape(output.shape)} overlaps an input, give it memory of its own`,
      );
    }
  }
}

/** As `expectApart`, for calls that read each element just before they write it: the very same memory is allowed. */
export function expectApartOrSame(user: string, output: Tensor, inputs: readonly Tensor[]): void {
  expectApart(
    user,
    output,
    inputs.filter((input) => !sameMemory(output, input)),
  );
}

function overlap(a: Tensor, b: Tensor): boolean {
  return a.block === b.block && a.byteOffset < endOf(b) && b.byteOffset < endOf(a);
}

function sameMemory(a: Tensor, b: Tensor): boolean {
  return a.block === b.block && a.byteOffset === b.byteOffset && endOf(a) === endOf(b);
}

function endOf(tensor: Tensor): number {
  return tensor.byteOffset + byteLengthOf(tensor.shape, tensor.storage);
}
