/** Regression: how large are these numbers of the image? */
import { z } from 'zod';
import type { ValueTargets } from '../../data/targets/values.js';
import type { Task } from '../task.js';
import { type NamedValue, valueAnswers } from './answer.js';
import { type ErrorFields, errorEvaluation } from './evaluation.js';
import { absoluteErrorMetric, type ErrorSums } from './metric.js';
import { squaredError, type ValueBatch, valuesHead } from './objective.js';
import { readTargets } from './targets.js';

const settings = z.strictObject({});

export const regression: Task<
  typeof settings.shape,
  ValueTargets,
  ValueBatch,
  ErrorSums,
  readonly NamedValue[],
  ErrorFields
> = {
  name: 'regression',
  head: valuesHead,
  targets: { reading: { from: 'annotations', read: readTargets }, names: ({ names }) => names, called: 'values' },
  settings,
  contradictions: (_, { mixes }) =>
    mixes
      ? [{ path: ['augmentation', 'mix'], message: 'augmentation.mix mixes classes, not numbers; leave it out' }]
      : [],
  teacher: () => undefined,
  objective: squaredError,
  metric: absoluteErrorMetric,
  telling: valueAnswers,
  evaluating: errorEvaluation,
};
