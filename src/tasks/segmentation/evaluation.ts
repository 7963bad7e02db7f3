/** What the evaluation of a segmentation says: pixels of each class by what they were called, which parts of an evaluation add up. */
import { z } from 'zod';
import { UsageError } from '../../errors.js';
import { mergeSegmentation, type SegmentationCounts, scoreSegmentation } from '../../metrics/segmentation.js';
import type { Evaluating } from '../task.js';
import { percent } from '../words.js';
import { meanIouMetric } from './metric.js';
import type { MaskBatch } from './objective.js';

const share = z.number().min(0).max(1).nullable();
const pixels = z.int().min(0);

const schema = z.object({
  meanIou: share,
  pixelAccuracy: share,
  meanAccuracy: share,
  /** In the order of the classes; `calledAs[k]` of the class's pixels were called class k, `unnamed` by no class's number. */
  perClass: z.array(
    z.strictObject({ name: z.string(), iou: share, accuracy: share, calledAs: z.array(pixels), unnamed: pixels }),
  ),
});

export type SegmentationFields = z.output<typeof schema>;

export const segmentationEvaluation: Evaluating<MaskBatch, SegmentationFields> = {
  schema,
  begin: ({ network, labels, hasLabels }, { name, names }) => {
    if (names.length !== network.classes || (hasLabels && names.some((each, i) => each !== labels[i])))
      throw new UsageError(
        `${name}: its classes are ${names.join(', ')}, the model's are ${labels.join(', ')}; choose the data or the model that fits`,
      );
    const counter = meanIouMetric(network).counter();
    return { notes: [], add: counter.add, fields: () => fieldsOf(counter.counts(), names) };
  },
  inconsistency: (fields, _images, names) => {
    const { perClass } = fields;
    if (perClass.length !== names.length || perClass.some(({ name }, i) => name !== names[i]))
      return 'perClass does not list the classes of the data';
    if (perClass.some(({ calledAs }) => calledAs.length !== names.length)) return 'perClass does not count every class';
    const figures = ({ meanIou, pixelAccuracy, meanAccuracy }: SegmentationFields) => [
      meanIou,
      pixelAccuracy,
      meanAccuracy,
    ];
    return `${figures(fields)}` === `${figures(fieldsOf(countsOf(fields), names))}`
      ? undefined
      : 'the means do not follow from perClass';
  },
  same: () => [],
  merge: (parts) =>
    fieldsOf(
      mergeSegmentation(parts.map(countsOf)),
      parts[0]!.perClass.map(({ name }) => name),
    ),
  holds: (classes) => `, pixels of ${classes.length} classes`,
  lines: ({ meanIou, pixelAccuracy, meanAccuracy, perClass }) => {
    const width = Math.max(...perClass.map(({ name }) => name.length));
    return [
      `mIoU            ${written(meanIou)}`,
      `pixel accuracy  ${written(pixelAccuracy)}`,
      `class accuracy  ${written(meanAccuracy)}`,
      ...perClass.map(({ name, iou }) => `  ${name.padEnd(width)}  ${written(iou)}`),
    ];
  },
};

function fieldsOf(counts: SegmentationCounts, names: readonly string[]): SegmentationFields {
  const { classes, confusion, unnamed } = counts;
  const { meanIou, pixelAccuracy, meanAccuracy, perClass } = scoreSegmentation(counts);
  return {
    meanIou: meanIou ?? null,
    pixelAccuracy: pixelAccuracy ?? null,
    meanAccuracy: meanAccuracy ?? null,
    perClass: names.map((name, i) => ({
      name,
      iou: perClass[i]!.iou ?? null,
      accuracy: perClass[i]!.accuracy ?? null,
      calledAs: confusion.slice(i * classes, (i + 1) * classes),
      unnamed: unnamed[i]!,
    })),
  };
}

function countsOf({ perClass }: SegmentationFields): SegmentationCounts {
  return {
    classes: perClass.length,
    confusion: perClass.flatMap(({ calledAs }) => calledAs),
    unnamed: perClass.map(({ unnamed }) => unnamed),
  };
}

function written(figure: number | null): string {
  return figure === null ? 'unknown' : percent(figure);
}
