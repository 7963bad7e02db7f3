/** Sums of two tensors, and of a tensor and a number that changes between runs. */
import { elementCount } from '../../graph/shape.js';
import { expectApart, expectApartOrSame, expectFraction, expectReal, expectRealSize } from '../checks.js';
import type { Tensor } from '../tensor.js';
import { defineCall } from './call.js';

/** `output = a + b`; either may be a whole fraction of the output's length and is then repeated (broadcast over time). */
export interface AddCall {
  readonly name: string;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly output: Tensor;
}

export const add = defineCall<AddCall>('add', {
  check: ({ name, a, b, output }) => {
    expectReal(name, a, b, output);
    const length = elementCount(output.shape);
    expectFraction(name, 'a', a, length);
    expectFraction(name, 'b', b, length);
    expectApartOrSame(name, output, [a, b]);
  },
  reads: ({ a, b }) => [a, b],
  writes: ({ output }) => [output],
});

/** `tensor += value`: a number that the caller writes between runs, added to every element. */
export interface AddConstantCall {
  readonly name: string;
  /** Real. */
  readonly tensor: Tensor;
  /** Real, one element. */
  readonly value: Tensor;
}

export const addConstant = defineCall<AddConstantCall>('addConstant', {
  check: ({ name, tensor, value }) => {
    expectReal(name, tensor);
    expectRealSize(name, 'value', value, 1);
    expectApart(name, tensor, [value]);
  },
  reads: ({ tensor, value }) => [tensor, value],
  writes: ({ tensor }) => [tensor],
});
