/** Meta-SpikeFormer over joints without the shared files: recognised by its shapes, taken from the command line, and refused where it cannot be used. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { loadModel } from '../../src/index.js';
import { Inference } from '../../src/inference/inference.js';
import { openCheckpointFile, writeSafetensors } from '../../src/interop/checkpointFiles.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { describeNetwork, graphOf, recogniseNetwork } from '../../src/models/registry.js';
import { parametersOf } from '../../src/operators/registry.js';
import { seededRandom } from '../../src/random.js';
import { parseRecipe } from '../../src/training/recipe.js';
import { fixture, type Outcome, spikeformer } from '../cli/support.js';
import { smallest } from '../training/runSupport.js';

const architecture = 'meta-spikeformer-joints';
const settings = { embedDim: 16, depth: 1, heads: 2, mlpRatio: 2, classes: 3, timeSteps: 4, distillation: true };
const network = describeNetwork(architecture, settings);
const graph = graphOf(network);
const random = seededRandom(5);
const numbers = (...shape: number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * random.normal()),
});

let folder: string;
let checkpoint: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spikeformer-joints-'));
  checkpoint = join(folder, 'joints.safetensors');
  const values = demonstrationParameters(graph, 7);
  const tensors = parametersOf(graph)
    .filter(({ role }) => role !== 'batchCount')
    .map(({ name, shape }) => [name, { dtype: 'float32', shape, data: values.get(name)! }] as const);
  await writeSafetensors(checkpoint, new Map(tensors));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(input: ReturnType<typeof numbers>, ...options: string[]): Promise<Outcome> {
  const path = join(folder, 'input.safetensors');
  await writeSafetensors(path, new Map([['input', { dtype: 'float32', ...input } as const]]));
  const output = join(folder, 'output.safetensors');
  await rm(output, { force: true });
  return spikeformer([
    'run',
    ...['--checkpoint', checkpoint, '--input', path, '--output', output, '--heads', '2'],
    ...['--record', 'spikes,activations', ...options],
  ]);
}

describe('a network over joints', () => {
  it('is told from the shapes of its parameters, heads, joints and frames apart', () => {
    const shapes = new Map(parametersOf(graph).map(({ name, shape }) => [name, shape]));
    const unseen = { heads: 2, timeSteps: 4 };
    expect(recogniseNetwork(shapes, { settings: unseen })).toEqual(network);
    // An embedding of images is another network.
    expect(recogniseNetwork(new Map([...shapes, ['patch_embed.proj_conv.weight', [16, 3, 1, 1]]]))).toBeUndefined();
  });

  it('takes frames [T, B, C, V] of any number of joints, as many as the input has', async () => {
    const { code, stderr } = await run(numbers(5, 2, 3, 11));
    expect([stderr, code]).toEqual(['', 0]);
    const file = await openCheckpointFile(join(folder, 'output.safetensors'));
    const shapeOf = (name: string) => file.tensors.get(name)?.shape;
    expect(['logits', 'head', 'head_kd'].map(shapeOf)).toEqual([
      [2, 3],
      [2, 3],
      [2, 3],
    ]);
    expect(shapeOf('act.blocks.0')).toEqual([5, 2, 16, 11]);
    expect(shapeOf('act.head_kd')).toEqual([5, 2, 3]);
    expect(shapeOf('spikes.blocks.0.mlp.fc2_lif')).toEqual([(5 * 2 * 32 * 11) / 8]);
    await file.close();
  });

  it.each([
    [[5, 2, 4, 11], [], 'input: shape [5, 2, 4, 11], expected [B, 3, V] or 5 frames [5, B, 3, V]'],
    [[4, 2, 3, 5, 5], [], 'input: shape [4, 2, 3, 5, 5], expected [B, 3, V] or'],
    [[5, 2, 3, 11], ['--time-steps', '4'], 'expected [B, 3, V] or 4 frames [4, B, 3, V]'],
    [[4, 2, 3, 11], ['--strides', '1,1,1,1,1'], 'there is no option strides'],
    [[4, 2, 3, 11], ['--heads', '3'], 'embedDim must be a multiple of heads'],
  ] as const)('names what is wrong with an input of shape %j and %j', async (shape, options, message) => {
    const { code, stderr } = await run(numbers(...shape), ...options);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('gives frame by frame what it gives for the sequence, and a still pose is one that does not move', async () => {
    const model = await loadModel({ checkpoint }, { heads: 2, timeSteps: 3, threads: 1 });
    const { data } = numbers(3, 1, 3, 7);
    const { logits } = await model.run({ shape: [3, 1, 3, 7], data });
    let answer = new Float32Array();
    for (let t = 0; t < 3; t++) {
      const frame = { shape: [1, 3, 7], data: data.slice(t * 21, (t + 1) * 21) };
      answer = (await model.step(frame)).meanLogits.data as Float32Array<ArrayBuffer>;
    }
    for (const [index, score] of logits.data.entries()) expect(answer[index]).toBeCloseTo(score, 5);
    const pose = data.slice(0, 21);
    const still = await model.run({ shape: [1, 3, 7], data: pose });
    const repeated = await model.run({ shape: [3, 1, 3, 7], data: Float32Array.of(...pose, ...pose, ...pose) });
    for (const [index, score] of repeated.logits.data.entries()) expect(still.logits.data[index]).toBeCloseTo(score, 5);
    await expect(model.inputOf([new Uint8Array(4)])).rejects.toThrow('takes rows of joints [T, B, 3, V], not images');
    await model.dispose();
  });

  it('looks at several bodies one by one, and answers with the mean', async () => {
    const parameters = demonstrationParameters(graph, 7);
    const logitsOf = async (bodies: number, data: Float32Array) => {
      const whole = graphOf(describeNetwork(architecture, { ...settings, joints: 7, bodies }));
      const network = { graph: whole, parameters, timeSteps: 4, oneStep: () => whole };
      const inference = new Inference({ name: 'bodies', network, engine: await createReferenceEngine() });
      const { outputs } = await inference.run({ shape: [4, 2, 3, 7 * bodies], data });
      await inference.dispose();
      return outputs.get('logits')!.data;
    };
    const bodies = [numbers(4, 2, 3, 7).data, numbers(4, 2, 3, 7).data] as const;
    const side = Float32Array.from({ length: 4 * 2 * 3 * 14 }, (_, i) => {
      const [row, at] = [Math.floor(i / 14), i % 14];
      return bodies[Math.floor(at / 7)]![row * 7 + (at % 7)]!;
    });
    const [first, second] = [await logitsOf(1, bodies[0]), await logitsOf(1, bodies[1])];
    const both = await logitsOf(2, side);
    const largest = both.reduce((most, score, i) => Math.max(most, Math.abs(score - (first[i]! + second[i]!) / 2)), 0);
    expect(largest).toBeLessThan(1e-6);
    expect(first).not.toEqual(second);
  });

  it('is described and proved for the joints that it usually has', async () => {
    const info = await spikeformer(['info', '--checkpoint', checkpoint, '--heads', '2', '--json']);
    const described = JSON.parse(info.stdout);
    expect(described).toMatchObject({ architecture, imageSize: [1, 25], modality: null });
    expect(described.stages.map(({ name, tokens }: { name: string; tokens: number }) => [name, tokens])).toEqual([
      ['patch_embed', 25],
      ['blocks.0.attn', 25],
      ['blocks.0', 25],
      ['classifier', 1],
    ]);
    const text = await spikeformer(['info', '--checkpoint', checkpoint, '--image-size', '20']);
    expect(text.stdout).toContain('per frame of 20 joints');
    const proof = await spikeformer(['energy', '--checkpoint', checkpoint, '--proof', '--json']);
    expect(proof.code).toBe(0);
    const { spikeFed, multiplies } = JSON.parse(proof.stdout).proof;
    expect(spikeFed).toContain('blocks.0.attn.product');
    expect(multiplies).toMatchObject([
      { name: 'patch_embed.proj_conv', why: 'the first convolution receives numbers of joints' },
    ]);
  });

  it('is refused by commands that have pictures, by ONNX and by recipes, in a line', async () => {
    const picture = fixture('preprocess', 'images', 'jpeg_420.jpg');
    const options = ['--checkpoint', checkpoint];
    const onnx = join(folder, 'joints.onnx');
    for (const [args, message] of [
      [['predict', picture, ...options], 'takes rows of joints'],
      [['energy', ...options], 'takes rows of joints'],
      [['export', '--format', 'onnx', '--output', onnx, ...options], 'networks over joints cannot be written as ONNX'],
    ] as const) {
      const { code, stderr } = await spikeformer(args);
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    }
    const recipe = { ...smallest(), model: { architecture, ...settings } };
    expect(() => parseRecipe(recipe, 'joints.json')).toThrow(
      `${architecture} takes rows of joints; a recipe for images needs another architecture`,
    );
  });
});
