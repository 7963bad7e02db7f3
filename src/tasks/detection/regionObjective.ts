/**
 * What training a detector with regions minimises (Mask R-CNN, He et al. 2017, with mmdetection's rules): the losses of a sample of anchors, and of what both heads say about a sample of
 * regions that the network proposes itself. Scores and ways are averaged over time once, before the losses.
 */
import { encodeBoxes, headDeviations } from '../../data/geometry/boxCoding.js';
import { cropMask, type PixelMask, pixelMask } from '../../data/geometry/cropMasks.js';
import { levelsOf } from '../../data/geometry/levels.js';
import { UsageError } from '../../errors.js';
import { pruned } from '../../graph/outputs.js';
import { boxCells, boxHeadGraph, maskCells, maskHeadGraph } from '../../models/regionHeads.js';
import type { AskedRegions, FirstAnswers } from '../laterObjective.js';
import type { AnsweringNetwork, Judgement, Objective } from '../task.js';
import { levelsCut, stridesOfLevels } from './follow.js';
import { judgeAnchors, learnedLevels } from './learnedAnchors.js';
import { proposalsOf } from './proposals.js';
import { averaged, classLoss, type Learned, maskLoss, spreadOverTime, wayLoss } from './regionLosses.js';
import { learnedObjects, type RegionSample, randomOf, sampledRegions } from './regionTargets.js';
import { type DetectionSettings, regionSettings } from './settings.js';
import { type BoxBatch, hasMasks, type TrueObject } from './truths.js';

export const withoutMasks =
  'a detector with regions (model.regionChannels) learns masks, and not every object of this data has one; choose data with masks (COCO), or leave model.regionChannels out';

export function regionObjective(settings: DetectionSettings, network: AnsweringNetwork): Objective<BoxBatch> {
  const regions = regionSettings.parse(settings.regions ?? {});
  // Of the graph that `prepare` was given, whose outputs are judged.
  let strides: readonly number[] = [];
  return {
    prepare: (graph) => {
      strides = stridesOfLevels(network, graph);
      const isCut = (name: string) => strides.some((_, level) => level < levelsCut && name === `neck.${level}`);
      const outputs = [...graph.outputs].filter(([name]) => name.startsWith('rpn_') || isCut(name));
      return pruned({ ...graph, outputs: new Map(outputs) });
    },
    observed: [],
    judge: (outputs, batch, share, shapes) => {
      if (!hasMasks(batch)) throw new UsageError(`detection: ${withoutMasks}`);
      const levels = learnedLevels(outputs, shapes, strides);
      const { loss, gradients, overlap } = judgeAnchors(levels, batch, { ...settings, regions }, share);
      return { loss, gradients, sums: { overlap, batches: 1 } };
    },
    later: () => ({
      maps: Array.from({ length: levelsCut }, (_, level) => ({ output: `neck.${level}`, stride: strides[level]! })),
      cells: new Map([
        [boxHeadGraph, boxCells],
        [maskHeadGraph, maskCells],
      ]),
      ask: (answers) => asked(answers, { strides, network, settings: { ...settings, regions } }),
    }),
  };
}

interface Around {
  readonly strides: readonly number[];
  readonly network: AnsweringNetwork;
  readonly settings: DetectionSettings & { readonly regions: ReturnType<typeof regionSettings.parse> };
}

/** Proposals are taken as they are: no gradient goes through their places. */
function asked(
  { outputs, shapes, batch, share, size }: FirstAnswers<BoxBatch>,
  { strides, network, settings }: Around,
): readonly AskedRegions[] {
  const { candidates, proposals } = settings.regions;
  const levels = learnedLevels(outputs, shapes, strides);
  const inField = new Map(levels.flatMap((level, i) => level.inField(i)));
  const proposed = proposalsOf(inField, batch.ends.length, { size, strides, candidates, proposals });
  const random = randomOf(batch.boxes, levels.at(-1)!.scores.values);
  const samples = proposed.map(({ boxes }, image) =>
    sampledRegions(boxes, learnedObjects(batch, image), settings.regions, random),
  );
  const all = rowsOf(samples);
  const positive = all.filter(({ object }) => object !== undefined);
  return [
    {
      ...regionsOf(boxHeadGraph, all),
      judge: (answers, { first, count }, answered) => {
        const rows = all.slice(first, first + count);
        const weights = { classes: share / all.length, ways: (share * settings.boxWeight) / all.length };
        return judgeBoxHead(rows, answers, answered, { network, weights });
      },
    },
    {
      ...regionsOf(maskHeadGraph, positive),
      judge: (answers, { first, count }, answered) =>
        judgeMaskHead(positive.slice(first, first + count), answers, answered, share / positive.length),
    },
  ];
}

/** A region, and the object that it is on. */
interface Row {
  readonly image: number;
  /** `[4]` */
  readonly box: Float32Array;
  readonly object: TrueObject | undefined;
}

function rowsOf(samples: readonly RegionSample[]): readonly Row[] {
  return samples.flatMap(({ boxes, objects }, image) =>
    Array.from({ length: boxes.length / 4 }, (_, i) => ({
      image,
      box: boxes.subarray(4 * i, 4 * i + 4),
      object: objects[i],
    })),
  );
}

function regionsOf(graph: string, rows: readonly Row[]): Omit<AskedRegions, 'judge'> {
  const boxes = Float32Array.from(rows.flatMap(({ box }) => Array.from(box)));
  const regions = Float32Array.from(rows.flatMap(({ image, box }) => [image, ...box]));
  return { graph, regions, levels: levelsOf(boxes) };
}

type Answers = ReadonlyMap<string, Float32Array>;
type Shapes = ReadonlyMap<string, readonly number[]>;

interface BoxJudging {
  readonly network: AnsweringNetwork;
  readonly weights: { readonly classes: number; readonly ways: number };
}

function judgeBoxHead(
  rows: readonly Row[],
  answers: Answers,
  shapes: Shapes,
  { network: { classes }, weights }: BoxJudging,
): Judgement {
  const timeSteps = shapes.get('cls_score')![0]!;
  const scores = averaged(answers.get('cls_score')!, timeSteps);
  const ways = averaged(answers.get('bbox_pred')!, timeSteps);
  let loss = 0;
  for (const [row, { box, object }] of rows.entries()) {
    const wanted = object?.label ?? classes;
    loss += classLoss(scores, row * (classes + 1), { classes: classes + 1, wanted }, weights.classes);
    if (object === undefined) continue;
    const at = 4 * (row * classes + object.label);
    loss += wayLoss(ways, at, encodeBoxes(box, object.sides, headDeviations), weights.ways);
  }
  const gradients = new Map([
    ['cls_score', spreadOverTime(scores.gradient, timeSteps)],
    ['bbox_pred', spreadOverTime(ways.gradient, timeSteps)],
  ]);
  return { loss, gradients, sums: {} };
}

/** The mean over time is taken in the network. */
function judgeMaskHead(rows: readonly Row[], answers: Answers, shapes: Shapes, weight: number): Judgement {
  const values = answers.get('mask_preds')!;
  const learned: Learned = { values, gradient: new Float32Array(values.length) };
  const [height, width, classes] = shapes.get('mask_preds')!.slice(-3) as [number, number, number];
  const masks = new Map<TrueObject, PixelMask>();
  let loss = 0;
  for (const [row, { box, object }] of rows.entries()) {
    const mask = masks.get(object!) ?? pixelMask(object!.mask!);
    masks.set(object!, mask);
    const [left, top, right, bottom] = box as unknown as [number, number, number, number];
    const wanted = cropMask(mask, { left, top, right, bottom }, width);
    const at = row * height * width * classes + object!.label;
    loss += maskLoss(learned, at, { stride: classes, wanted }, weight / wanted.length);
  }
  return { loss, gradients: new Map([['mask_preds', learned.gradient]]), sums: {} };
}
