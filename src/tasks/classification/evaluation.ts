/**
 * What the evaluation of a classifier says: exact integer counts of right answers, per class folder and in all, so that the parts of an
 * evaluation add up to what one machine would have said.
 */
import { z } from 'zod';
import { matchClasses } from '../../data/matchClasses.js';
import { logitsOutput } from '../../graph/outputs.js';
import { AccuracyCounter, type AccuracyCounts, mergeAccuracy, totalOf } from '../../metrics/accuracy.js';
import { rankClasses } from '../../metrics/ranking.js';
import type { Evaluating, Evaluation, NamedAnswers, NamedTargets, Outputs } from '../task.js';
import type { Labels } from './metric.js';

const count = z.int().min(0);
const share = z.number().min(0).max(1).nullable();

const schema = z.object({
  top1: z.strictObject({ correct: count, accuracy: share }),
  top5: z.strictObject({ k: z.int().min(1), correct: count, accuracy: share }),
  /** In the order of the class folders; `class` is the model's number for it. */
  perClass: z.array(z.strictObject({ name: z.string(), class: count, images: count, top1: count, top5: count })),
});

export type AccuracyFields = z.output<typeof schema>;

export const accuracyEvaluation: Evaluating<Labels, AccuracyFields> = {
  schema,
  begin,
  combine: meanProbabilities,
  inconsistency: (fields, images, names) => {
    const { perClass, top1, top5 } = fields;
    const sums = countsOf(fields);
    if (perClass.length !== names.length || perClass.some(({ name }, i) => name !== names[i]))
      return 'perClass does not list the classes of the data';
    if (sums.images !== images || sums.top1 !== top1.correct || sums.topK !== top5.correct)
      return 'perClass does not add up to the totals';
    if (perClass.some((entry) => entry.top1 > entry.top5 || entry.top5 > entry.images))
      return 'a class has more right answers than images';
    return undefined;
  },
  same: ({ perClass, top5 }) => [
    ['of other classes', JSON.stringify(perClass.map((entry) => entry.class))],
    ['of another top-k', top5.k],
  ],
  merge: (parts) => fieldsOf(mergeAccuracy(parts.map(countsOf)), parts[0]!.perClass),
  holds: (classes) => ` in ${classes.length} class folder${classes.length === 1 ? '' : 's'}`,
  lines: ({ top1, top5 }, images) => [
    `top-1  ${rate(top1.accuracy)}  (${top1.correct} of ${images})`,
    `top-${top5.k}  ${rate(top5.accuracy)}  (${top5.correct} of ${images})`,
  ],
};

/** The mean of the networks' softmax: each counts alike, however large its scores are. */
function meanProbabilities(outputs: readonly Outputs[]): Outputs {
  const { shape } = outputs[0]!.get(logitsOutput)!;
  const [samples, classes] = shape as [number, number];
  const sum = new Float32Array(samples * classes);
  for (const output of outputs) {
    const { data } = output.get(logitsOutput)!;
    for (let sample = 0; sample < samples; sample++) {
      const scores = data.subarray(sample * classes, (sample + 1) * classes);
      for (const { index, probability } of rankClasses(scores, classes))
        sum[sample * classes + index]! += probability / outputs.length;
    }
  }
  return new Map([[logitsOutput, { shape, data: sum }]]);
}

function begin(model: NamedAnswers, data: NamedTargets): Evaluation<Labels, AccuracyFields> {
  const { classes } = model.network;
  const classOf = matchClasses({ ...model, classes }, data.names, data.name);
  const counter = new AccuracyCounter(classes);
  const folders = data.names.length;
  const unnamed = `the model does not name its ${classes} classes; folder i of ${folders} class folder${folders === 1 ? '' : 's'}, sorted by name, is taken for class i; --labels FILE names them`;
  return {
    notes: !model.hasLabels && folders < classes ? [unnamed] : [],
    add: (outputs, { labels }) =>
      counter.add(
        outputs.get(logitsOutput)!.data,
        Array.from(labels, (label) => classOf[label] ?? -1),
      ),
    fields: () => {
      const counts = counter.counts();
      const perClass = classOf.map((number) => counts.perClass[number]!);
      const folders = data.names.map((name, index) => ({ name, class: classOf[index]! }));
      return fieldsOf({ k: counts.k, ...totalOf(perClass), perClass }, folders);
    },
  };
}

function fieldsOf(
  { k, images, top1, topK, perClass }: AccuracyCounts,
  folders: readonly { readonly name: string; readonly class: number }[],
): AccuracyFields {
  const accuracy = (correct: number) => (images === 0 ? null : correct / images);
  return {
    top1: { correct: top1, accuracy: accuracy(top1) },
    top5: { k, correct: topK, accuracy: accuracy(topK) },
    perClass: perClass.map((entry, i) => ({
      name: folders[i]!.name,
      class: folders[i]!.class,
      images: entry.images,
      top1: entry.top1,
      top5: entry.topK,
    })),
  };
}

function countsOf({ perClass, top5 }: AccuracyFields): AccuracyCounts {
  const counts = perClass.map(({ images, top1, top5: topK }) => ({ images, top1, topK }));
  return { k: top5.k, ...totalOf(counts), perClass: counts };
}

function rate(accuracy: number | null): string {
  return accuracy === null ? 'unknown' : `${(100 * accuracy).toFixed(2)} %`;
}
