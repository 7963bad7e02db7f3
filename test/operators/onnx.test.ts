/** Operators as they spell themselves in ONNX, run by onnxruntime one at a time: spikingjelly's neurons, the authors' attention, float32 arithmetic. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { Attributes } from '../../src/graph/graph.js';
import { OnnxFile } from '../../src/interop/onnx/onnxFile.js';
import { joined } from '../../src/interop/protobufWriter.js';
import type { OnnxCall } from '../../src/operators/onnxBuilder.js';
import { operatorOf } from '../../src/operators/registry.js';
import { seededRandom } from '../../src/random.js';
import { readFixtureJson, readFixtureTensors } from '../support/safetensors.js';

interface NeuronCase {
  readonly id: string;
  readonly node: string;
  readonly T: number;
  readonly tau: number;
  readonly threshold: number;
  readonly reset?: string;
  readonly v_reset?: number;
  readonly decay_input?: boolean;
}

interface FileTensor {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

const neurons = readFixtureTensors('lif.safetensors');
const neuronCases = (readFixtureJson('lif.json') as { cases: NeuronCase[] }).cases.filter(
  (neuron) => neuron.node === 'LIF' && neuron.decay_input && neuron.reset !== 'soft' && neuron.v_reset === undefined,
);
const attention = readFixtureTensors('sdsa.safetensors');

/** Appends one node to a file and returns the name of its result. */
function append(
  file: OnnxFile,
  name: string,
  operator: string,
  attributes: Attributes,
  call: Pick<OnnxCall<Attributes>, 'inputs' | 'inputShapes' | 'outputShape' | 'membrane'>,
): string {
  const node = { name, operator, attributes, inputs: call.inputs, parameterPrefix: name };
  const parameter = (local: string): never => {
    throw new Error(`${operator} asked for ${local}`);
  };
  return operatorOf(node).toOnnx!(file, { node, attributes, parameter, ...call });
}

async function run(file: OnnxFile, inputs: Record<string, FileTensor>): Promise<Record<string, number[]>> {
  const session = await ort.InferenceSession.create(joined(file.encode('operators', {})));
  const feeds = Object.entries(inputs).map(([name, { shape, values }]) => [
    name,
    new ort.Tensor('float32', Float32Array.from(values), shape),
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
  );
}

/** Three images of 16 channels, step by step or all steps at once. */
function neuronFile({ tau, threshold }: { tau: number; threshold: number }, timeSteps: number, keeps: boolean) {
  const file = new OnnxFile();
  const axes = [timeSteps * 3, 16];
  const input = file.input('x', axes);
  const membrane = keeps ? { before: file.input('v', axes), after: 'v_next' } : undefined;
  const spikes = append(
    file,
    'lif',
    'lif',
    { tau, threshold, timeSteps: 0 },
    {
      inputs: [input],
      inputShapes: [[timeSteps, 3, 16]],
      outputShape: [timeSteps, 3, 16],
      ...(membrane ? { membrane } : {}),
    },
  );
  file.output(spikes, axes);
  if (membrane) file.output(membrane.after, axes);
  return file;
}

describe('neurons as ONNX', () => {
  it('are tested against all of spikingjelly’s that they can be', () => {
    expect(neuronCases.length).toBeGreaterThan(10);
  });

  it.each(neuronCases)('have every spike of spikingjelly’s: $id', async (neuron) => {
    const x = neurons(`x.T${neuron.T}`).values;
    const file = neuronFile(neuron, neuron.T, false);
    const { lif } = await run(file, { x: { shape: [neuron.T * 3, 16], values: x } });
    expect(lif).toEqual(Array.from(neurons(`${neuron.id}.s`).values));
  });

  it.each(neuronCases)('have every membrane of spikingjelly’s, bit for bit, step by step: $id', async (neuron) => {
    const x = neurons(`x.T${neuron.T}`).values;
    const membranes = neurons(`${neuron.id}.v`).values;
    const file = neuronFile(neuron, 1, true);
    let v = new Array<number>(48).fill(0);
    for (let t = 0; t < neuron.T; t++) {
      const step = { shape: [3, 16], values: x.slice(48 * t, 48 * (t + 1)) };
      const results = await run(file, { x: step, v: { shape: [3, 16], values: v } });
      v = results.v_next!;
      expect(v).toEqual(Array.from(membranes.slice(48 * t, 48 * (t + 1))));
    }
  });

  it.each([1, 2, 2.5, 3, 4, 7])('divide by τ = %d as float32 does', async (tau) => {
    const random = seededRandom(tau);
    const draw = () => Float32Array.from({ length: 48 }, () => random.normal());
    const [x, v] = [draw(), draw()];
    // A threshold that none reaches: the membrane shows the charge itself.
    const results = await run(neuronFile({ tau, threshold: 1000 }, 1, true), {
      x: { shape: [3, 16], values: x },
      v: { shape: [3, 16], values: v },
    });
    const charged = Array.from(v, (before, i) =>
      Math.fround(before + Math.fround(Math.fround(x[i]! - before) / Math.fround(tau))),
    );
    expect(results.v_next).toEqual(charged);
  });

  it('fire at the threshold itself, and just below it do not', async () => {
    const values = Array.from({ length: 48 }, (_, i) => [2, 1.9999998807907104, 2.5][i % 3]!);
    const { lif } = await run(neuronFile({ tau: 2, threshold: 1 }, 1, false), { x: { shape: [3, 16], values } });
    expect(lif).toEqual(values.map((_, i) => [1, 0, 1][i % 3]));
  });
});

describe('spike attention as ONNX', () => {
  const [timeSteps, batch, heads, tokens, size] = attention('d0.3.q').shape as [number, number, number, number, number];
  const channels = heads * size;
  const [height, width] = [2, tokens / 2];

  /** `[T, B, heads, N, d] → [T·B, heads · d, N]`. */
  function channelsFirst(values: ArrayLike<number>): number[] {
    const result = new Array<number>(values.length);
    for (let i = 0; i < values.length; i++) {
      const channel = i % size;
      const token = Math.floor(i / size) % tokens;
      const head = Math.floor(i / (size * tokens));
      result[(head * size + channel) * tokens + token] = values[i]!;
    }
    return result;
  }

  it.each([
    { id: 'd0.3.sdsa3', names: ['d0.3.q', 'd0.3.k', 'd0.3.v'] },
    { id: 'd0.5.sdsa3', names: ['d0.5.q', 'd0.5.k', 'd0.5.v'] },
    { id: 'pre.sdsa3', names: ['pre.q_spikes', 'pre.k_spikes', 'pre.v_spikes'] },
  ])('gives the authors’ products, and the neuron behind it their spikes: $id', async ({ id, names }) => {
    const file = new OnnxFile();
    const axes = [timeSteps * batch, channels, height, width];
    const map = [timeSteps, batch, height, width, channels];
    const flat = [timeSteps, batch, tokens, channels];
    const inputs = ['query', 'key', 'value'].map((name) => file.input(name, axes));
    const attributes = { channels, heads, scale: 0.125 };
    const shapes = { inputShapes: [map, map, map], outputShape: flat };
    const drive = append(file, 'product', 'spikeAttention', attributes, { inputs, ...shapes });
    const neuron = { tau: 2, threshold: 0.5, timeSteps: 0 };
    const fired = append(file, 'fired', 'lif', neuron, { inputs: [drive], inputShapes: [flat], outputShape: flat });
    file.output(drive, axes);
    file.output(fired, axes);
    const feeds = names.map((name, i) => [inputs[i]!, { shape: axes, values: channelsFirst(attention(name).values) }]);
    const results = await run(file, Object.fromEntries(feeds));
    expect(results.product).toEqual(channelsFirst(attention(`${id}.drive`).values));
    expect(results.fired).toEqual(channelsFirst(attention(`${id}.out`).values));
  });
});
