/**
 * What happens between the graphs of a detector with regions (Mask R-CNN): proposals are cut out of the pyramid and shown to the head that names and corrects them, of those that overlap
 * the surest stays, and what was found is shown to the head that makes masks. Settings are mmdetection's.
 */
import { levelsOf } from '../../data/geometry/levels.js';
import { UsageError } from '../../errors.js';
import type { Graph } from '../../graph/graph.js';
import { stridesOf } from '../../graph/strides.js';
import type { Between, BetweenTensor, Follow } from '../../models/later.js';
import { boxCells, boxHeadGraph, maskCells, maskHeadGraph } from '../../models/regionHeads.js';
import type { AnsweringNetwork, Outputs, RegionOptions } from '../task.js';
import { detectionOutputs } from './instances.js';
import { meanOverTime } from './numbers.js';
import { type Proposals, proposalsOf } from './proposals.js';

/** Levels of the pyramid that regions are cut from; the last one only proposes. */
export const levelsCut = 4;
const levelCount = 5;
/** Proposals of mmdetection's test settings. */
const usualProposals = 1000;
/** A region of the published network takes 50 kB at each time step. */
const mostRegions = 10_000;

/**
 * The answer has the first graph's outputs and, by the names of the authors' program,
 *
 * - `proposal_boxes.b` `[n, 4]` and `proposal_scores.b` `[n]` of image b, the surest first;
 * - `rois` `[N, 5]` that the box head was asked about, the level that each was cut from, `roi_level` `[N]`, `cls_score` `[T, N, classes + 1]` and `bbox_pred` `[T, N, 4·classes]`, and both
 *   averaged over time, `cls_score_mean` and `bbox_pred_mean`;
 * - `detection_boxes` `[n, 5]`, `detection_scores` and `detection_labels` `[n]`;
 * - `mask_rois` `[M, 5]` and `mask_preds` `[M, classes, 28, 28]`, before the sigmoid; `image_size` `[2]`, height and width.
 *
 * What was cut out, `bbox_feats` and `mask_feats`, is among the activations.
 */
export function followRegions(network: AnsweringNetwork, graph: Graph, options: RegionOptions): Follow {
  const strides = stridesOfLevels(network, graph);
  const candidates = wholeNumber('candidates', options.candidates);
  const proposals = wholeNumber('proposals', options.proposals);
  return async (first, between) => {
    const { size, batch } = between;
    const given = given5('regions', options.regions, batch);
    const givenForMasks = given5('maskRegions', options.maskRegions, batch);
    const outputs = new Map<string, BetweenTensor>(first);
    const put = (name: string, shape: readonly number[], data: Float32Array) => outputs.set(name, { shape, data });
    const proposed = proposalsOf(first, batch, { size, strides, candidates, proposals });
    for (const [image, { boxes, scores }] of proposed.entries()) {
      put(`proposal_boxes.${image}`, [scores.length, 4], boxes);
      put(`proposal_scores.${image}`, [scores.length], scores);
    }
    const cutting = { first, between, strides };
    const regions = given ?? numbered(proposed);
    const named = await askBoxHead(regions, cutting, network);
    for (const [name, tensor] of named) outputs.set(name, tensor);
    const found = detectionOutputs(regions, outputs, size, network.classes);
    for (const [name, tensor] of found) outputs.set(name, tensor);
    const maskRegions = givenForMasks ?? found.get('detection_boxes')!.data;
    put('mask_rois', [maskRegions.length / 5, 5], maskRegions);
    put('image_size', [2], Float32Array.from(size));
    const masks = await askMaskHead(maskRegions, cutting);
    outputs.set('mask_preds', masks ?? { shape: [0, network.classes, 2 * maskCells, 2 * maskCells], data: none });
    return outputs;
  };
}

const none = new Float32Array(0);

/** Of anchors. The published configuration doubles them from level to level; the maps' own do not where two stages have one. */
export function stridesOfLevels({ detectionStrides = 'real' }: AnsweringNetwork, graph: Graph): readonly number[] {
  const strides = stridesOf(graph);
  const real = Array.from(
    { length: levelsCut },
    (_, level) => strides.get(graph.outputs.get(`neck.${level}`)!.value)![0],
  );
  if (detectionStrides === 'published') return Array.from({ length: levelCount }, (_, level) => real[0]! * 2 ** level);
  return [...real, 2 * real.at(-1)!];
}

interface Cutting {
  readonly first: Outputs;
  readonly between: Between;
  readonly strides: readonly number[];
}

async function cut({ first, between, strides }: Cutting, regions: Float32Array, cells: number) {
  const levels = levelsOf(withoutImages(regions));
  const maps = Array.from({ length: levelsCut }, (_, level) => ({
    map: first.get(`neck.${level}`)!,
    stride: strides[level]!,
  }));
  return { levels, features: await between.cut({ maps, regions, levels, cells }) };
}

async function askBoxHead(regions: Float32Array, cutting: Cutting, { classes, timeSteps }: AnsweringNetwork) {
  const count = regions.length / 5;
  const outputs = new Map<string, BetweenTensor>([['rois', { shape: [count, 5], data: regions }]]);
  const widths = { cls_score: classes + 1, bbox_pred: 4 * classes };
  let answers: Outputs = new Map();
  let levels: Float32Array = none;
  if (count > 0) {
    const { levels: cutFrom, features } = await cut(cutting, regions, boxCells);
    cutting.between.keep('bbox_feats', features);
    const [steps, , channels] = features.shape as [number, number, number];
    const shape = [steps, count, channels * boxCells ** 2, 1, 1];
    answers = await cutting.between.run(boxHeadGraph, { shape, data: features.data });
    levels = Float32Array.from(cutFrom);
  }
  outputs.set('roi_level', { shape: [count], data: levels });
  for (const [name, width] of Object.entries(widths)) {
    const tensor = { shape: [timeSteps, count, width], data: answers.get(name)?.data ?? none };
    outputs.set(name, tensor);
    outputs.set(`${name}_mean`, { shape: [count, width], data: meanOverTime(tensor) });
  }
  return outputs;
}

async function askMaskHead(regions: Float32Array, cutting: Cutting): Promise<BetweenTensor | undefined> {
  if (regions.length === 0) return undefined;
  const { features } = await cut(cutting, regions, maskCells);
  cutting.between.keep('mask_feats', features);
  return (await cutting.between.run(maskHeadGraph, features)).get('mask_preds')!;
}

/** The proposals of all images, `[N, 5]`. */
function numbered(proposed: readonly Proposals[]): Float32Array {
  const rows = proposed.flatMap(({ boxes }, image) =>
    Array.from({ length: boxes.length / 4 }, (_, i) => [image, ...boxes.subarray(4 * i, 4 * i + 4)]),
  );
  return Float32Array.from(rows.flat());
}

function withoutImages(regions: Float32Array): Float32Array {
  return Float32Array.from(
    { length: (regions.length / 5) * 4 },
    (_, i) => regions[5 * Math.floor(i / 4) + 1 + (i % 4)]!,
  );
}

function wholeNumber(name: string, value = usualProposals): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= mostRegions) return value;
  throw new UsageError(`regions: ${name}: found ${value}, expected a whole number from 1 to ${mostRegions}`);
}

function given5(name: string, tensor: BetweenTensor | undefined, batch: number): Float32Array | undefined {
  if (tensor === undefined) return undefined;
  const { shape, data } = tensor;
  const [count, numbers] = shape;
  if (shape.length !== 2 || numbers !== 5 || data.length !== 5 * count! || count! > mostRegions)
    throw new UsageError(
      `regions: ${name}: found the shape [${shape.join(', ')}], expected [N, 5] of at most ${mostRegions}: number of the image, left, top, right, bottom`,
    );
  const bad = data.findIndex(
    (value, i) => !Number.isFinite(value) || (i % 5 === 0 && !(Number.isInteger(value) && value >= 0 && value < batch)),
  );
  if (bad >= 0)
    throw new UsageError(
      `regions: ${name}: region ${Math.floor(bad / 5)} has ${data[bad]} at place ${bad % 5}, expected the number of one of ${batch} images and finite corners`,
    );
  return data;
}
