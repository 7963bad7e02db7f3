/** Classification: which of the classes is in the image? */
import type { ClassTargets } from '../../data/targets/classes.js';
import type { AccuracyCounts } from '../../metrics/accuracy.js';
import type { Task } from '../task.js';
import { type ClassAnswer, classAnswers } from './answer.js';
import { type AccuracyFields, accuracyEvaluation } from './evaluation.js';
import { accuracyMetric } from './metric.js';
import { type ClassBatch, objectiveOf } from './objective.js';
import { classificationSettings, contradictions } from './settings.js';

export const classification: Task<
  typeof classificationSettings.shape,
  ClassTargets,
  ClassBatch,
  AccuracyCounts,
  ClassAnswer,
  AccuracyFields
> = {
  name: 'classification',
  head: () => undefined,
  targets: { reading: { from: 'classFolders' }, names: ({ classes }) => classes, called: 'classes' },
  settings: classificationSettings,
  contradictions,
  teacher: ({ distillation }) => {
    if (distillation === null || distillation.teacher === null) return undefined;
    return { path: distillation.teacher, normalisation: distillation.normalisation };
  },
  objective: objectiveOf,
  metric: accuracyMetric,
  telling: classAnswers,
  evaluating: accuracyEvaluation,
};
