/** Exported ONNX files, run by onnxruntime: the spikes and logits of the authors' module, and of our engine on what they did not run. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import {
  type FieldTensor,
  type MetaSpikeformerConfiguration,
  Model,
  metaSpikeformer,
  resolveConfiguration,
} from '../../src/index.js';
import { exportOnnx, type OnnxOptions } from '../../src/interop/onnx/exportOnnx.js';
import { OnnxFile } from '../../src/interop/onnx/onnxFile.js';
import { integer, joined } from '../../src/interop/protobufWriter.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { createEngine } from '../../src/runtime/engines.js';
import { goldenPath, loadGolden } from '../golden/support.js';

type Feeds = Record<string, FieldTensor>;
type Level = 'disabled' | 'all';

async function runOnnx(file: Uint8Array, feeds: Feeds, level: Level = 'all'): Promise<Map<string, Float32Array>> {
  const session = await ort.InferenceSession.create(file, { graphOptimizationLevel: level });
  const tensors = Object.entries(feeds).map(([name, { shape, data }]) => [
    name,
    new ort.Tensor('float32', data, shape),
  ]);
  const results = await session.run(Object.fromEntries(tensors));
  await session.release();
  return new Map(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
}

const largestDifference = (a: Float32Array, b: Float32Array) => {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
};

/** Packed bits, most significant first, as the golden files and our records have them. */
function packed(spikes: Float32Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(spikes.length / 8));
  for (let i = 0; i < spikes.length; i++) {
    const spike = spikes[i]!;
    if (spike === 1) bytes[i >> 3]! |= 128 >> (i & 7);
    else if (spike !== 0) expect.fail(`spike ${i} is ${spike}`);
  }
  return bytes;
}

describe.each(['infer_T4_kd', 'plain_T1', 'infer_T1', 'infer_T4'])('%s as ONNX', (name) => {
  const present = goldenPath(`${name}.json`) !== undefined;
  const forms: readonly (readonly [string, Partial<OnnxOptions>, Level])[] = [
    ['folded', {}, 'all'],
    ['folded, as written', {}, 'disabled'],
    ['with batch norms', { fold: false }, 'all'],
    ['with batch norms, as written', { fold: false }, 'disabled'],
    ['RepConv half merged', { repConv: 'first' }, 'all'],
    ['RepConv merged', { repConv: 'full' }, 'all'],
    ['from frames', { input: 'frames' }, 'all'],
    ['for one batch size', { batch: 1 }, 'all'],
  ];
  it.skipIf(!present).each(forms)(
    `has every spike of the authors’ module and its logits: %s${present ? '' : ' (skipped: the shared golden files are absent)'}`,
    async (_title, options, level) => {
      const { loaded, input, logits, spikes } = await loadGolden(name);
      const [batch, , height, width] = input.shape as [number, number, number, number];
      const settings = {
        ...options,
        ...(options.batch ? { batch } : {}),
        imageSize: [height, width],
        spikes: true,
      } as const;
      const file = joined(exportOnnx(loaded, settings));
      const fed = options.input === 'frames' ? shownFor(loaded.configuration.timeSteps, input) : input;
      const results = await runOnnx(file, { input: fed }, level);
      expect(largestDifference(results.get('logits')!, logits)).toBeLessThan(1e-4);
      expect(spikes.size).toBeGreaterThan(70);
      for (const [layer, bits] of spikes) expect(Buffer.compare(packed(results.get(layer)!), bits), layer).toBe(0);
    },
  );

  it.skipIf(!present)(
    `has them step by step as well${present ? '' : ' (skipped: the shared golden files are absent)'}`,
    async () => {
      const { loaded, input, logits, spikes } = await loadGolden(name);
      const { timeSteps } = loaded.configuration;
      const [batch, , height, width] = input.shape as [number, number, number, number];
      const options = { imageSize: [height, width], step: true, spikes: true } as const;
      const session = await ort.InferenceSession.create(joined(exportOnnx(loaded, options)));
      let state = restingState(session, batch);
      expect(Object.keys(state).sort()).toEqual([...spikes.keys()].map((layer) => `${layer}.membrane`).sort());
      const fired = new Map([...spikes.keys()].map((layer) => [layer, [] as number[]]));
      const mean = new Float32Array(logits.length);
      for (let t = 0; t < timeSteps; t++) {
        const results = await session.run({ input: new ort.Tensor('float32', input.data, input.shape), ...state });
        for (const [layer, steps] of fired) steps.push(...(results[layer]!.data as Float32Array));
        for (const [i, logit] of (results.logits!.data as Float32Array).entries()) mean[i]! += logit / timeSteps;
        state = nextState(state, results);
      }
      await session.release();
      expect(largestDifference(mean, logits)).toBeLessThan(1e-4);
      for (const [layer, bits] of spikes)
        expect(Buffer.compare(packed(Float32Array.from(fired.get(layer)!)), bits), layer).toBe(0);
    },
  );
});

/** The image at every step. */
function shownFor(timeSteps: number, { shape, data }: FieldTensor): FieldTensor {
  const frames = new Float32Array(timeSteps * data.length);
  for (let t = 0; t < timeSteps; t++) frames.set(data, t * data.length);
  return { shape: [timeSteps, ...shape], data: frames };
}

type State = Readonly<Record<string, ort.Tensor>>;

/** Membranes of zero, shaped as the file declares them. */
function restingState(session: ort.InferenceSession, batch: number): State {
  const membranes = session.inputMetadata.filter(({ name }) => name !== 'input');
  return Object.fromEntries(
    membranes.map((declared) => {
      if (!declared.isTensor) throw new Error(`${declared.name} is no tensor`);
      const shape = declared.shape.map((size) => (typeof size === 'number' ? size : batch));
      const zeros = new Float32Array(shape.reduce((a, b) => a * b));
      return [declared.name, new ort.Tensor('float32', zeros, shape)];
    }),
  );
}

function nextState(state: State, results: ort.InferenceSession.OnnxValueMapType): State {
  return Object.fromEntries(Object.keys(state).map((name) => [name, results[`${name}_next`] as ort.Tensor]));
}

const odd = resolveConfiguration({
  embedDim: [6, 12, 20, 24],
  heads: 4,
  depths: [1, 1, 2, 1, 1],
  strides: [1, 2, 2, 1, 1],
  stemKernel: 5,
  inputChannels: 1,
  classes: 7,
  timeSteps: 3,
  tau: 3,
  threshold: 0.8,
});

function numbers(shape: readonly number[], seed: number): FieldTensor {
  const random = seededRandom(seed);
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * random.normal()) };
}

async function withModel<Result>(
  configuration: MetaSpikeformerConfiguration,
  use: (model: Model) => Promise<Result>,
): Promise<Result> {
  const model = new Model({
    configuration,
    parameters: demonstrationParameters(metaSpikeformer(configuration), 5),
    engine: await createEngine({ threads: 1 }),
    provenance: { name: 'odd', randomWeights: true, description: '' },
    preprocessing: plainPreprocessing(16),
  });
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}

const record = { record: { spikes: true } };

describe('a network of odd sizes, one input channel, τ = 3, as ONNX', () => {
  it('takes any batch of images and agrees with our engine', async () => {
    await withModel(odd, async (model) => {
      const file = joined(exportOnnx(model, { imageSize: [13, 18], spikes: true }));
      for (const batch of [1, 3]) {
        const input = numbers([batch, 1, 13, 18], batch);
        const ours = await model.run(input, record);
        const theirs = await runOnnx(file, { input });
        expect(largestDifference(theirs.get('logits')!, ours.logits.data)).toBeLessThan(1e-4);
        for (const [layer, { bits }] of ours.spikes!)
          expect(Buffer.compare(packed(theirs.get(layer)!), bits), layer).toBe(0);
      }
    });
  });

  it('takes frames', async () => {
    await withModel(odd, async (model) => {
      const input = numbers([3, 2, 1, 13, 18], 9);
      const file = joined(exportOnnx(model, { imageSize: [13, 18], input: 'frames' }));
      const ours = await model.run(input);
      const theirs = await runOnnx(file, { input });
      expect(largestDifference(theirs.get('logits')!, ours.logits.data)).toBeLessThan(1e-4);
    });
  });

  it('runs step by step with membranes in and out, as model.step does', async () => {
    await withModel(odd, async (model) => {
      const options = { imageSize: [13, 18], step: true, spikes: true } as const;
      const session = await ort.InferenceSession.create(joined(exportOnnx(model, options)));
      let state = restingState(session, 2);
      expect(Object.keys(state).length).toBeGreaterThan(20);
      for (let t = 0; t < 4; t++) {
        const frame = numbers([2, 1, 13, 18], 20 + t);
        const ours = await model.step(frame, record);
        const input = new ort.Tensor('float32', frame.data, frame.shape);
        const results = await session.run({ input, ...state });
        expect(largestDifference(results.logits!.data as Float32Array, ours.logits.data)).toBeLessThan(1e-4);
        for (const [layer, { bits }] of ours.spikes!)
          expect(Buffer.compare(packed(results[layer]!.data as Float32Array), bits), `${layer} at ${t}`).toBe(0);
        state = nextState(state, results);
      }
      await session.release();
    });
  });

  it.each([{ step: true }, { input: 'frames' }, {}] as const)('declares the shapes that it gives: %o', async (form) => {
    const configuration = { ...odd, distillation: true };
    await withModel(configuration, async ({ parameters }) => {
      const options = { imageSize: [13, 18], batch: 2, spikes: true, ...form } as const;
      const session = await ort.InferenceSession.create(
        joined(exportOnnx({ graph: metaSpikeformer(configuration), parameters }, options)),
      );
      const input = numbers('input' in form ? [3, 2, 1, 13, 18] : [2, 1, 13, 18], 4);
      const state = restingState(session, 2);
      const results = await session.run({ input: new ort.Tensor('float32', input.data, input.shape), ...state });
      const declared = session.outputMetadata.map((output) => [output.name, output.isTensor && output.shape]);
      await session.release();
      const given = Object.entries(results).map(([name, tensor]) => [name, [...(tensor as ort.Tensor).dims]]);
      expect(new Map(declared as [string, unknown][])).toEqual(new Map(given as [string, unknown][]));
      expect(declared.length).toBeGreaterThan(20);
    });
  });

  it.each([1, 2, 16])('runs for T = %d, with a distillation head, whatever is folded', async (timeSteps) => {
    const configuration = { ...odd, timeSteps, distillation: true };
    await withModel(configuration, async (model) => {
      const input = numbers([2, 1, 13, 18], timeSteps);
      const ours = await model.run(input);
      for (const fold of [true, false]) {
        const file = joined(exportOnnx(model, { imageSize: [13, 18], fold }));
        const theirs = await runOnnx(file, { input });
        expect([...theirs.keys()]).toEqual(['logits', 'head', 'head_kd']);
        for (const [name, { data }] of ours.outputs)
          expect(largestDifference(theirs.get(name)!, data), name).toBeLessThan(1e-4);
        expect(largestDifference(theirs.get('head')!, theirs.get('head_kd')!)).toBeGreaterThan(1e-2);
      }
    });
  });

  const wrong: readonly (readonly [string, Partial<OnnxOptions>, RegExp])[] = [
    ['a batch of nothing', { batch: 0 }, /batch is 0, expected a whole number from 1/],
    ['half a pixel', { imageSize: [8.5, 8] }, /image height is 8\.5/],
    ['a step of frames', { step: true, input: 'frames' }, /a single step takes one frame/],
    ['RepConv merged beside batch norms', { fold: false, repConv: 'full' }, /leave out either fold or repConv/],
  ];
  it.each(wrong)('refuses %s', async (_title, options, message) => {
    await withModel(odd, async ({ parameters }) => {
      expect(() =>
        exportOnnx({ graph: metaSpikeformer(odd), parameters }, { imageSize: [13, 18], ...options }),
      ).toThrow(message);
    });
  });
});

describe('an ONNX file', () => {
  it('is not larger than protobuf’s limit', () => {
    // One array for all constants: what is written refers to it and does not copy it.
    const values = new Float32Array(2 ** 26);
    const file = new OnnxFile();
    const fill = (count: number) => {
      for (let i = 0; i < count; i++) file.constant(`weight ${count} ${i}`, values, [values.length]);
    };
    fill(7);
    expect(file.encode('large', {}).byteLength).toBeGreaterThan(7 * values.byteLength);
    fill(1);
    expect(() => file.encode('large', {})).toThrow(/takes 2\.0 GiB.*export it as safetensors/);
  });
});

describe('protobuf', () => {
  it('writes whole numbers as its encoding guide shows', () => {
    expect([...joined(integer(1, 150))]).toEqual([0x08, 0x96, 0x01]);
    expect([...joined(integer(2, -1))]).toEqual([0x10, ...Array(9).fill(0xff), 0x01]);
  });
});
