/** Retrieval: which other picture shows this place? */
import type { PlaceBatch, PlaceTargets } from '../../data/targets/places.js';
import { descriptorHead } from '../../models/descriptorHead.js';
import type { Task } from '../task.js';
import { type Description, descriptions } from './answer.js';
import type { Direction } from './directions.js';
import { type RetrievalFields, retrievalEvaluation } from './evaluation.js';
import { recallMetric } from './metric.js';
import { pairsLoss } from './objective.js';
import { retrievalSettings } from './settings.js';

export const retrieval: Task<
  typeof retrievalSettings.shape,
  PlaceTargets,
  PlaceBatch,
  readonly Direction[],
  Description,
  RetrievalFields
> = {
  name: 'retrieval',
  head: ({ classes }) => descriptorHead(classes),
  recognises: (shapes) => shapes.has('descriptor_head.proj.weight'),
  targets: { reading: { from: 'places' }, names: ({ views }) => views, called: 'numbers', numbersAreFree: true },
  settings: retrievalSettings,
  contradictions: (_, { mixes }) =>
    mixes
      ? [{ path: ['augmentation', 'mix'], message: 'augmentation.mix mixes classes, not places; leave it out' }]
      : [],
  teacher: () => undefined,
  objective: pairsLoss,
  metric: recallMetric,
  telling: descriptions,
  evaluating: retrievalEvaluation,
};
