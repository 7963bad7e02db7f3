/** Detection: what is where? */
import type { BoxTargets } from '../../data/targets/boxes.js';
import type { CocoCounts } from '../../metrics/cocoMap.js';
import { pointHead } from '../../models/pointHead.js';
import type { Task } from '../task.js';
import { detectionAnswers, type FoundObject } from './answer.js';
import { detectionComparing } from './comparing.js';
import { type DetectionFields, detectionEvaluation } from './evaluation.js';
import { averagePrecisionMetric } from './metric.js';
import { type BoxBatch, pointObjective } from './objective.js';
import { detectionSettings } from './settings.js';

export const detection: Task<
  typeof detectionSettings.shape,
  BoxTargets,
  BoxBatch,
  CocoCounts,
  readonly FoundObject[],
  DetectionFields
> = {
  name: 'detection',
  head: pointHead,
  recognises: (shapes) => shapes.has('point_head.levels.0.points.weight'),
  targets: { reading: { from: 'boxes' }, names: ({ classes }) => classes, called: 'classes' },
  settings: detectionSettings,
  contradictions: (_, { mixes }) =>
    mixes
      ? [{ path: ['augmentation', 'mix'], message: 'augmentation.mix mixes classes, not boxes; leave it out' }]
      : [],
  teacher: () => undefined,
  objective: pointObjective,
  metric: averagePrecisionMetric,
  telling: detectionAnswers,
  evaluating: detectionEvaluation,
  comparing: detectionComparing,
};
