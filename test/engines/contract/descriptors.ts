/** Cases of the kernels behind descriptors. */
import { SeededNumbers } from '../support.js';
import { type Case, real, result, TensorSpec } from './specs.js';

const rowSizes = [
  [1, 1],
  [3, 5],
  [7, 33],
  [16, 64],
  [5, 256],
] as const;

function ofRows(isGradient: boolean): Case[] {
  return rowSizes.map(([rows, channels], index) => {
    const numbers = new SeededNumbers(index + 1);
    const shape = [rows, channels];
    const accumulate = index % 2 === 1;
    const input = real(numbers, shape);
    // A row of zeros has a gradient, but no slope that could be measured.
    if (isGradient && rows === 7) input.values?.fill(0, 0, channels);
    return {
      title: `${rows} rows of ${channels}`,
      call: {
        ...{ rows, channels, input },
        ...(isGradient
          ? {
              accumulate,
              outputGradient: real(numbers, shape),
              inputGradient: accumulate ? real(numbers, shape) : result(shape),
            }
          : { output: result(shape) }),
      },
    };
  });
}

/** Below, at and above the limit; e^s is 1, 7.4, 90, 149. */
const logarithms = [0, 2, 4.5, 5];

function ofTemperatures(isGradient: boolean): Case[] {
  return logarithms.flatMap((value) =>
    [1, 6, 517].map((elements, index) => {
      const numbers = new SeededNumbers(index + 3);
      const logarithm = new TensorSpec('real', [1], Float32Array.of(value));
      const accumulate = index === 1;
      const shape = [elements];
      return {
        title: `${elements} elements, e^${value}`,
        call: {
          ...{ elements, limit: 100, input: real(numbers, shape), logarithm },
          ...(isGradient
            ? {
                accumulate,
                outputGradient: real(numbers, shape),
                inputGradient: accumulate ? real(numbers, shape) : result(shape),
                logarithmGradient: new TensorSpec('real', [1], Float32Array.of(0.25)),
              }
            : { output: result(shape) }),
        },
      };
    }),
  );
}

export const descriptorCases: Readonly<Record<string, () => Case[]>> = {
  unitRows: () => ofRows(false),
  unitRowsGradient: () => ofRows(true),
  temperature: () => ofTemperatures(false),
  temperatureGradient: () => ofTemperatures(true),
};
