/**
 * Training of networks that are several graphs one after the other: gradients through RoIAlign into every part, against finite differences on a network without spikes, whose loss is smooth;
 * the same of the heads with the losses of Mask R-CNN; and a few steps of a spiking one.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBoxes } from '../../src/data/annotations/openBoxes.js';
import { type ImageDataset, imagesWith } from '../../src/data/datasets/images.js';
import { runsOfColumns } from '../../src/data/masks/runLength.js';
import { type BoxTargets, objectMasks } from '../../src/data/targets/boxes.js';
import { loadModel } from '../../src/index.js';
import { createLoader } from '../../src/loader/loader.js';
import { seededRandom } from '../../src/random.js';
import { createTrainingEngine } from '../../src/runtime/engines.js';
import type { LaterObjective } from '../../src/tasks/laterObjective.js';
import { askedGraph, taskNamed } from '../../src/tasks/registry.js';
import { dataProblems } from '../../src/training/fit.js';
import { parseRecipe, type Recipe, recipeNetwork } from '../../src/training/recipe.js';
import { openRecipe } from '../../src/training/recipeFiles.js';
import { laterShapes, RecordedRegions } from '../../src/training/recordedRegions.js';
import { startingParameters } from '../../src/training/startingParameters.js';
import { recordTraining, trainingSegments } from '../../src/training/trainingPlan.js';
import { type RunSettings, train } from '../../src/training/trainingRun.js';
import { TrainedNetwork } from '../../src/training/trainingStep.js';
import { sharedPath } from '../shared.js';
import { filesOf, stoppingAt } from './runSupport.js';

const [side, batch] = [32, 2];

function recipeOf(model: object, loss: object = {}): Recipe {
  return parseRecipe(
    {
      name: 'regions',
      task: 'detection',
      model: {
        embedDim: [4, 4, 8, 8],
        heads: 1,
        depths: [1, 1, 0, 0, 0],
        strides: [2, 2, 2, 2, 1],
        stemKernel: 3,
        pyramidChannels: 4,
        regionChannels: 6,
        classes: 2,
        timeSteps: 2,
        ...model,
      },
      batchNormBias: { neurons: 1, branches: 0, last: 1 },
      data: {
        preprocessing: { resize: null, crop: [side, side], interpolation: 'bicubic', mean: [0, 0, 0], std: [1, 1, 1] },
        workers: 0,
      },
      epochs: 1,
      batchSize: batch,
      optimizer: { name: 'adamw' },
      schedule: { learningRate: 0.001 },
      loss,
    },
    'regions',
  );
}

const random = seededRandom(5);
const input = Float32Array.from({ length: batch * side * side * 3 }, () => random.normal());

describe('gradients through regions', () => {
  it('are those that finite differences find, in backbone, pyramid and heads', async () => {
    const recipe = recipeOf({ neuron: 'relu' });
    const objective = taskNamed('detection').objective(recipe.loss, recipe.model);
    const graph = objective.prepare(askedGraph(recipeNetwork(recipe)));
    const { maps, cells } = objective.later!(graph);
    // More than are taken at once, of all levels, some beyond the image.
    const count = 70;
    const place = seededRandom(7);
    const regions = Float32Array.from({ length: 5 * count }, (_, i) =>
      i % 5 === 0 ? Math.floor(i / 5) % batch : i % 5 < 3 ? 20 * place.uniform() - 2 : 20 + 14 * place.uniform(),
    );
    const levels = Array.from({ length: count }, (_, i) => i % maps.length);
    // The box head's numbers are few and small.
    const boxes = 0;
    // Σ c·x + x²/2 with c of their own for each number.
    const worth = (values: Float32Array, from: number, until: (i: number) => boolean, seed: number) => {
      const weight = seed === boxes ? 1000 : 1;
      const gradient = new Float32Array(values.length);
      let loss = 0;
      for (let i = 0; i < values.length; i++) {
        if (!until(i)) continue;
        const c = Math.sin(12.9898 * (i + from) + seed);
        loss += weight * (c * values[i]! + values[i]! ** 2 / 2);
        gradient[i] = weight * (c + values[i]!);
      }
      return { loss, gradient };
    };
    const later: LaterObjective<unknown> = {
      ...{ maps, cells },
      ask: () =>
        [...cells.keys()].map((name, seed) => ({
          ...{ graph: name, regions, levels },
          judge: (outputs, rows, shapes) => {
            let loss = 0;
            const gradients = new Map<string, Float32Array>();
            for (const [output, values] of outputs) {
              const shape = shapes.get(output)!;
              // Steps, where there are any, are outside of the rows.
              const length = shape[0] === 2 && shape[1] === 64 ? values.length / 128 : values.length / 64;
              const judged = worth(values, rows.first * length, (i) => Math.floor(i / length) % 64 < rows.count, seed);
              loss += judged.loss;
              gradients.set(output, judged.gradient);
            }
            return { loss, gradients, sums: { calls: 1 } };
          },
        })),
    };
    const settings = { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: true } as const;
    const engine = await createTrainingEngine({ threads: 1 });
    let recorded: RecordedRegions | undefined;
    const plan = recordTraining(engine, graph, [1, batch, side, side, 3], settings, {
      later: laterShapes(graph, later, 2),
      record: (kernels, parts) => {
        recorded = new RecordedRegions(kernels, parts, later);
      },
    });
    const { program, trainable } = plan;
    const start = startingParameters(recipe);
    const weights = program.view(trainable.values);
    for (const { spec, offset } of trainable.slots) weights.set(start.get(spec.name)!, offset);
    const lossOf = async () => {
      await program.run(trainingSegments.clear);
      await program.write(plan.input, input);
      await program.run(trainingSegments.forward);
      let loss = 0;
      for (const [name, { value, gradient }] of plan.outputs) {
        if (recorded!.isMap(name)) continue;
        const judged = worth(await program.read(value), 0, () => true, 3);
        loss += judged.loss;
        await program.write(gradient, judged.gradient);
      }
      const answers = { outputs: new Map(), shapes: new Map(), batch: {}, share: 1, size: [side, side] } as const;
      const found = await recorded!.learn(program, answers);
      expect(found.sums).toEqual({ calls: 4 });
      await program.run(trainingSegments.backward);
      return loss + found.loss;
    };
    await lossOf();
    const gradients = program.view(trainable.gradients).slice();
    const parts = [
      'downsample1',
      'ConvBlock',
      'neck.lateral',
      'neck.fpn',
      'rpn_head',
      'shared_fcs',
      'fc_reg',
      'convs',
      'upsample',
      'conv_logits',
    ];
    for (const part of parts) {
      const slots = trainable.slots.filter(({ spec }) => spec.name.includes(part) && spec.name.endsWith('weight'));
      expect(slots, part).not.toHaveLength(0);
      for (const { spec, offset, length } of slots.slice(0, 2)) {
        // The largest, so that rounding weighs least.
        const own = gradients.subarray(offset, offset + length);
        const at = own.reduce((best, value, i) => (Math.abs(value) > Math.abs(own[best]!) ? i : best), 0);
        const step = 5e-4;
        const before = weights[offset + at]!;
        weights[offset + at] = before + step;
        const above = await lossOf();
        weights[offset + at] = before - step;
        const below = await lossOf();
        weights[offset + at] = before;
        // Now and then a ReLU turns between the two.
        expect(own[at]! / ((above - below) / (2 * step)), `${spec.name} ${own[at]}`).toBeCloseTo(1, 1);
      }
    }
  }, 60_000);
});

/** Images of one bright rectangle each, wide or high, whose mask is all of it. */
function rectangles(count: number): ImageDataset<BoxTargets> {
  const pixels = new Uint8Array(new SharedArrayBuffer(count * side * side * 3));
  const boxes = Array.from({ length: count }, (_, i) => {
    const [left, top] = [(7 * i) % 12, (5 * i) % 12];
    return [left, top, left + (i % 2 === 0 ? 18 : 10), top + (i % 2 === 0 ? 10 : 18)] as const;
  });
  for (const [i, [left, top, right, bottom]] of boxes.entries())
    for (let y = top; y < bottom; y++)
      pixels.fill(255, ((i * side + y) * side + left) * 3, ((i * side + y) * side + right) * 3);
  const masks = boxes.map(([left, top, right, bottom]) => ({
    ...{ width: side, height: side },
    masks: [runsOfColumns({ width: side, height: side }, (x, y) => x >= left && x < right && y >= top && y < bottom)],
  }));
  return imagesWith({
    name: 'rectangles',
    store: { kind: 'pixels', height: side, width: side, channels: 3, pixels },
    targets: {
      kind: 'boxes',
      classes: ['wide', 'high'],
      ends: Int32Array.from(boxes, (_, i) => i + 1),
      boxes: Float32Array.from(boxes.flat()),
      labels: Int32Array.from(boxes, (_, i) => i % 2),
      leastVisible: 0.3,
      masks: objectMasks(masks)!,
    },
  });
}

async function batchesOf(recipe: Recipe, dataset: ImageDataset<BoxTargets>) {
  const { preprocessing } = recipe.data;
  const loader = createLoader(dataset, { batchSize: recipe.batchSize, preprocessing, seed: 1, workers: 0 });
  const batches = [];
  for await (const drawn of loader.epoch(0)) batches.push(drawn);
  await loader.close();
  return batches;
}

describe('a detector with regions', () => {
  const few = { regions: { anchors: 32, candidates: 50, proposals: 20, sampled: 16 } };

  it('has at its heads the derivatives that finite differences find', async () => {
    const recipe = recipeOf({ neuron: 'relu' }, few);
    const network = new TrainedNetwork(await createTrainingEngine({ threads: 1 }), recipe);
    const [drawn] = await batchesOf(recipe, rectangles(2));
    const lossOf = async () => {
      await network.clear();
      return (await network.accumulate(drawn!, 1)).loss;
    };
    const { program, trainable } = network.plan;
    // Objects are regions of themselves: a way of 0 would be where L1 has no derivative.
    const ways = trainable.slots.find(({ spec }) => spec.name === 'roi_head.bbox_head.fc_reg.bias')!;
    network.weights.fill(0.5, ways.offset, ways.offset + ways.length);
    await lossOf();
    const gradients = program.view(trainable.gradients).slice();
    // Which regions are learned from hangs on what is before the heads.
    const heads = trainable.slots.filter(({ spec }) => spec.name.startsWith('roi_head'));
    expect(heads).toHaveLength(8 + 12);
    for (const { spec, offset, length } of heads) {
      const own = gradients.subarray(offset, offset + length);
      const at = own.reduce((best, value, i) => (Math.abs(value) > Math.abs(own[best]!) ? i : best), 0);
      const step = 1e-2;
      const before = network.weights[offset + at]!;
      network.weights[offset + at] = before + step;
      const above = await lossOf();
      network.weights[offset + at] = before - step;
      const below = await lossOf();
      network.weights[offset + at] = before;
      const found = (above - below) / (2 * step);
      expect(Math.abs(own[at]! - found), `${spec.name} ${own[at]} ${found}`).toBeLessThan(
        0.05 * Math.abs(found) + 1e-4,
      );
    }
  });

  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spikeformer-regions-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is trained, stopped and resumed as if it had not been, and leaves a model with all of its heads', async () => {
    const recipe = { ...recipeOf({}, few), epochs: 2, movingAverage: 0.9, saveEvery: 1, logEvery: 1 };
    const settings = (output: string, more: Partial<RunSettings> = {}): RunSettings => ({
      ...{ recipe, dataset: rectangles(4), output: join(folder, output), resume: false },
      createEngine: () => createTrainingEngine({ threads: 1 }),
      ...more,
    });
    await train(settings('whole'));
    const { signal } = stoppingAt(3);
    expect((await train(settings('parts', { signal }))).finished).toBe(false);
    await train(settings('parts', { resume: true }));
    expect(filesOf(join(folder, 'parts'))).toEqual(filesOf(join(folder, 'whole')));
    const model = await loadModel({ checkpoint: join(folder, 'whole', 'last.safetensors') }, { threads: 1 });
    expect([model.task, model.configuration.regionChannels]).toEqual(['detection', 6]);
    const { outputs } = await model.run({ shape: [1, 3, side, side], data: input.slice(0, 3 * side * side) });
    expect(outputs.get('cls_score')!.shape.at(-1)).toBe(3);
    await model.dispose();
  }, 60_000);

  it('ends with the usual words where its numbers are none', async () => {
    const recipe = recipeOf({}, few);
    const network = new TrainedNetwork(await createTrainingEngine({ threads: 1 }), recipe);
    const { offset } = network.plan.trainable.slots.find(({ spec }) => spec.name === 'rpn_head.rpn_cls.1.0.bias')!;
    network.weights.fill(Number.NaN, offset, offset + 3);
    const [drawn] = await batchesOf(recipe, rectangles(2));
    await expect(network.accumulate(drawn!, 1)).rejects.toThrow('the loss is NaN');
  });

  it('learns two kinds of rectangles', async () => {
    const recipe = recipeOf({ timeSteps: 1, embedDim: [8, 16, 16, 16], pyramidChannels: 16, regionChannels: 32 }, few);
    const network = new TrainedNetwork(await createTrainingEngine({ threads: 1 }), recipe);
    const losses: number[] = [];
    const batches = await batchesOf(recipe, rectangles(8));
    for (let step = 0; step < 60; step++) {
      await network.clear();
      const { loss } = await network.accumulate(batches[step % batches.length]!, 1);
      await network.update(4e-3);
      losses.push(loss);
    }
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
    expect(mean(losses.slice(-8))).toBeLessThan(0.6 * mean(losses.slice(0, 8)));
  }, 60_000);

  const archive = sharedPath('data', 'coco-mini.tar.gz');
  const suffix = archive ? '' : ' (skipped: the shared data are absent)';
  it.skipIf(!archive)(
    `learns a few pictures of COCO with the recipe for it, in small${suffix}`,
    async () => {
      execFileSync('tar', ['-xzf', archive!, '-C', folder]);
      const small = ['embedDim=[16,16,32,32]', 'pyramidChannels=16', 'regionChannels=32', 'timeSteps=1', 'batchSize=2'];
      const image = 'data.preprocessing.crop=[96,96]';
      const biases = 'batchNormBias={"neurons":1,"branches":0,"last":1}';
      const sample = 'loss.regions={"candidates":200,"proposals":100,"sampled":32}';
      const recipe = await openRecipe('coco-mask-rcnn', [...small, image, biases, sample, 'depths=[1,1,1,1,1]']);
      const dataset = await openBoxes(join(folder, 'coco-mini'), { split: 'train' });
      expect(dataProblems(recipe, dataset)).toEqual([]);
      const network = new TrainedNetwork(await createTrainingEngine({ threads: 1 }), recipe);
      const [drawn] = await batchesOf(recipe, dataset.part(Int32Array.of(0, 1), 'two'));
      const losses: number[] = [];
      for (let step = 0; step < 30; step++) {
        await network.clear();
        losses.push((await network.accumulate(drawn!, 1)).loss);
        await network.update(5e-3);
      }
      expect(losses.at(-1)!).toBeLessThan(0.7 * losses[0]!);
    },
    60_000,
  );
});
