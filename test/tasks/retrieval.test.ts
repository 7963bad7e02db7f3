/**
 * The loss of retrieval through the layers in front of it, length 1 and the learned scale, against the gradients that SpikeViMFormer's own code has; and what is said of images
 * whose neighbours are known.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { asks, isSearched } from '../../src/data/targets/places.js';
import { temperature, temperatureGradient } from '../../src/engines/calls/temperature.js';
import { unitRows, unitRowsGradient } from '../../src/engines/calls/unitRows.js';
import { rerankedScores } from '../../src/metrics/reranking.js';
import { descriptorsOutput, scaledDescriptorsOutput } from '../../src/models/descriptorHead.js';
import { retrievalEvaluation } from '../../src/tasks/retrieval/evaluation.js';
import { recallMetric } from '../../src/tasks/retrieval/metric.js';
import { pairsLoss } from '../../src/tasks/retrieval/objective.js';
import { retrievalSettings } from '../../src/tasks/retrieval/settings.js';
import { canTrain, engines, TrainingWorkbench } from '../engines/support.js';
import { sharedPath } from '../shared.js';
import { readTensors } from '../support/safetensors.js';

interface GoldenCase {
  readonly id: string;
  readonly B: number;
  readonly D: number;
  readonly scale: number;
  readonly loss: number;
  readonly grad_log_scale: number;
}

const cases = sharedPath('golden', 'retrieval', 'infonce.json');
const tensors = sharedPath('golden', 'retrieval', 'infonce.safetensors');
const golden: readonly GoldenCase[] = cases && tensors ? JSON.parse(readFileSync(cases, 'utf8')).cases : [];
const values = tensors ? readTensors(tensors) : undefined;
const note = golden.length > 0 ? '' : ' (skipped: the shared golden files are absent)';
const settings = retrievalSettings.parse({});

describe.skipIf(golden.length === 0).each(engines)(`InfoNCE behind a descriptor on $name${note}`, ({ create }) => {
  it.each(golden)('has the gradients of SpikeViMFormer’s loss: $id', async ({ id, B, D, scale, ...expected }) => {
    const engine = await create();
    if (!canTrain(engine)) throw new Error('the engine does not train');
    const bench = new TrainingWorkbench(engine);
    const [rows, channels] = [2 * B, D];
    const tensor = (name: string) => [...values!(`${id}.${name}`).values];
    const input = bench.real([rows, channels], [...tensor('query'), ...tensor('gallery')]);
    const logarithm = bench.real([1], [Math.log(scale)]);
    const [unit, scaled] = [bench.real([rows, channels]), bench.real([rows, channels])];
    const elements = rows * channels;
    const limit = 100;
    bench.kernels.record(unitRows, { name: 'unit', rows, channels, input, output: unit });
    bench.kernels.record(temperature, { name: 'scale', elements, limit, input: unit, logarithm, output: scaled });
    bench.kernels.segment('back');
    const arriving = bench.real([rows, channels]);
    const middle = bench.real([rows, channels]);
    const inputGradient = bench.real([rows, channels]);
    const logarithmGradient = bench.real([1], [0]);
    const accumulate = false;
    const outputGradient = arriving;
    const scaling = { name: 'scale', elements, limit, input: unit, logarithm, logarithmGradient, accumulate };
    bench.kernels.record(temperatureGradient, { ...scaling, outputGradient, inputGradient: middle });
    const ofRows = { name: 'unit', rows, channels, input, accumulate };
    bench.kernels.record(unitRowsGradient, { ...ofRows, outputGradient: middle, inputGradient });
    await bench.run();
    const outputs = new Map([[scaledDescriptorsOutput, Float32Array.from(bench.view(scaled))]]);
    const places = Int32Array.from({ length: rows }, (_, i) => i % B);
    const views = Int32Array.from({ length: rows }, (_, i) => (i < B ? 0 : 1));
    const judged = pairsLoss(settings, { classes: D }).judge(
      outputs,
      { places, views, roles: new Uint8Array(rows) },
      1,
      new Map(),
    );
    expect(judged.loss).toBeCloseTo(expected.loss, 4);
    await bench.write(arriving, judged.gradients.get(scaledDescriptorsOutput)!);
    await bench.run('back');
    const found = bench.view(inputGradient);
    const wanted = [...tensor('grad_query'), ...tensor('grad_gallery')];
    const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    for (const [i, value] of wanted.entries()) expect(Math.abs(found[i]! - value)).toBeLessThan(2e-4 * largest + 1e-6);
    const ofScale = bench.view(logarithmGradient)[0]!;
    expect(Math.abs(ofScale - expected.grad_log_scale)).toBeLessThan(2e-4 * (1 + Math.abs(expected.grad_log_scale)));
    bench.dispose();
    await engine.dispose();
  });
});

/** Four places in two views, on a circle: at the angle a place's picture is taken, its partner a little further. */
function circle(angles: readonly (readonly [number, number])[]) {
  const all = [...angles.map(([first]) => first), ...angles.map(([, second]) => second)];
  const data = Float32Array.from(all.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));
  const count = angles.length;
  return {
    outputs: new Map([[descriptorsOutput, { shape: [2 * count, 2], data }]]),
    batch: {
      places: Int32Array.from({ length: 2 * count }, (_, i) => i % count),
      views: Int32Array.from({ length: 2 * count }, (_, i) => Math.floor(i / count)),
      roles: new Uint8Array(2 * count).fill(asks | isSearched),
    },
  };
}

describe('the evaluation of a retrieval', () => {
  // The third place's satellite view is nearest to the fourth place's drone view, and not the other way round.
  const { outputs, batch } = circle([
    [0.1, 0.15],
    [1.2, 1.3],
    [2.2, 2.75],
    [3.0, 3.1],
  ]);
  const network = { classes: 2, timeSteps: 1 };
  const begun = () =>
    retrievalEvaluation.begin(
      { network, labels: [], hasLabels: false },
      { name: 'four', names: ['drone', 'satellite'] },
    );

  it('judges both directions, by descriptors and by their bits', () => {
    const evaluation = begun();
    evaluation.add(outputs, batch);
    const { directions } = evaluation.fields();
    expect(directions.map(({ query, gallery }) => `${query} → ${gallery}`)).toEqual([
      'drone → satellite',
      'satellite → drone',
    ]);
    const [forward, back] = directions as [(typeof directions)[0], (typeof directions)[0]];
    expect(forward.floats).toMatchObject({ recallAt1: 1, recallAt5: 1, averagePrecision: 1 });
    expect(forward.plainAveragePrecision).toBe(1);
    // 2.75 is nearer to 3.0 than to 2.2: one of four queries finds its place second.
    expect(back.floats).toMatchObject({ recallAt1: 0.75, recallAt5: 1 });
    expect(back.plainAveragePrecision).toBeCloseTo((3 + 1 / 2) / 4, 12);
    // Quadrants: the first two places share one, the last two another, and of equals the larger number comes first.
    expect(forward.bits.recallAt1).toBe(0.5);
    expect(retrievalEvaluation.schema.parse({ directions })).toEqual({ directions });
  });

  it('judges the ranking by k-reciprocal neighbours too when asked, and says so when there are too many images', () => {
    const data = { name: 'four', names: ['drone', 'satellite'] };
    const asked = () => retrievalEvaluation.begin({ network, labels: [], hasLabels: false }, data, { rerank: true });
    const evaluation = asked();
    evaluation.add(outputs, batch);
    const { directions } = evaluation.fields();
    const descriptors = outputs.get(descriptorsOutput)!.data;
    const row = (i: number) => [...descriptors.subarray(2 * i, 2 * i + 2)];
    for (const [number, { reranked }] of directions.entries()) {
      const of = (view: number) => [...batch.views.keys()].filter((i) => batch.views[i] === view);
      const [asking, searched] = number === 0 ? [of(0), of(1)] : [of(1), of(0)];
      const scores = rerankedScores(
        Float32Array.from(asking.flatMap(row)),
        Float32Array.from(searched.flatMap(row)),
        2,
      );
      const right = asking.filter((i, query) => {
        const own = scores.subarray(4 * query, 4 * query + 4);
        return batch.places[searched[own.indexOf(Math.max(...own))]!] === batch.places[i];
      });
      expect(reranked!.recallAt1).toBe(right.length / 4);
    }
    expect(retrievalEvaluation.schema.parse({ directions })).toEqual({ directions });
    expect(retrievalEvaluation.lines({ directions }, 8).join('\n')).toMatch(/re-ranked {4}R@1/);
    // 20,001 images of two places.
    const many = asked();
    const count = 20_002;
    many.add(new Map([[descriptorsOutput, { shape: [count, 1], data: new Float32Array(count).fill(1) }]]), {
      places: Int32Array.from({ length: count }, (_, i) => i % 2),
      views: Int32Array.from({ length: count }, (_, i) => (i < 2 ? 0 : 1)),
      roles: new Uint8Array(count).fill(asks).fill(isSearched, 2),
    });
    const [only] = many.fields().directions;
    expect(only).toMatchObject({ queries: 2, images: 20_000, reranked: null });
    expect(retrievalEvaluation.lines(many.fields(), count).join('\n')).toMatch(/not re-ranked: more than 20000 images/);
  });

  it('is the same in whatever batches images come, and chooses weights by the mean recall', () => {
    const parts = begun();
    const { data } = outputs.get(descriptorsOutput)!;
    for (let i = 0; i < 8; i++) {
      const one = { shape: [1, 2], data: data.slice(2 * i, 2 * i + 2) };
      const [places, views, roles] = [batch.places, batch.views, batch.roles].map((all) => all.slice(i, i + 1));
      const of = { places, views, roles } as typeof batch;
      parts.add(new Map([[descriptorsOutput, one]]), of);
    }
    const whole = begun();
    whole.add(outputs, batch);
    expect(parts.fields()).toEqual(whole.fields());
    const metric = recallMetric();
    const counter = metric.counter();
    counter.add(outputs, batch);
    expect(metric.figure(counter.counts())).toBeCloseTo(0.875, 12);
  });

  it('needs two views', () => {
    expect(() =>
      retrievalEvaluation.begin({ network, labels: [], hasLabels: false }, { name: 'one', names: ['drone'] }),
    ).toThrow('one: has one view, drone');
  });
});
