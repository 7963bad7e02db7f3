/** Scaling and shifting each channel. */
import { expectApartOrSame, expectLength, expectReal, expectSize, expectWhole } from '../checks.js';
import type { Tensor } from '../tensor.js';
import { defineCall } from './call.js';

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

export const scaleShift = defineCall<ScaleShiftCall>('scaleShift', {
  check: (call) => {
    const { name, rows, channels } = call;
    expectWhole(name, { rows, channels });
    expectReal(name, call.input, call.output);
    expectSize(name, 'input', call.input, rows * channels, channels);
    expectSize(name, 'output', call.output, rows * channels, channels);
    expectLength(name, 'scale', call.scale, channels);
    expectLength(name, 'shift', call.shift, channels);
    expectApartOrSame(name, call.output, [call.input]);
  },
  reads: ({ input }) => [input],
  writes: ({ output }) => [output],
});
