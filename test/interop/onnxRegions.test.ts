/** The graphs of a detector with regions as ONNX files, run by onnxruntime: the same maps, scores and masks as the engine that runs them all. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import { type FieldTensor, Model, onnxParts, resolveConfiguration } from '../../src/index.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { createEngine } from '../../src/runtime/engines.js';
import { askedGraph } from '../../src/tasks/registry.js';
import { spikeformer } from '../cli/support.js';
import { sharedPath } from '../shared.js';

const [timeSteps, batch, side] = [2, 2, 64];
const configuration = resolveConfiguration({
  ...{ embedDim: [8, 8, 16, 16], depths: [1, 1, 1, 1, 1], strides: [2, 2, 2, 2, 1], stemKernel: 3, heads: 2 },
  ...{ pyramidChannels: 8, regionChannels: 12, classes: 3, timeSteps },
});

let model: Model;
beforeAll(async () => {
  const weights = [...demonstrationParameters(askedGraph({ task: 'detection', configuration }), 3)];
  model = new Model({
    ...{ configuration, task: 'detection' },
    // So that the heads' neurons fire.
    parameters: new Map(
      weights.map(([name, values]) => [name, /neck|_head/.test(name) ? values.map((value) => 12 * value) : values]),
    ),
    engine: await createEngine({ threads: 1 }),
    provenance: { name: 'exported', randomWeights: true, description: '' },
    preprocessing: plainPreprocessing(side),
  });
});
afterAll(() => model.dispose());

async function runOnnx(parts: readonly Uint8Array[], { shape, data }: FieldTensor) {
  const session = await ort.InferenceSession.create(Buffer.concat(parts));
  const found = await session.run({ input: new ort.Tensor('float32', data, shape) });
  await session.release();
  return found;
}

const largest = (found: Float32Array, wanted: Float32Array) => {
  expect(found.length).toBe(wanted.length);
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0);
};

describe('a detector with regions as ONNX', () => {
  it('is three files, which together say what the engine says', async () => {
    const random = seededRandom(2);
    const input = {
      shape: [batch, 3, side, side],
      data: Float32Array.from({ length: batch * 3 * side * side }, () => random.normal()),
    };
    const regions = { proposals: 5 };
    const { outputs, activations } = await model.run(input, { record: { activations: true }, regions });
    const first = await runOnnx(onnxParts(model), input);
    // Time and batch are one axis in the file, in the order of the field's two.
    for (const name of ['neck.0', 'neck.3', 'rpn_cls.0', 'rpn_reg.4']) {
      const { shape, data } = outputs.get(name)!;
      expect(first[name]!.dims, name).toEqual([timeSteps * batch, ...shape.slice(2)]);
      expect(largest(first[name]!.data as Float32Array, data), name).toBeLessThan(1e-4);
    }
    const features = activations!.get('bbox_feats')!;
    const count = features.shape[1]!;
    const flat = { shape: [timeSteps, count, 8 * 49, 1, 1], data: features.data };
    const boxes = await runOnnx(onnxParts(model, { graph: 'roi_head.bbox_head' }), flat);
    for (const name of ['cls_score', 'bbox_pred'])
      expect(largest(boxes[name]!.data as Float32Array, outputs.get(name)!.data), name).toBeLessThan(1e-4);
    expect(boxes.cls_score!.data.some((value) => Number(value) !== 0)).toBe(true);
    const cut = activations!.get('mask_feats')!;
    const masks = await runOnnx(onnxParts(model, { graph: 'roi_head.mask_head', spikes: true }), cut);
    expect(masks.mask_preds!.dims).toEqual(outputs.get('mask_preds')!.shape);
    expect(largest(masks.mask_preds!.data as Float32Array, outputs.get('mask_preds')!.data)).toBeLessThan(1e-4);
    expect(Object.keys(masks)).toContain('roi_head.mask_head.upsample.0');
  });

  it('has no single step, and no graphs but its own', () => {
    expect(() => onnxParts(model, { step: true })).toThrow('takes all time steps at once; leave out step');
    expect(() => onnxParts(model, { graph: 'rpn' })).toThrow(
      'found the graph rpn, but the network has roi_head.bbox_head, roi_head.mask_head',
    );
  });

  const checkpoint = sharedPath('golden', 'dense', 'det.pth');
  const suffix = checkpoint ? '' : ' (skipped: the shared golden files are absent)';
  it.skipIf(!checkpoint)(`is written by the command, each file called after its graph${suffix}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spikeformer-onnx-'));
    const output = join(folder, 'det.onnx');
    const network = ['export', '--checkpoint', checkpoint!, '--image-size', '64'];
    const { code, stdout } = await spikeformer([...network, '--format', 'onnx', '--output', output]);
    const files = ['det.onnx', 'det.roi_head.bbox_head.onnx', 'det.roi_head.mask_head.onnx'];
    expect([code, (await readdir(folder)).sort()]).toEqual([0, files]);
    for (const file of files) expect(stdout).toContain(join(folder, file));
    await rm(folder, { recursive: true });
  });
});
