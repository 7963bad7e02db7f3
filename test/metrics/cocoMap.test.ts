/**
 * COCO's own evaluation sample against the figures that pycocotools publishes for it: 100 images, 839 objects of which 9 are crowds, 734 made-up detections. And rules
 * of the evaluation on objects few enough to be counted by hand.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { maskFromPolygons } from '../../src/data/masks/polygons.js';
import { type CocoBox, maskFromCounts, maskFromText, type RunLengthMask } from '../../src/data/masks/runLength.js';
import { CocoCounter, type CocoFigures, mergeCoco, scoreCoco } from '../../src/metrics/cocoMap.js';
import { type CocoDetection, type CocoTruth, overlapThresholds } from '../../src/metrics/cocoMatching.js';
import { sharedPath } from '../shared.js';

interface Runs {
  readonly size: readonly [height: number, width: number];
  readonly counts: string | readonly number[];
}
interface Stored {
  readonly image_id: number;
  readonly category_id: number;
  readonly bbox: CocoBox;
  readonly score: number;
  readonly area: number;
  readonly iscrowd: 0 | 1;
  readonly segmentation: Runs | readonly (readonly number[])[];
}

const folder = sharedPath('golden', 'dense', 'coco_map');
const read = (name: string) => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'));
const skipped = folder ? '' : ' (skipped: the shared golden files are absent)';
const order: readonly (keyof CocoFigures)[] = [
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
];

function maskOf(segmentation: Stored['segmentation'], image: { width: number; height: number }): RunLengthMask {
  if (!('counts' in segmentation)) return maskFromPolygons(segmentation, image);
  const { counts } = segmentation;
  const [height, width] = segmentation.size;
  return typeof counts === 'string'
    ? maskFromText(counts, { width, height })
    : maskFromCounts(counts, { width, height });
}

/** Every third image in a shard of its own, which comes back as JSON, last shard first. */
function evaluated(compared: 'boxes' | 'masks') {
  const truth = read('instances_val2014_100');
  const results: Stored[] = read(`instances_val2014_fake${compared === 'boxes' ? 'bbox' : 'segm'}100_results`);
  const classOf = new Map<number, number>(
    truth.categories
      .map(({ id }: { id: number }) => id)
      .sort((a: number, b: number) => a - b)
      .map((id: number, number: number) => [id, number]),
  );
  const shards = [0, 1, 2].map((shard) => {
    const counter = new CocoCounter(classOf.size, compared);
    for (const [i, image] of truth.images.entries()) {
      if (i % 3 !== shard) continue;
      const of = (all: readonly Stored[]) => all.filter(({ image_id }) => image_id === image.id);
      const common = (one: Stored) => ({
        class: classOf.get(one.category_id)!,
        box: one.bbox,
        ...(compared === 'masks' && { mask: maskOf(one.segmentation, image) }),
      });
      counter.add(
        image.id,
        of(truth.annotations).map((one) => ({ ...common(one), area: one.area, crowd: one.iscrowd === 1 })),
        of(results).map((one) => ({ ...common(one), score: one.score })),
      );
    }
    return JSON.parse(JSON.stringify(counter.counts()));
  });
  return scoreCoco(mergeCoco(shards.reverse()));
}

describe.skipIf(!folder)(`pycocotools’ published example${skipped}`, () => {
  it.each([
    ['boxes', 'bbox'],
    ['masks', 'segm'],
  ] as const)('%s: all twelve figures, to ten decimals, from shards in any order', (compared, key) => {
    const scores = evaluated(compared);
    const expected: readonly number[] = read('README').expected[key];
    for (const [i, figure] of order.entries()) expect(scores[figure], figure).toBeCloseTo(expected[i]!, 10);
    // A mean over classes is that of what is said of each.
    expect(scores.perClass).toHaveLength(80);
    const known = scores.perClass.flatMap(({ averagePrecision50: one }) => (one === undefined ? [] : [one]));
    expect(known.reduce((a, b) => a + b, 0) / known.length).toBeCloseTo(expected[1]!, 10);
  });
});

/** 40 x 40: of medium size. */
const object: CocoTruth = { class: 0, box: [0, 0, 40, 40] };
const other: CocoTruth = { class: 0, box: [100, 0, 40, 40] };

function scored(truths: readonly CocoTruth[], detections: readonly CocoDetection[]) {
  const counter = new CocoCounter(2);
  counter.add(1, truths, detections);
  return scoreCoco(counter.counts());
}

describe('a detection', () => {
  it('is right up to its overlap', () => {
    // 30 of 40 rows: an overlap of exactly .75, the sixth of ten thresholds.
    const { averagePrecision, averagePrecision50, averagePrecision75, averageRecall100 } = scored(
      [object],
      [{ class: 0, score: 0.9, box: [0, 0, 40, 30] }],
    );
    expect(averagePrecision75).toBeCloseTo(1, 12);
    expect(averagePrecision50).toBeCloseTo(1, 12);
    expect(averagePrecision).toBeCloseTo(0.6, 12);
    expect(averageRecall100).toBeCloseTo(0.6, 12);
  });

  it('that finds what a surer one found is wrong', () => {
    const twice: CocoDetection[] = [
      { class: 0, score: 0.9, box: object.box },
      { class: 0, score: 0.8, box: object.box },
      { class: 0, score: 0.7, box: other.box },
    ];
    // Precision 1 up to a recall of .5, then 2/3: 51 and 50 of 101 recalls.
    expect(scored([object, other], twice).averagePrecision50).toBeCloseTo((51 + (50 * 2) / 3) / 101, 12);
    expect(scored([object, other], twice).averageRecall1).toBeCloseTo(0.5, 12);
  });

  it('of another class finds nothing', () => {
    const scores = scored([object], [{ class: 1, score: 0.9, box: object.box }]);
    expect(scores.averagePrecision).toBe(0);
    expect(scores.perClass[0]!.averagePrecision).toBe(0);
    expect(scores.perClass[1]!.averagePrecision).toBeUndefined();
  });

  it('in a crowd does not count, as often as there are', () => {
    const crowd = { ...other, crowd: true };
    const inCrowd: CocoDetection = { class: 0, score: 0.99, box: [110, 10, 10, 10] };
    const found: CocoDetection = { class: 0, score: 0.5, box: object.box };
    expect(scored([object, crowd], [inCrowd, inCrowd, found]).averagePrecision).toBeCloseTo(1, 12);
    expect(scored([object], [inCrowd, found]).averagePrecision).toBeCloseTo(1 / 2, 12);
    expect(scored([crowd], [inCrowd]).averagePrecision).toBeUndefined();
  });

  it('counts among objects of the size that the annotation says', () => {
    const found: CocoDetection = { class: 0, score: 0.5, box: object.box };
    const scores = scored([{ ...object, area: 100 }], [found]);
    expect(scores.averagePrecisionSmall).toBeCloseTo(1, 12);
    expect(scores.averagePrecisionMedium).toBeUndefined();
    expect(scored([object], [found]).averagePrecisionMedium).toBeCloseTo(1, 12);
  });

  it('counts only among the hundred surest of its class', () => {
    const wrong = Array.from({ length: 100 }, (): CocoDetection => ({ class: 0, score: 0.9, box: [300, 300, 9, 9] }));
    const late: CocoDetection = { class: 0, score: 0.1, box: object.box };
    expect(scored([object], [...wrong, late]).averageRecall100).toBe(0);
    expect(scored([object], [...wrong.slice(1), late]).averageRecall100).toBe(1);
    expect(scored([object], [...wrong.slice(1), late]).averageRecall10).toBe(0);
  });
});

describe('figures of detection', () => {
  it('have NumPy’s thresholds', () => {
    // python3 -c "import numpy; print(numpy.linspace(.5, .95, 10).tolist())"
    expect(overlapThresholds).toEqual([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95]);
  });

  it('are none of nothing', () => {
    expect(scoreCoco(new CocoCounter(3).counts()).averagePrecision).toBeUndefined();
  });

  it('refuse what cannot be counted, and nothing of that image is', () => {
    const counter = new CocoCounter(1);
    const found: CocoDetection = { class: 0, score: 0.5, box: object.box };
    const add = (truths: readonly CocoTruth[], detections: readonly CocoDetection[]) => () =>
      counter.add(7, truths, detections);
    expect(add([{ ...object, class: 1 }], [])).toThrow('object 0 of image 7 has the class 1; there are 1');
    expect(add([], [found, { ...found, score: Number.NaN }])).toThrow(
      'detection 1 of image 7 has the score or area NaN',
    );
    expect(add([], [{ class: 0, score: 1 }])).toThrow('detection 0 of image 7 has no boxes, which are compared');
    expect(add([], [{ ...found, box: [0, 0, -1, 1] }])).toThrow('has the box 0, 0, -1, 1');
    expect(() => new CocoCounter(1, 'masks').add(7, [object], [])).toThrow('has no masks');
    expect(() => new CocoCounter(0)).toThrow('0 classes');
    expect(counter.counts().images).toEqual([]);
    const masks = new CocoCounter(1, 'masks');
    const [large, small] = [4, 2].map((width) => maskFromCounts([width], { width, height: 1 }));
    expect(() => masks.add(7, [{ ...object, mask: large! }], [{ ...found, mask: small! }])).toThrow(
      'cannot be compared',
    );
    expect(masks.counts().images).toEqual([]);
  });

  it('refuse an image twice, in one counter or in two parts, and parts of different evaluations', () => {
    const counter = new CocoCounter(1);
    counter.add(7, [object], []);
    expect(() => counter.add(7, [object], [])).toThrow('image 7 is counted twice');
    expect(() => mergeCoco([counter.counts(), counter.counts()])).toThrow('image 7 is counted twice');
    expect(() => mergeCoco([counter.counts(), new CocoCounter(2).counts()])).toThrow('different classes');
    expect(() => mergeCoco([])).toThrow('nothing to merge');
  });
});
