/**
 * What Mask R-CNN learns from two images, against plain PyTorch (`fixtures/regions/make.py`): which anchors and regions answer for which objects, what of their masks, all losses and
 * gradients. And rules of the assignment that can be counted by hand.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { imagesWith } from '../../src/data/datasets/images.js';
import { cropMask, pixelMask } from '../../src/data/geometry/cropMasks.js';
import { maskArea, runsOfColumns } from '../../src/data/masks/runLength.js';
import { objectMasks } from '../../src/data/targets/boxes.js';
import { architectureOf } from '../../src/models/registry.js';
import { seededRandom } from '../../src/random.js';
import { assignByOverlap, background, sampleOf, undecided } from '../../src/tasks/detection/overlapAssignment.js';
import { classLoss, maskLoss } from '../../src/tasks/detection/regionLosses.js';
import { detectionSettings } from '../../src/tasks/detection/settings.js';
import type { BoxBatch } from '../../src/tasks/detection/truths.js';
import { askedGraph, taskNamed } from '../../src/tasks/registry.js';
import { dataProblems } from '../../src/training/fit.js';

type Digest = readonly [absolute: number, pattern: number];
interface Expected {
  readonly rpn: {
    readonly loss: number;
    readonly positives: readonly (readonly number[])[];
    readonly undecided: readonly number[];
    readonly cls: readonly Digest[];
    readonly reg: readonly Digest[];
  };
  readonly box: {
    readonly loss: number;
    readonly regions: readonly (readonly number[])[];
    readonly cls: Digest;
    readonly reg: Digest;
  };
  readonly mask: {
    readonly loss: number;
    readonly targets: readonly number[];
    readonly objects: readonly number[];
    readonly ofSecond: number;
    readonly preds: Digest;
  };
}
const expected: Expected = JSON.parse(
  readFileSync(new URL('../fixtures/regions/expected.json', import.meta.url), 'utf8'),
);

type Row = readonly [number, number, number, number, number];

const [timeSteps, images, classes, height, width] = [2, 2, 3, 64, 96];
const strides = [4, 8, 16, 16, 32];
const objects = [
  [4, 6, 40, 30, 0],
  [50, 10, 90, 60, 2],
  [8.5, 40.25, 30, 62, 1],
  [20, 20, 76, 52, 1],
] as const;

/** The same numbers as in `make.py`. */
function pattern(count: number, seed: number, scale: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (((i * 7919 + seed * 104729) % 100003) / 100003 - 0.5) * scale);
}

function digest(gradient: Float32Array): Digest {
  const other = pattern(gradient.length, 99, 2);
  return [
    gradient.reduce((sum, value) => sum + Math.abs(value), 0),
    gradient.reduce((sum, value, i) => sum + value * other[i]!, 0),
  ];
}

const ellipse = ([left, top, right, bottom]: readonly number[]) =>
  runsOfColumns({ width, height }, (x, y) => {
    const across = (x + 0.5 - (left! + right!) / 2) / ((right! - left!) / 2);
    const down = (y + 0.5 - (top! + bottom!) / 2) / ((bottom! - top!) / 2);
    return across ** 2 + down ** 2 <= 1;
  });

/** Beside the objects of `make.py` a crowd that covers the first image, and is not learned. */
const all = [...objects.slice(0, 3), [0, 0, width, height, 0], ...objects.slice(3)] as const;
const masks = objectMasks([{ width, height, masks: all.map(ellipse) }])!;
const batch: BoxBatch = {
  boxes: Float32Array.from(all.flatMap((object) => object.slice(0, 4))),
  labels: Int32Array.from(all, (object) => object[4]),
  ends: Int32Array.of(4, 5),
  crowds: Uint8Array.of(0, 0, 0, 1, 0),
  maskRuns: masks.runs,
  maskEnds: masks.ends,
  maskSize: Int32Array.of(width, height),
};

function objective() {
  const regions = { anchors: 4096, candidates: 60, proposals: 40, sampled: 4096 };
  const configuration = {
    ...{ embedDim: [8, 8, 8, 8], depths: [1, 1, 0, 0, 0], pyramidChannels: 4, regionChannels: 4 },
    ...{ classes, timeSteps },
  };
  const { task, settings } = { task: taskNamed('detection'), settings: detectionSettings.parse({ regions }) };
  const learned = task.objective(settings, configuration);
  const graph = learned.prepare(askedGraph({ task: 'detection', configuration: schemaOf(configuration) }));
  return { learned, later: learned.later!(graph) };
}

const schemaOf = (configuration: object) => architectureOf({}).schema.parse(configuration);

const [outputs, shapes] = [new Map<string, Float32Array>(), new Map<string, readonly number[]>()];
for (const [i, stride] of strides.entries()) {
  const places = [Math.ceil(height / stride), Math.ceil(width / stride)];
  for (const [name, channels, seed, scale] of [
    [`rpn_cls.${i}`, 3, i, 6],
    [`rpn_reg.${i}`, 12, 10 + i, 2],
  ] as const) {
    const shape = [timeSteps, images, ...places, channels];
    shapes.set(name, shape);
    const count = shape.reduce((a, b) => a * b);
    outputs.set(name, pattern(count, seed, scale));
  }
}

const close = (found: Digest, wanted: Digest) => {
  expect(found[0]).toBeCloseTo(wanted[0], 4);
  expect(found[1]).toBeCloseTo(wanted[1], 5);
};

describe('the losses of Mask R-CNN', () => {
  const { learned, later } = objective();
  const share = 0.5;

  it('are PyTorch’s for the anchors', () => {
    const { loss, gradients, sums } = learned.judge(outputs, batch, 1, shapes);
    expect(sums.overlap).toBeGreaterThan(0.1);
    expect(sums.overlap).toBeLessThan(1);
    expect(loss).toBeCloseTo(expected.rpn.loss, 5);
    for (const [i] of strides.entries()) {
      close(digest(gradients.get(`rpn_cls.${i}`)!), expected.rpn.cls[i]!);
      close(digest(gradients.get(`rpn_reg.${i}`)!), expected.rpn.reg[i]!);
    }
    expect(learned.judge(outputs, batch, share, shapes).loss).toBeCloseTo(share * expected.rpn.loss, 6);
  });

  it('are PyTorch’s for both heads, about the same regions', () => {
    const answers = { outputs, shapes, batch, share: 1, size: [height, width] } as const;
    const [boxes, shown] = later.ask(answers);
    const rows = expected.box.regions;
    expect(boxes!.graph).toBe('roi_head.bbox_head');
    expect(boxes!.levels).toHaveLength(rows.length);
    const found = boxes!.regions;
    expect(Math.max(...rows.flat().map((value, i) => Math.abs(value - found[i]!)))).toBeLessThan(1e-4);
    const scores = pattern(timeSteps * rows.length * (classes + 1), 20, 4);
    const ways = pattern(timeSteps * rows.length * 4 * classes, 21, 3);
    const said = new Map([
      ['cls_score', scores],
      ['bbox_pred', ways],
    ]);
    const laid = new Map([
      ['cls_score', [timeSteps, rows.length, 1, classes + 1]],
      ['bbox_pred', [timeSteps, rows.length, 1, 4 * classes]],
    ]);
    const judged = boxes!.judge(said, { first: 0, count: rows.length }, laid);
    expect(judged.loss).toBeCloseTo(expected.box.loss, 5);
    close(digest(judged.gradients.get('cls_score')!), expected.box.cls);
    close(digest(judged.gradients.get('bbox_pred')!), expected.box.reg);

    const count = expected.mask.targets.length;
    expect(shown!.levels).toHaveLength(count);
    const preds = pattern(count * 784 * classes, 22, 5);
    const masked = shown!.judge(
      new Map([['mask_preds', preds]]),
      { first: 0, count },
      new Map([['mask_preds', [1, count, 28, 28, classes]]]),
    );
    expect(masked.loss).toBeCloseTo(expected.mask.loss, 4);
    close(digest(masked.gradients.get('mask_preds')!), expected.mask.preds);
  });

  it('are about the same sample for the same numbers, whenever they are asked', () => {
    const network = { classes, timeSteps, regionChannels: 4 };
    const few = taskNamed('detection').objective(
      detectionSettings.parse({ regions: { sampled: 8, anchors: 8 } }),
      network,
    );
    const configuration = schemaOf({
      embedDim: [8, 8, 8, 8],
      depths: [1, 1, 0, 0, 0],
      pyramidChannels: 4,
      regionChannels: 4,
      classes,
    });
    const graph = few.prepare(askedGraph({ task: 'detection', configuration }));
    const answers = { outputs, shapes, batch, share: 1, size: [height, width] } as const;
    const [first, again] = [0, 1].map(() => few.later!(graph).ask(answers)[0]!.regions);
    expect(first).toEqual(again);
    // Eight of each image, at most two of them on objects.
    expect(first).toHaveLength(5 * 16);
    expect(few.judge(outputs, batch, 1, shapes).loss).toBe(few.judge(outputs, batch, 1, shapes).loss);
  });

  it('stay numbers for scores that are sure', () => {
    const learnedOf = (...values: number[]) => ({
      values: Float32Array.from(values),
      gradient: new Float32Array(values.length),
    });
    const sure = learnedOf(-200, 200, 0);
    expect(classLoss(sure, 0, { classes: 3, wanted: 0 }, 1)).toBeCloseTo(400, 4);
    expect([...sure.gradient]).toEqual([-1, 1, 0]);
    const mask = learnedOf(1000, 0, -1000, 0);
    expect(maskLoss(mask, 0, { stride: 2, wanted: Uint8Array.of(1, 0) }, 1)).toBe(0);
  });
});

describe('masks that regions are to show', () => {
  it('have as many pixels as PyTorch’s', () => {
    const rows = expected.box.regions;
    // Regions on objects come first in each image.
    const second = rows.findIndex(([image]) => image === 1);
    const ofFirst = expected.mask.targets.length - expected.mask.ofSecond;
    for (const [i, area] of expected.mask.targets.entries()) {
      const [, left, top, right, bottom] = rows[i < ofFirst ? i : second + i - ofFirst] as unknown as Row;
      const mask = pixelMask(ellipse(objects[expected.mask.objects[i]!]!));
      const cropped = cropMask(mask, { left, top, right, bottom }, 28);
      expect(cropped.reduce((sum, pixel) => sum + pixel, 0)).toBe(area);
    }
  });

  it('are whole where the object is everywhere, and empty beyond the image', () => {
    const whole = pixelMask(runsOfColumns({ width: 8, height: 8 }, () => true));
    expect(cropMask(whole, { left: 0, top: 0, right: 8, bottom: 8 }, 4).every((pixel) => pixel === 1)).toBe(true);
    expect(cropMask(whole, { left: 20, top: 20, right: 28, bottom: 28 }, 4).some((pixel) => pixel === 1)).toBe(false);
    expect(maskArea(ellipse(objects[0]))).toBeGreaterThan(0);
  });
});

describe('overlaps', () => {
  const rule = { positive: 0.7, negative: 0.3, least: 0.3 };
  const boxes = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 5, 0, 0, 2, 2, 20, 20, 30, 30);

  it('decide what a box answers for', () => {
    // All, half and a twenty-fifth of the object.
    expect([...assignByOverlap(boxes, Float32Array.of(0, 0, 10, 10), rule)]).toEqual([
      0,
      undecided,
      background,
      background,
    ]);
    // The second object has no better box than the first one's: it takes it.
    const two = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 9);
    expect([...assignByOverlap(boxes, two, rule)]).toEqual([1, undecided, background, background]);
    // Too little for anybody.
    expect([...assignByOverlap(boxes, Float32Array.of(0, 0, 25, 10), { ...rule, least: 0.5 })]).toEqual([
      undecided,
      background,
      background,
      background,
    ]);
    expect([...assignByOverlap(boxes, new Float32Array(0), rule)]).toEqual([-1, -1, -1, -1]);
  });

  it('are sampled: at most a share of positives, the rest from the background, none twice', () => {
    const assigned = Int32Array.from({ length: 100 }, (_, i) => (i < 30 ? i % 3 : i < 40 ? undecided : background));
    const { positives, negatives } = sampleOf(assigned, 20, 0.5, seededRandom(1));
    expect([positives.length, negatives.length]).toEqual([10, 10]);
    expect(new Set([...positives, ...negatives]).size).toBe(20);
    expect(positives.every((i) => assigned[i]! >= 0) && negatives.every((i) => assigned[i] === background)).toBe(true);
    const rest = sampleOf(assigned.subarray(28), 20, 0.5, seededRandom(1));
    expect([rest.positives, rest.negatives.length]).toEqual([[0, 1], 18]);
  });
});

describe('a detector with regions', () => {
  it('is not trained on boxes alone, and others have no settings of regions', () => {
    const store = { kind: 'pixels', height: 8, width: 8, channels: 3, pixels: new Uint8Array(192) } as const;
    const boxes = {
      kind: 'boxes',
      classes: ['a'],
      ends: Int32Array.of(0),
      boxes: new Float32Array(0),
      labels: new Int32Array(0),
      leastVisible: 0,
    } as const;
    const dataset = imagesWith({ name: 'boxes', store, targets: boxes });
    const model = { classes: 1, regionChannels: 8 } as never;
    expect(dataProblems({ task: 'detection', model }, dataset)).toMatchObject([
      { path: ['model', 'regionChannels'], message: expect.stringContaining('boxes: a detector with regions') },
    ]);
    const settings = detectionSettings.parse({ regions: {} });
    const problems = taskNamed('detection').contradictions(settings, { model: { classes: 1 }, mixes: false });
    expect(problems).toMatchObject([{ path: ['loss', 'regions'] }]);
  });
});
