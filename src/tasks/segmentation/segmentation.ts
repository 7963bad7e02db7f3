/** Segmentation: what does every pixel show? */
import type { MaskTargets } from '../../data/targets/masks.js';
import type { SegmentationCounts } from '../../metrics/segmentation.js';
import { semanticPyramid } from '../../models/semanticPyramid.js';
import type { Task } from '../task.js';
import { type Segmentation, segmentationAnswers } from './answer.js';
import { segmentationComparing } from './comparing.js';
import { type SegmentationFields, segmentationEvaluation } from './evaluation.js';
import { meanIouMetric } from './metric.js';
import { type MaskBatch, pixelCrossEntropy } from './objective.js';
import { pixelScores } from './ownPixels.js';
import { segmentationSettings } from './settings.js';

export const segmentation: Task<
  typeof segmentationSettings.shape,
  MaskTargets,
  MaskBatch,
  SegmentationCounts,
  Segmentation,
  SegmentationFields
> = {
  name: 'segmentation',
  head: semanticPyramid,
  recognises: (shapes) => shapes.has('decode_head.conv_seg.weight'),
  targets: { reading: { from: 'masks' }, names: ({ classes }) => classes, called: 'classes' },
  settings: segmentationSettings,
  contradictions: ({ classWeights }, { model, mixes }) => [
    ...(mixes
      ? [
          {
            path: ['augmentation', 'mix'],
            message: 'augmentation.mix mixes classes of images, not of pixels; leave it out',
          },
        ]
      : []),
    ...(classWeights !== null && model?.classes !== undefined && classWeights.length !== model.classes
      ? [
          {
            path: ['loss', 'classWeights'],
            message: `loss.classWeights has ${classWeights.length} weights for ${model.classes} classes; give one for each`,
          },
        ]
      : []),
  ],
  teacher: () => undefined,
  objective: pixelCrossEntropy,
  metric: meanIouMetric,
  telling: segmentationAnswers,
  evaluating: segmentationEvaluation,
  comparing: segmentationComparing,
  pixelScores,
};
