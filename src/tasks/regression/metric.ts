/** How good numbers are: the mean absolute error, the lower the better. */
import { UsageError } from '../../errors.js';
import type { AnsweringNetwork, Metric } from '../task.js';
import { type ValueBatch, valuesOutput } from './objective.js';

export interface ErrorSums {
  readonly samples: number;
  /** Σ |y − t| over the samples, for each of the numbers. */
  readonly absolute: readonly number[];
}

export function absoluteErrorMetric({ classes: outputs }: AnsweringNetwork): Metric<ValueBatch, ErrorSums> {
  return {
    name: 'meanAbsoluteError',
    counter: () => {
      const absolute = new Array<number>(outputs).fill(0);
      let samples = 0;
      return {
        add: (answers, { values: targets }) => {
          const { data } = answers.get(valuesOutput)!;
          for (const [i, value] of data.entries()) absolute[i % outputs]! += Math.abs(value - targets[i]!);
          samples += data.length / outputs;
        },
        counts: () => ({ samples, absolute: [...absolute] }),
      };
    },
    merge: mergeErrors,
    figure: meanAbsoluteError,
    better: (a, b) => a < b,
    progress: {
      sums: ['absoluteError'],
      figure: ({ absoluteError = 0 }, samples) => absoluteError / (samples * outputs),
    },
    words: {
      short,
      on: (error, samples) => `${short(error)} on ${samples}`,
      described: (error, samples) => `${short(error)} on ${samples}`,
    },
  };
}

/** Over all numbers; undefined without samples. */
export function meanAbsoluteError({ samples, absolute }: ErrorSums): number | undefined {
  const sum = absolute.reduce((a, b) => a + b, 0);
  return samples === 0 ? undefined : sum / (samples * absolute.length);
}

/** @throws UsageError when the parts are of other numbers, or there are none. */
export function mergeErrors(parts: readonly ErrorSums[]): ErrorSums {
  const [first] = parts;
  if (!first || parts.some(({ absolute }) => absolute.length !== first.absolute.length))
    throw new UsageError('errors: the parts are of different numbers; merge parts of one evaluation');
  return {
    samples: parts.reduce((sum, { samples }) => sum + samples, 0),
    absolute: first.absolute.map((_, i) => parts.reduce((sum, { absolute }) => sum + absolute[i]!, 0)),
  };
}

function short(error: number): string {
  return `off by ${error.toPrecision(3)}`;
}
