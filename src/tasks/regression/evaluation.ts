/** What the evaluation of a regression says: sums of errors for each number, which parts of an evaluation add up. */
import { z } from 'zod';
import { UsageError } from '../../errors.js';
import type { Evaluating } from '../task.js';
import { absoluteErrorMetric, type ErrorSums, meanAbsoluteError, mergeErrors } from './metric.js';
import type { ValueBatch } from './objective.js';

const schema = z.object({
  meanAbsoluteError: z.number().min(0).nullable(),
  perValue: z.array(z.strictObject({ name: z.string(), samples: z.int().min(0), absoluteErrors: z.number().min(0) })),
});

export type ErrorFields = z.output<typeof schema>;

export const errorEvaluation: Evaluating<ValueBatch, ErrorFields> = {
  schema,
  begin: ({ network, labels, hasLabels }, { name, names }) => {
    const differ = names.length !== network.classes || (hasLabels && names.some((each, i) => each !== labels[i]));
    if (differ)
      throw new UsageError(
        `${name}: its numbers are ${names.join(', ')}, the model answers ${labels.join(', ')}; choose the data or the model that fits`,
      );
    const counter = absoluteErrorMetric(network).counter();
    return { notes: [], add: counter.add, fields: () => fieldsOf(counter.counts(), names) };
  },
  inconsistency: ({ perValue }, images, names) => {
    if (perValue.length !== names.length || perValue.some(({ name }, i) => name !== names[i]))
      return 'perValue does not list the numbers of the data';
    return perValue.some(({ samples }) => samples !== images) ? 'perValue does not count all images' : undefined;
  },
  same: () => [],
  merge: (parts) =>
    fieldsOf(
      mergeErrors(parts.map(sumsOf)),
      parts[0]!.perValue.map(({ name }) => name),
    ),
  holds: (names) => `, each with ${names.join(', ')}`,
  lines: ({ meanAbsoluteError: mean, perValue }, images) => [
    `mean absolute error  ${mean === null ? 'unknown' : mean.toPrecision(4)}`,
    ...(perValue.length === 1
      ? []
      : perValue.map(({ name, absoluteErrors }) => `${name}  ${(absoluteErrors / images).toPrecision(4)}`)),
  ],
};

function fieldsOf(sums: ErrorSums, names: readonly string[]): ErrorFields {
  const { samples, absolute } = sums;
  return {
    meanAbsoluteError: meanAbsoluteError(sums) ?? null,
    perValue: names.map((name, i) => ({ name, samples, absoluteErrors: absolute[i]! })),
  };
}

function sumsOf({ perValue }: ErrorFields): ErrorSums {
  return { samples: perValue[0]?.samples ?? 0, absolute: perValue.map(({ absoluteErrors }) => absoluteErrors) };
}
