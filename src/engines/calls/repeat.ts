/** The same at every time step. */
import { elementCount } from '../../graph/shape.js';
import { expectApart, expectWhole } from '../checks.js';
import { EngineError } from '../errors.js';
import { byteLengthOf, type Tensor } from '../tensor.js';
import { defineCall } from './call.js';

/** Writes the input `times` times, one after the other (a still image shown at every time step). */
export interface RepeatCall {
  readonly name: string;
  readonly times: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

export const repeat = defineCall<RepeatCall>('repeat', {
  check: ({ name, times, input, output }) => {
    expectWhole(name, { times });
    const inputBytes = byteLengthOf(input.shape, input.storage);
    if (input.storage !== output.storage || byteLengthOf(output.shape, output.storage) !== times * inputBytes) {
      throw new EngineError(
        `${name}: ${elementCount(input.shape)} ${input.storage} cannot become ${elementCount(output.shape)} ${output.storage} by showing them ${times} times`,
      );
    }
    expectApart(name, output, [input]);
  },
  reads: ({ input }) => [input],
  writes: ({ output }) => [output],
});
