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
import { regionObjective, withoutMasks } from './regionObjective.js';
import { detectionSettings } from './settings.js';
import type { BoxBatch } from './truths.js';

const ofRegions = 'is for a detector with regions; set model.regionChannels, or leave it out';

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
  targets: {
    reading: { from: 'boxes' },
    names: ({ classes }) => classes,
    called: 'classes',
    unfit: ({ masks }, { regionChannels }) =>
      regionChannels === undefined || masks !== undefined
        ? undefined
        : { path: ['model', 'regionChannels'], message: withoutMasks },
  },
  settings: detectionSettings,
  contradictions: ({ regions }, { mixes, model }) => [
    ...(mixes
      ? [{ path: ['augmentation', 'mix'], message: 'augmentation.mix mixes classes, not boxes; leave it out' }]
      : []),
    ...(regions !== undefined && model !== undefined && model.regionChannels === undefined
      ? [{ path: ['loss', 'regions'], message: `loss.regions ${ofRegions}` }]
      : []),
  ],
  teacher: () => undefined,
  objective: (settings, network) =>
    network.regionChannels === undefined ? pointObjective(settings, network) : regionObjective(settings, network),
  metric: averagePrecisionMetric,
  telling: detectionAnswers,
  evaluating: detectionEvaluation,
  comparing: detectionComparing,
};
