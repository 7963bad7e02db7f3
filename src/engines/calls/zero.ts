/** Zeros, where a gradient is to be added up. */
import { expectReal } from '../checks.js';
import type { Tensor } from '../tensor.js';
import { defineCall } from './call.js';

/** `tensor = 0`. */
export interface ZeroCall {
  readonly name: string;
  /** Real. */
  readonly tensor: Tensor;
}

export const zero = defineCall<ZeroCall>('zero', {
  check: ({ name, tensor }) => expectReal(name, tensor),
  reads: () => [],
  writes: ({ tensor }) => [tensor],
});
