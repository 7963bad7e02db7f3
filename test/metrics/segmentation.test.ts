/** Against mmsegmentation's IoUMetric, run on made-up masks with classes that are absent, ignored or predicted beyond the last; and small masks counted by hand. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import {
  type ClassSegmentation,
  mergeSegmentation,
  SegmentationCounter,
  type SegmentationScores,
  scoreSegmentation,
} from '../../src/metrics/segmentation.js';
import { sharedPath } from '../shared.js';
import { readTensors } from '../support/safetensors.js';

type Summary = Readonly<Record<'aAcc' | 'mIoU' | 'mAcc' | 'mDice' | 'mFscore' | 'mPrecision' | 'mRecall', number>>;

interface GoldenCase {
  readonly id: string;
  readonly classes: number;
  readonly ignore_index: number;
  readonly images: readonly (readonly [number, number])[];
  readonly summary_nan_skipped: Summary;
  readonly summary_nan_to_num_0: Summary;
  readonly nan_classes_IoU: readonly number[];
  readonly nan_classes_Acc: readonly number[];
}

const path = sharedPath('golden', 'metrics', 'segmentation.json');
const data = sharedPath('golden', 'metrics', 'segmentation.safetensors');
const cases: readonly GoldenCase[] = path ? JSON.parse(readFileSync(path, 'utf8')).cases : [];
const tensor = data ? readTensors(data) : undefined;
const skipped = path && data ? '' : ' (skipped: the shared golden files are absent)';

const named: Readonly<Record<keyof Summary, Exclude<keyof SegmentationScores, 'perClass'>>> = {
  aAcc: 'pixelAccuracy',
  mIoU: 'meanIou',
  mAcc: 'meanAccuracy',
  mDice: 'meanDice',
  mFscore: 'meanFScore',
  mPrecision: 'meanPrecision',
  mRecall: 'meanAccuracy',
};
const figures: Readonly<Record<string, keyof ClassSegmentation>> = {
  IoU: 'iou',
  Acc: 'accuracy',
  Dice: 'dice',
  Fscore: 'fScore',
  Precision: 'precision',
  Recall: 'accuracy',
};

/** Each image counted by a counter of its own, as shards are. */
function counted({ id, classes, ignore_index, images }: GoldenCase) {
  return mergeSegmentation(
    images.map((_, image) => {
      const counter = new SegmentationCounter(classes, ignore_index);
      counter.add(tensor!(`${id}.pred.${image}`).values, tensor!(`${id}.gt.${image}`).values);
      return JSON.parse(JSON.stringify(counter.counts()));
    }),
  );
}

describe.skipIf(skipped !== '')(`mmsegmentation’s figures${skipped}`, () => {
  it.each(cases.map((of) => [of.id, of] as const))('%s: the confusion matrix and areas', (id, of) => {
    const counts = counted(of);
    expect(counts.confusion).toEqual([...tensor!(`${id}.confusion`).values]);
    const { perClass } = scoreSegmentation(counts);
    expect(perClass.map(({ pixels }) => pixels)).toEqual([...tensor!(`${id}.label`).values]);
    expect(perClass.map(({ predicted }) => predicted)).toEqual([...tensor!(`${id}.pred`).values]);
  });

  it.each(cases.map((of) => [of.id, of] as const))('%s: figures of each class, also those that are none', (id, of) => {
    const { perClass } = scoreSegmentation(counted(of));
    const undefinedIn = (figure: keyof ClassSegmentation) =>
      perClass.flatMap((scores, index) => (scores[figure] === undefined ? [index] : []));
    expect(undefinedIn('iou')).toEqual(of.nan_classes_IoU);
    expect(undefinedIn('accuracy')).toEqual(of.nan_classes_Acc);
    for (const [name, figure] of Object.entries(figures))
      for (const [index, wanted] of tensor!(`${id}.${name}`).values.entries())
        if (Number.isNaN(wanted)) expect(perClass[index]![figure], `${name} of class ${index}`).toBeUndefined();
        else expect(perClass[index]![figure], `${name} of class ${index}`).toBeCloseTo(wanted, 6);
  });

  it.each(cases.map((of) => [of.id, of] as const))('%s: means, undefined figures left out or taken as 0', (_, of) => {
    const counts = counted(of);
    const [leftOut, zero] = [scoreSegmentation(counts), scoreSegmentation(counts, { undefinedAs: 'zero' })];
    for (const [name, figure] of Object.entries(named) as [keyof Summary, (typeof named)[keyof Summary]][]) {
      expect(leftOut[figure], name).toBeCloseTo(of.summary_nan_skipped[name], 6);
      expect(zero[figure], name).toBeCloseTo(of.summary_nan_to_num_0[name], 6);
    }
  });
});

describe('counts of pixels', () => {
  it('leave ignored pixels out, whatever was answered there', () => {
    const counter = new SegmentationCounter(2);
    counter.add([0, 1, 0, 1, 77], [0, 1, 1, 255, 255]);
    expect(counter.counts()).toEqual({ classes: 2, confusion: [1, 0, 1, 1], unnamed: [0, 0] });
    expect(scoreSegmentation(counter.counts())).toMatchObject({ pixelAccuracy: 2 / 3, meanIou: 1 / 2 });
  });

  it('take an answer that is no class for wrong, not for an error', () => {
    const counter = new SegmentationCounter(2);
    counter.add([0, 7, Number.NaN, -1], [0, 0, 1, 1]);
    expect(counter.counts()).toMatchObject({ confusion: [1, 0, 0, 0], unnamed: [1, 2] });
    expect(scoreSegmentation(counter.counts()).pixelAccuracy).toBe(1 / 4);
  });

  it('have no figures without pixels', () => {
    const scores = scoreSegmentation(new SegmentationCounter(2).counts());
    expect(scores.pixelAccuracy).toBeUndefined();
    expect(scores.meanIou).toBeUndefined();
  });

  it('refuse a truth that is no class, and count nothing of that mask', () => {
    const counter = new SegmentationCounter(3, 'none');
    expect(() => counter.add([0, 0], [0, 255])).toThrow('pixel 1 has the class 255; there are 3, and none is ignored');
    expect(counter.counts().confusion).toEqual(Array(9).fill(0));
  });

  it('refuse masks of two sizes, no classes, and parts of different evaluations', () => {
    expect(() => new SegmentationCounter(2).add([0], [0, 0])).toThrow('1 answers for 2 pixels');
    for (const classes of [0, 1.5, 1e9]) expect(() => new SegmentationCounter(classes)).toThrow(UsageError);
    const [two, three] = [new SegmentationCounter(2).counts(), new SegmentationCounter(3).counts()];
    expect(() => mergeSegmentation([two, three])).toThrow('different classes');
    expect(() => mergeSegmentation([])).toThrow('nothing to merge');
  });
});
