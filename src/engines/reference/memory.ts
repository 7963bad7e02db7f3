/**
 * The reference engine's memory: one ArrayBuffer per block, seen through typed arrays. Not an allocator; who lies where is
 * decided by whoever records the calls. Every view is checked against its block, so that a wrong plan fails with the
 * name of the layer instead of computing with someone else's numbers.
 */
import { formatShape } from '../../graph/shape.js';
import { EngineError } from '../errors.js';
import { byteLengthOf, type MemoryBlock, spikeWords, type Tensor, tensorAlignment } from '../tensor.js';

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

/** The numbers of a real tensor that holds float64, each in the place of two elements. */
export function doubleView(user: string, tensor: Tensor): Float64Array {
  const { buffer, byteOffset, length } = realView(user, tensor);
  return new Float64Array(buffer, byteOffset, length / 2);
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

/** 1 or 0. */
export function spikeAt(words: Uint32Array, position: number, channel: number, channels: number): number {
  return (words[position * spikeWords(channels) + (channel >>> 5)]! >>> (channel & 31)) & 1;
}
