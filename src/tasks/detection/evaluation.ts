/** What the evaluation of a detector says: COCO's twelve figures of its boxes, and of its masks where detector and data have some; and how detections of each image met objects, which parts of an evaluation add up. */
import { z } from 'zod';
import { UsageError } from '../../errors.js';
import { type CocoCounts, type CocoFigures, scoreCoco } from '../../metrics/cocoMap.js';
import type { Compared } from '../../metrics/cocoMatching.js';
import type { Evaluating } from '../task.js';
import { percent } from '../words.js';
import { boxCounter, maskCounter, mergeDetections } from './metric.js';
import { type BoxBatch, hasMasks } from './truths.js';

const share = z.number().min(0).max(1).nullable();
const count = z.int().min(0);
const figureNames = [
  'averagePrecision',
  'averagePrecision50',
  'averagePrecision75',
  'averagePrecisionSmall',
  'averagePrecisionMedium',
  'averagePrecisionLarge',
  'averageRecall1',
  'averageRecall10',
  'averageRecall100',
  'averageRecallSmall',
  'averageRecallMedium',
  'averageRecallLarge',
] as const satisfies readonly (keyof CocoFigures)[];
type Figures = Record<(typeof figureNames)[number], number | null>;
const figures = z.strictObject(
  Object.fromEntries(figureNames.map((name) => [name, share])) as Record<(typeof figureNames)[number], typeof share>,
);

const comparedFields = {
  detection: figures,
  perClass: z.array(z.strictObject({ name: z.string(), ...figures.shape })),
  /** What the figures follow from: by class and image, scores from the highest and which thresholds they passed (`metrics/cocoMap.ts`). */
  matches: z.strictObject({
    images: z.array(count),
    matches: z.array(
      z.strictObject({
        image: count,
        class: count,
        scores: z.array(z.number()),
        ranges: z.array(z.strictObject({ truths: count, found: z.array(count), ignored: z.array(count) })),
      }),
    ),
  }),
};
const schema = z.object({
  ...comparedFields,
  /** The same of masks; absent where the detector makes none or the data has none. */
  masks: z.strictObject(comparedFields).optional(),
});

export type DetectionFields = z.output<typeof schema>;

export const detectionEvaluation: Evaluating<BoxBatch, DetectionFields> = {
  schema,
  begin: ({ network, labels, hasLabels }, { name, names }) => {
    if (names.length !== network.classes || (hasLabels && names.some((each, i) => each !== labels[i])))
      throw new UsageError(
        `${name}: its classes are ${names.join(', ')}, the model's are ${labels.join(', ')}; choose the data or the model that fits`,
      );
    const boxes = boxCounter(network.classes);
    const masks = network.regionChannels === undefined ? undefined : maskCounter(network.classes);
    let [images, withMasks] = [0, 0];
    return {
      notes: [],
      add: (outputs, batch) => {
        boxes.add(outputs, batch);
        images += batch.ends.length;
        if (!masks || !hasMasks(batch)) return;
        masks.add(outputs, batch);
        withMasks += batch.ends.length;
      },
      fields: () => {
        const found = fieldsOf(boxes.counts(), names);
        return masks && withMasks === images && images > 0
          ? { ...found, masks: fieldsOf(masks.counts(), names) }
          : found;
      },
    };
  },
  inconsistency: (fields, images, names) =>
    problemOf(fields, 'boxes', images, names) ??
    (fields.masks && prefixed('masks: ', problemOf(fields.masks, 'masks', images, names))),
  same: () => [],
  merge: (parts) => {
    const names = parts[0]!.perClass.map(({ name }) => name);
    const boxes = fieldsOf(mergeDetections(parts.map((part) => countsOf(part, 'boxes'))), names);
    // A shard without images has seen no masks.
    const seen = parts.filter(({ matches }) => matches.images.length > 0);
    const masks = seen.flatMap((part) => part.masks ?? []);
    if (masks.length === 0) return boxes;
    if (masks.length < seen.length)
      throw new UsageError('--merge: some shards count masks and some do not; evaluate them with one version');
    return { ...boxes, masks: fieldsOf(mergeDetections(masks.map((part) => countsOf(part, 'masks'))), names) };
  },
  holds: (classes) => `, boxes of ${classes.length} classes`,
  lines: (fields) => (fields.masks ? [...linesOf(fields), 'masks', ...linesOf(fields.masks)] : linesOf(fields)),
};

/** What is said of boxes, and of masks. */
type ComparedFields = Omit<DetectionFields, 'masks'>;

function linesOf({ detection, perClass }: ComparedFields): readonly string[] {
  const width = Math.max(...perClass.map(({ name }) => name.length));
  return [
    `mAP@.5       ${written(detection.averagePrecision50)}`,
    `mAP@.5:.95   ${written(detection.averagePrecision)}`,
    `mAP@.75      ${written(detection.averagePrecision75)}`,
    `by size      small ${written(detection.averagePrecisionSmall)}, medium ${written(detection.averagePrecisionMedium)}, large ${written(detection.averagePrecisionLarge)}`,
    `recall       1: ${written(detection.averageRecall1)}, 10: ${written(detection.averageRecall10)}, 100: ${written(detection.averageRecall100)}`,
    ...perClass.map(({ name, averagePrecision50 }) => `  ${name.padEnd(width)}  mAP@.5 ${written(averagePrecision50)}`),
  ];
}

function problemOf(
  fields: ComparedFields,
  compared: Compared,
  images: number,
  names: readonly string[],
): string | undefined {
  const { perClass, matches } = fields;
  if (perClass.length !== names.length || perClass.some(({ name }, i) => name !== names[i]))
    return 'perClass does not list the classes of the data';
  if (matches.images.length !== images) return 'matches does not count all images';
  const again = fieldsOf(countsOf(fields, compared), names);
  return JSON.stringify(again.detection) === JSON.stringify(fields.detection)
    ? undefined
    : 'the figures do not follow from matches';
}

function prefixed(prefix: string, problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `${prefix}${problem}`;
}

function fieldsOf(counts: CocoCounts, names: readonly string[]): ComparedFields {
  const { perClass, ...all } = scoreCoco(counts);
  const { images, matches } = counts;
  return {
    detection: nullable(all),
    perClass: names.map((name, i) => ({ name, ...nullable(perClass[i]!) })),
    matches: structuredClone({ images, matches }) as DetectionFields['matches'],
  };
}

function nullable(found: CocoFigures): Figures {
  return Object.fromEntries(figureNames.map((name) => [name, found[name] ?? null])) as Figures;
}

function countsOf({ perClass, matches }: ComparedFields, compared: Compared): CocoCounts {
  return { compared, classes: perClass.length, ...matches };
}

function written(figure: number | null): string {
  return figure === null ? 'unknown' : percent(figure);
}
