/** Detection: what is where? */
import type { BoxTargets } from '../../data/targets/boxes.js';
import type { CocoCounts } from '../../metrics/cocoMap.js';
import { pointHead } from '../../models/pointHead.js';
import { regionHeads } from '../../models/regionHeads.js';
import type { Task } from '../task.js';
import { detectionAnswers, type FoundObject } from './answer.js';
import { detectionComparing } from './comparing.js';
import { type DetectionFields, detectionEvaluation } from './evaluation.js';
import { followRegions } from './follow.js';
import { averagePrecisionMetric } from './metric.js';
import { pointObjective } from './objective.js';
import { detectionSettings } from './settings.js';
import type { BoxBatch } from './truths.js';

/** Of a Mask R-CNN. */
const untrained = 'makes a detector with regions, which is run here but not trained; leave it out';

export const detection: Task<
  typeof detectionSettings.shape,
  BoxTargets,
  BoxBatch,
  CocoCounts,
  readonly FoundObject[],
  DetectionFields
> = {
  name: 'detection',
  head: (network) =>
    network.regionChannels === undefined
      ? pointHead(network)
      : regionHeads({ ...network, regionChannels: network.regionChannels }),
  recognises: (shapes) =>
    shapes.has('point_head.levels.0.points.weight') || shapes.has('roi_head.bbox_head.fc_cls.weight'),
  follow: (network, graph, options) =>
    network.regionChannels === undefined ? undefined : followRegions(network, graph, options),
  targets: { reading: { from: 'boxes' }, names: ({ classes }) => classes, called: 'classes' },
  settings: detectionSettings,
  contradictions: (_, { mixes, model }) => [
    ...(mixes
      ? [{ path: ['augmentation', 'mix'], message: 'augmentation.mix mixes classes, not boxes; leave it out' }]
      : []),
    ...(model?.regionChannels === undefined
      ? []
      : [{ path: ['model', 'regionChannels'], message: `model.regionChannels ${untrained}` }]),
  ],
  teacher: () => undefined,
  objective: pointObjective,
  metric: averagePrecisionMetric,
  telling: detectionAnswers,
  evaluating: detectionEvaluation,
  comparing: detectionComparing,
};
