/**
 * The authors' Mask R-CNN against their own modules (mmdetection, PyTorch on CPU): told from the checkpoint, every spike of backbone, neck and heads equal, odd sizes too; the same proposals;
 * and all of it by the command `run`. The files are read where the shared folder is.
 */
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../src/api/model.js';
import { fileFromBytes, loadModel } from '../../src/index.js';
import { openCheckpointFile, writeSafetensors } from '../../src/interop/checkpointFiles.js';
import { openSafetensors } from '../../src/interop/safetensors.js';
import { spikeformer } from '../cli/support.js';
import { nativeIsBuilt, nativeSuffix } from '../engines/nativeSupport.js';
import { sharedPath } from '../shared.js';

const pathOf = (file: string) => sharedPath('golden', 'dense', file);
const present = pathOf('det.pth') !== undefined;
const suffix = present ? '' : ' (skipped: the shared golden files are absent)';

interface Golden {
  readonly T: number;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

async function load(name: string): Promise<Golden> {
  const { T } = JSON.parse(readFileSync(pathOf(`${name}.json`)!, 'utf8'));
  const file = await openSafetensors(fileFromBytes(readFileSync(pathOf(`${name}.safetensors`)!), name));
  const [values, bytes, shapes] = [new Map(), new Map(), new Map()];
  for (const [key, tensor] of file.tensors) {
    shapes.set(key, tensor.shape);
    if (tensor.dtype === 'uint8') bytes.set(key, await tensor.readBytes());
    else values.set(key, key === 'roi_level' ? levels(await tensor.readBytes()) : await tensor.readFloat32());
  }
  return { T, shapes, values, bytes };
}

const levels = (bytes: Uint8Array) => Float32Array.from(new BigInt64Array(Uint8Array.from(bytes).buffer), Number);

const largestDifference = (found: Float32Array, expected: Float32Array) =>
  found.length === expected.length
    ? found.reduce((largest, value, index) => Math.max(largest, Math.abs(value - expected[index]!)), 0)
    : Number.POSITIVE_INFINITY;

/** Boxes of equal scores from left to right, and from top to bottom. */
function inOrder(boxes: Float32Array, scores: Float32Array): Float32Array {
  const rows = Array.from({ length: boxes.length / 4 }, (_, i) => [...boxes.subarray(4 * i, 4 * i + 4)] as const);
  const order = [...rows.keys()].sort(
    (a, b) =>
      scores[b]! - scores[a]! ||
      Math.round(rows[a]![0]! - rows[b]![0]!) ||
      Math.round(rows[a]![1]! - rows[b]![1]!) ||
      a - b,
  );
  return Float32Array.from(order.flatMap((i) => rows[i]!));
}

/** What the authors' program calls a layer. */
const asPublished = (module: string) => (/^(neck|rpn_head|roi_head)\./.test(module) ? module : `backbone.${module}`);

describe.each(['det_T1', 'det_T2_odd'])('%s', (name) => {
  for (const engine of ['reference', 'wasm', 'native'] as const) {
    const able = present && (engine !== 'native' || nativeIsBuilt);
    describe.skipIf(!able)(`on ${engine}${suffix}${able || !present ? '' : nativeSuffix}`, () => {
      let golden: Golden;
      let result: RunResult;
      beforeAll(async () => {
        golden = await load(name);
        const settings = { timeSteps: golden.T, detectionStrides: 'published', engine, threads: 1 } as const;
        const model = await loadModel({ checkpoint: pathOf('det.pth')! }, settings);
        expect([model.task, model.configuration.classes]).toEqual(['detection', 5]);
        const tensor = (key: string) => ({ shape: golden.shapes.get(key)!, data: golden.values.get(key)! });
        result = await model.run(tensor('input'), {
          record: { spikes: true, activations: true },
          regions: { regions: tensor('rois'), maskRegions: tensor('mask_rois'), candidates: 200, proposals: 60 },
        });
        await model.dispose();
      });

      it('fires as the authors’ modules do, spike for spike', () => {
        const { bytes } = golden;
        const spikes = result.spikes!;
        const expected = [...bytes.keys()].filter((key) => key.startsWith('spikes.'));
        expect([...spikes.keys()].map((module) => `spikes.${asPublished(module)}`).sort()).toEqual(expected.sort());
        const different = [...spikes].filter(
          ([module, { bits }]) => Buffer.compare(bits, bytes.get(`spikes.${asPublished(module)}`)!) !== 0,
        );
        expect(different.map(([module]) => module)).toEqual([]);
      });

      it('makes their maps, cuts out their regions and gives out their numbers', () => {
        const { values, shapes } = golden;
        const kept = [...values.keys()].filter((key) => /^(backbone|neck)\.|_feats$/.test(key));
        for (const key of kept) {
          const { shape, data } = result.activations!.get(key)!;
          expect([key, shape]).toEqual([key, shapes.get(key)]);
          expect(largestDifference(data, values.get(key)!), key).toBeLessThan(1e-4);
        }
        const given = [...values.keys()].filter((key) => key !== 'input' && !kept.includes(key));
        for (const key of given.filter((each) => !each.startsWith('proposal_'))) {
          const { shape, data } = result.outputs.get(key)!;
          expect([key, shape]).toEqual([key, shapes.get(key)]);
          expect(largestDifference(data, values.get(key)!), key).toBeLessThan(1e-5);
        }
      });

      it('proposes the regions that mmdetection proposes; of equal scores in the order of anchors, where PyTorch’s sort has none', () => {
        const { values } = golden;
        const images = [...values.keys()].filter((key) => key.startsWith('proposal_scores')).length;
        for (let image = 0; image < images; image++) {
          const [scores, boxes] = ['scores', 'boxes'].map((what) => `proposal_${what}.${image}`) as [string, string];
          const found = result.outputs.get(scores)!.data;
          expect(largestDifference(found, values.get(scores)!), scores).toBeLessThan(1e-5);
          // Which of several with the last score are the last is chance, too.
          const whole = values.get(scores)!.filter((score) => score > values.get(scores)!.at(-1)!).length;
          const sorted = (from: Float32Array) => inOrder(from.subarray(0, 4 * whole), values.get(scores)!);
          const difference = largestDifference(sorted(result.outputs.get(boxes)!.data), sorted(values.get(boxes)!));
          expect(difference, boxes).toBeLessThan(1e-3);
        }
      });
    });
  }
});

describe('run', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spikeformer-detection-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.skipIf(!present)(
    `writes the numbers of the authors’ checkpoint, about regions from the input’s file${suffix}`,
    async () => {
      const { shapes, values } = await load('det_T1');
      const [input, output] = [join(folder, 'input.safetensors'), join(folder, 'output.safetensors')];
      const tensor = (key: string) => ({ dtype: 'float32', shape: shapes.get(key)!, data: values.get(key)! }) as const;
      await writeSafetensors(input, new Map(['input', 'rois', 'mask_rois'].map((key) => [key, tensor(key)])));
      const { code, stderr } = await spikeformer([
        ...['run', '--checkpoint', pathOf('det.pth')!, '--input', input, '--output', output],
        ...['--detection-strides', 'published', '--candidates', '200', '--proposals', '60'],
      ]);
      expect([stderr, code]).toEqual(['', 0]);
      const written = await openCheckpointFile(output);
      for (const key of ['proposal_scores.1', 'cls_score', 'bbox_pred_mean', 'mask_preds']) {
        const found = await written.tensors.get(key)!.readFloat32();
        expect(largestDifference(found, values.get(key)!), key).toBeLessThan(1e-5);
      }
      await written.close();
    },
  );
});

describe('predict and eval', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spikeformer-detection-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.skipIf(!present)(`find the same boxes, and predict their masks${suffix}`, async () => {
    const side = 64;
    const pixels = Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * 7 + (i >> 5) * 13) % 256);
    for (const part of ['images', 'labels']) await mkdir(join(folder, part, 'test'), { recursive: true });
    const image = join(folder, 'images', 'test', 'a.png');
    await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
      .png()
      .toFile(image);
    const network = ['--checkpoint', pathOf('det.pth')!, '--image-size', String(side), '--threads', '1', '--json'];
    const predicted = await spikeformer(['predict', image, ...network, '--threshold', '0.05', '--top', '5']);
    const found: readonly Found[] = JSON.parse(predicted.stdout).images[0].detections;
    expect(found).toHaveLength(5);
    for (const { segmentation } of found) {
      expect(segmentation.size).toEqual([side, side]);
      expect(segmentation.counts.reduce((sum, run) => sum + run, 0)).toBe(side * side);
    }
    // The surest of each class is the truth: then each is found first.
    const surest = found.filter(({ index }, i) => found.findIndex((other) => other.index === index) === i);
    const lines = surest.map(({ index, bbox: [x, y, w, h] }) =>
      [index, ...[x + w / 2, y + h / 2, w, h].map((value) => value / side)].join(' '),
    );
    await writeFile(join(folder, 'labels', 'test', 'a.txt'), lines.join('\n'));
    await writeFile(join(folder, 'data.yaml'), `names: [${[0, 1, 2, 3, 4].map((k) => `kind${k}`).join(', ')}]\n`);
    const evaluated = await spikeformer(['eval', '--data', folder, ...network]);
    expect(evaluated.stderr).toBe('');
    const document = JSON.parse(evaluated.stdout);
    expect(document.detection.averagePrecision50).toBeCloseTo(1, 12);
    // Boxes alone have no masks to compare.
    expect(document.masks).toBeUndefined();

    // The same with masks, in COCO's file, and a second image where a crowd covers everything.
    const coco = join(folder, 'coco');
    await mkdir(join(coco, 'test'), { recursive: true });
    for (const name of ['a.png', 'b.png']) await copyFile(image, join(coco, 'test', name));
    const whole = {
      bbox: [0, 0, side, side],
      segmentation: { size: [side, side], counts: [0, side * side] },
      iscrowd: 1,
    };
    const annotations = [
      ...surest.map(({ index, bbox, segmentation }) => ({ image_id: 1, category_id: index, bbox, segmentation })),
      ...[0, 1, 2, 3, 4].map((category_id) => ({ image_id: 2, category_id, ...whole })),
    ];
    const images = ['a.png', 'b.png'].map((file_name, i) => ({ id: i + 1, file_name, width: side, height: side }));
    const categories = [0, 1, 2, 3, 4].map((id) => ({ id, name: `kind${id}` }));
    await writeFile(join(coco, 'instances_test.json'), JSON.stringify({ images, annotations, categories }));
    const evaluate = async (...more: string[]) => {
      const { stdout, stderr } = await spikeformer(['eval', ...more, '--json']);
      expect(stderr).toBe('');
      const { timing: _, ...rest } = JSON.parse(stdout);
      return rest;
    };
    const settings = ['--data', coco, ...network.slice(0, -1)];
    const all = await evaluate(...settings);
    // What is found in a crowd is neither right nor wrong: the first image's objects are found first, box and mask.
    expect([all.detection.averagePrecision50, all.masks.detection.averagePrecision]).toEqual([
      expect.closeTo(1, 12),
      expect.closeTo(1, 12),
    ]);
    expect(all.masks.perClass.map(({ name }: { name: string }) => name)).toEqual(categories.map(({ name }) => name));
    const parts = [];
    for (const i of [0, 1, 2]) {
      parts.push(join(folder, `part${i}.json`));
      await writeFile(parts[i]!, (await spikeformer(['eval', ...settings, '--shard', `${i}/3`, '--json'])).stdout);
    }
    expect(await evaluate('--merge', ...parts)).toEqual(all);
    const edited = JSON.parse(await readFile(parts[0]!, 'utf8'));
    edited.masks.detection.averagePrecision = 0.5;
    await writeFile(parts[0]!, JSON.stringify(edited));
    const { stderr } = await spikeformer(['eval', '--merge', ...parts]);
    expect(stderr).toContain('masks: the figures do not follow from matches');
    const { stdout } = await spikeformer(['eval', ...settings]);
    expect(stdout).toMatch(/\nmasks\nmAP@\.5 +100\.00 %/);
  });
});

interface Found {
  readonly index: number;
  readonly bbox: readonly [number, number, number, number];
  readonly segmentation: { readonly size: readonly number[]; readonly counts: readonly number[] };
}

describe('energy --proof', () => {
  it.skipIf(!present)(`names what multiplies in the heads of the authors’ checkpoint, and why${suffix}`, async () => {
    const { code, stdout } = await spikeformer(['energy', '--checkpoint', pathOf('det.pth')!, '--proof', '--json']);
    const { multiplies, spikeFed } = JSON.parse(stdout).proof;
    const heads = multiplies.filter(({ name }: { readonly name: string }) => /^(neck|rpn_head|roi_head)\./.test(name));
    const why = expect.stringContaining('has no neurons and hands on membranes');
    expect(heads).toMatchObject([
      { name: 'roi_head.bbox_head.fc_cls', why },
      { name: 'roi_head.bbox_head.fc_reg', why },
    ]);
    expect(spikeFed).toContain('roi_head.mask_head.convs.3.1.0.conv');
    expect(code).toBe(0);
  });

  it.skipIf(!present)(`has figures beside it, counted with as many regions as there were${suffix}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spikeformer-detection-'));
    const table = join(folder, 'table.csv');
    const network = ['energy', '--checkpoint', pathOf('det.pth')!, '--image-size', '64', '--images', '1'];
    const { code, stdout, stderr } = await spikeformer([...network, '--csv', table, '--json']);
    expect([stderr, code]).toEqual(['', 0]);
    const { regions, exact, structure, paper } = JSON.parse(stdout);
    const boxes = regions['roi_head.bbox_head'];
    expect(boxes).toBeGreaterThan(1);
    const layers: readonly { readonly name: string; readonly multiplications: readonly number[] }[] = exact.layers;
    expect(structure.map(({ name }: { readonly name: string }) => name)).toEqual(layers.map(({ name }) => name));
    const naming = layers.find(({ name }) => name === 'roi_head.bbox_head.fc_cls')!;
    const dense = paper.layers.find(({ name }: { readonly name: string }) => name === naming.name).operations;
    expect(naming.multiplications[0]).toBe(dense);
    expect((await readFile(table, 'utf8')).split('\r\n')).toHaveLength(layers.length + 2);
    const told = await spikeformer(network);
    expect(told.stdout).toContain(`regions of an image  roi_head.bbox_head ${boxes.toFixed(1)}, roi_head.mask_head `);
    await rm(folder, { recursive: true });
  });

  it.skipIf(!present)(`needs images to know how many regions there are${suffix}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spikeformer-detection-'));
    const rates = join(folder, 'rates.json');
    await writeFile(rates, '{"default": 0.1}');
    const { code, stderr } = await spikeformer(['energy', '--checkpoint', pathOf('det.pth')!, '--rates', rates]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('ask with data, or for the proof')]);
    await rm(folder, { recursive: true });
  });
});

describe('regions of a run', () => {
  it.skipIf(!present)(`are refused where they cannot be, and frames that come one by one too${suffix}`, async () => {
    const model = await loadModel({ checkpoint: pathOf('det.pth')! }, { threads: 1 });
    const input = { shape: [1, 3, 32, 32], data: new Float32Array(3072) };
    const box = (...numbers: number[]) => ({ shape: [1, 5], data: Float32Array.from(numbers) });
    const asked = [
      [{ regions: box(1, 0, 0, 9, 9) }, 'region 0 has 1 at place 0'],
      [{ maskRegions: box(0, 0, 0, 9, Number.NaN) }, 'maskRegions: region 0 has NaN at place 4'],
      [{ regions: { shape: [1, 4], data: new Float32Array(4) } }, 'found the shape [1, 4], expected [N, 5]'],
      [{ proposals: 0 }, 'proposals: found 0, expected a whole number'],
    ] as const;
    for (const [regions, message] of asked) await expect(model.run(input, { regions })).rejects.toThrow(message);
    await expect(model.step(input)).rejects.toThrow('run the sequence at once');
    // Nothing asked about is an answer too.
    const none = { shape: [0, 5], data: new Float32Array(0) };
    const { outputs } = await model.run(input, { regions: { regions: none } });
    expect(outputs.get('cls_score')!.shape).toEqual([1, 0, 6]);
    expect(outputs.get('mask_preds')!.shape).toEqual([0, 5, 28, 28]);
    await model.dispose();
  });
});
