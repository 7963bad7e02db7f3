/**
 * SDSA-1 as the operators `coincidence`, `lif` and `gate`: counts, spikes and gradients of the authors' layer on both engines, spikes in onnxruntime, shapes that do
 * not fit, and what its operations are.
 */

import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/engines/kernels.js';
import type { Attributes, Node } from '../../src/graph/graph.js';
import { GraphBuilder } from '../../src/graph/graph.js';
import { OnnxFile } from '../../src/interop/onnx/onnxFile.js';
import { joined } from '../../src/interop/protobufWriter.js';
import { coincidence } from '../../src/operators/coincidence.js';
import { conv2d } from '../../src/operators/conv2d.js';
import { gate } from '../../src/operators/gate.js';
import { lif } from '../../src/operators/lif.js';
import { inferKinds, inferShapes, isSpikeSource, operatorOf, spikingNeurons } from '../../src/operators/registry.js';
import { relu } from '../../src/operators/relu.js';
import { canTrain, engines, expectClose, expectSame, TrainingWorkbench } from '../engines/support.js';
import { sharedPath } from '../shared.js';
import { readFixtureTensors } from '../support/safetensors.js';

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));
const whole = sharedPath('golden', 'rivals', 'sdsa.safetensors');
const inputs = readFixtureTensors('sdsa.safetensors');
const sdsa1 = readFixtureTensors('sdsa1.safetensors');

const [timeSteps, batch, heads, tokens, size] = [4, 2, 4, 16, 8];
const [height, width] = [2, 8];
const channels = heads * size;
const map = [timeSteps, batch, height, width, channels];
const vector = [timeSteps, batch, channels];
const settings = { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: true } as const;

/** `[T, B, heads, N, d] → [T, B, N, heads · d]`; with N = 1 nothing moves. */
function channelsLast(values: ArrayLike<number>): Float64Array {
  const perHead = values.length / (timeSteps * batch * heads * size);
  const result = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const token = Math.floor(i / size) % perHead;
    const head = Math.floor(i / (size * perHead)) % heads;
    const image = Math.floor(i / (size * perHead * heads));
    result[((image * perHead + token) * heads + head) * size + (i % size)] = values[i]!;
  }
  return result;
}

/** `[T, B, heads, N, d] → [T·B, heads · d, N]`. */
function channelsFirst(values: ArrayLike<number>): number[] {
  const last = channelsLast(values);
  const result = new Array<number>(values.length);
  for (let i = 0; i < values.length; i++) {
    const token = Math.floor(i / channels) % tokens;
    const image = Math.floor(i / (channels * tokens));
    result[(image * channels + (i % channels)) * tokens + token] = last[i]!;
  }
  return result;
}

function nodeOf(operator: string, attributes: Attributes = {}, name = operator): Node {
  return { name, operator, attributes, inputs: [], parameterPrefix: name };
}

const nodes = {
  coincidence: nodeOf('coincidence'),
  neurons: nodeOf('lif', { tau: 2, threshold: 0.5, timeSteps: 0 }),
  gate: nodeOf('gate'),
};

const none = (name: string): never => {
  throw new Error(`asked for ${name}`);
};

function forward(bench: TrainingWorkbench, node: Node, from: readonly Tensor[], output: Tensor): void {
  const call = { node, attributes: node.attributes, inputs: from, output, parameter: none, statistic: none };
  operatorOf(node).training!.forward(bench.kernels, call);
}

function backward(
  bench: TrainingWorkbench,
  node: Node,
  from: readonly Tensor[],
  output: Tensor,
  outputGradient: Tensor,
): Tensor[] {
  const found = from.map(({ shape }) => bench.real(shape));
  operatorOf(node).training!.backward(bench.kernels, {
    ...{ node, attributes: node.attributes, inputs: from, output, outputGradient, settings },
    ...{ parameter: none, statistic: none, parameterGradient: none },
    inputGradients: found.map((tensor) => ({ tensor, accumulate: false })),
  });
  return found;
}

/** Records the attention there and back. */
function record(bench: TrainingWorkbench, [query, key, value]: readonly [Tensor, Tensor, Tensor]) {
  const weights = bench.real(map, channelsLast(sdsa1('w').values));
  const [counts, fired, output] = [bench.real(vector), bench.spikeOutput(vector), bench.spikeOutput(map)];
  forward(bench, nodes.coincidence, [key, value], counts);
  forward(bench, nodes.neurons, [counts], fired);
  forward(bench, nodes.gate, [query, fired], output);
  const [queryGradient, firedGradient] = backward(bench, nodes.gate, [query, fired], output, weights);
  const [countGradient] = backward(bench, nodes.neurons, [counts], fired, firedGradient!);
  const [keyGradient, valueGradient] = backward(bench, nodes.coincidence, [key, value], counts, countGradient!);
  return { counts, output, queryGradient, countGradient, keyGradient, valueGradient };
}

describe.each(engines)('SDSA-1 on $name', ({ create }) => {
  async function withBench(use: (bench: TrainingWorkbench) => Promise<void>): Promise<void> {
    const engine = await create();
    if (!canTrain(engine)) throw new Error('this engine does not train');
    const bench = new TrainingWorkbench(engine);
    try {
      await use(bench);
    } finally {
      bench.dispose();
      await engine.dispose();
    }
  }

  const spikesOf = (bench: TrainingWorkbench, names: readonly string[]) =>
    names.map((name) => bench.spikes(map, channelsLast(inputs(name).values))) as [Tensor, Tensor, Tensor];

  it.each([
    ['d0.3', ['d0.3.q', 'd0.3.k', 'd0.3.v']],
    ['d0.5', ['d0.5.q', 'd0.5.k', 'd0.5.v']],
    ['pre', ['pre.q_spikes', 'pre.k_spikes', 'pre.v_spikes']],
  ])('has the authors’ counts and spikes: %s', (id, names) =>
    withBench(async (bench) => {
      const { counts, output } = record(bench, spikesOf(bench, names));
      await bench.run();
      expectSame(await bench.read(counts), channelsLast(sdsa1(`${id}.sdsa1.drive`).values));
      expectSame(await bench.readBits(output), channelsLast(sdsa1(`${id}.sdsa1.out`).values));
    }),
  );

  const golden = (id: string) => (id === 'd0.3' ? sdsa1 : readFixtureTensors(relative(fixtures, whole!)));
  const gradients = (id: string) =>
    withBench(async (bench) => {
      const found = record(bench, spikesOf(bench, [`${id}.q`, `${id}.k`, `${id}.v`]));
      await bench.run();
      const expected = (name: string) => channelsLast(golden(id)(`${id}.sdsa1.grad_${name}`).values);
      expectClose(await bench.read(found.countGradient!), expected('drive'));
      expectClose(await bench.read(found.queryGradient!), expected('q'));
      expectClose(await bench.read(found.keyGradient!), expected('k'));
      expectClose(await bench.read(found.valueGradient!), expected('v'));
    });
  it('has the gradients of the authors’ layer: d0.3', () => gradients('d0.3'));
  it.skipIf(!whole)('has the gradients of the authors’ layer: d0.5 (needs the shared folder)', () => gradients('d0.5'));

  it.skipIf(!whole)('passes them on to the neurons of Q, K and V (needs the shared folder)', () =>
    withBench(async (bench) => {
      const file = golden('pre');
      const neurons = nodeOf('lif', { tau: 2, threshold: 1, timeSteps: 0 });
      const before = ['q', 'k', 'v'].map((letter) => bench.real(map, channelsLast(file(`pre.${letter}_pre`).values)));
      const spikes = before.map((currents) => {
        const output = bench.spikeOutput(map);
        forward(bench, neurons, [currents], output);
        return output;
      });
      const found = record(bench, spikes as [Tensor, Tensor, Tensor]);
      const back = [found.queryGradient!, found.keyGradient!, found.valueGradient!].map(
        (gradient, i) => backward(bench, neurons, [before[i]!], spikes[i]!, gradient)[0]!,
      );
      await bench.run();
      for (const [i, letter] of ['q', 'k', 'v'].entries())
        expectClose(await bench.read(back[i]!), channelsLast(file(`pre.sdsa1.grad_${letter}_pre`).values));
    }),
  );
});

describe('SDSA-1 as ONNX', () => {
  it.each([
    ['d0.3', ['d0.3.q', 'd0.3.k', 'd0.3.v']],
    ['pre', ['pre.q_spikes', 'pre.k_spikes', 'pre.v_spikes']],
  ])('has the authors’ counts and spikes in onnxruntime: %s', async (id, names) => {
    const file = new OnnxFile();
    const axes = [timeSteps * batch, channels, height, width];
    const given = ['query', 'key', 'value'].map((name) => file.input(name, axes)) as [string, string, string];
    const append = (node: Node, from: string[], shapes: readonly (readonly number[])[], outputShape: number[]) =>
      operatorOf(node).toOnnx!(file, {
        ...{ node, attributes: node.attributes, parameter: none },
        ...{ inputs: from, inputShapes: shapes, outputShape },
      });
    const counts = append(nodes.coincidence, [given[1], given[2]], [map, map], vector);
    const fired = append(nodes.neurons, [counts], [vector], vector);
    const output = append(nodes.gate, [given[0], fired], [map, vector], map);
    file.output(counts, [timeSteps * batch, channels]);
    file.output(output, axes);
    const session = await ort.InferenceSession.create(joined(file.encode('attention', {})));
    const feeds = given.map((name, i) => [
      name,
      new ort.Tensor('float32', Float32Array.from(channelsFirst(inputs(names[i]!).values)), axes),
    ]);
    const results = await session.run(Object.fromEntries(feeds));
    expectSame(results[counts]!.data as Float32Array, sdsa1(`${id}.sdsa1.drive`).values);
    expectSame(results[output]!.data as Float32Array, channelsFirst(sdsa1(`${id}.sdsa1.out`).values));
    await session.release();
  });
});

describe('the graph of SDSA-1', () => {
  function graphOf(neurons: typeof lif) {
    const graph = new GraphBuilder('attention', 3);
    const own = (name: string, input: string) => neurons(graph, name, input, { tau: 2, threshold: 1 });
    const [query, key, value] = ['q', 'k', 'v'].map((name) => own(name, graph.input)) as [string, string, string];
    const counts = coincidence(graph, 'counts', { key, value });
    const passed = gate(graph, 'gate', query, own('fired', counts));
    const options = { inputChannels: 3, outputChannels: 2, kernel: 1 };
    graph.output('logits', conv2d(graph, 'projection', passed, options), 'logits');
    return graph.build();
  }

  it('has counts for each channel, and a map of spikes that are their own', () => {
    const graph = graphOf(lif);
    const shapes = inferShapes(graph, [4, 2, 5, 7, 3]);
    expect([shapes.get('counts'), shapes.get('gate')]).toEqual([
      [4, 2, 3],
      [4, 2, 5, 7, 3],
    ]);
    const kinds = inferKinds(graph);
    expect([kinds.get('counts'), kinds.get('gate')]).toEqual(['integer', 'binary']);
    expect(graph.nodes.filter((node) => isSpikeSource(node, kinds)).map(({ name }) => name)).toEqual([
      ...['q', 'k', 'v', 'fired', 'gate'],
    ]);
    expect(spikingNeurons(graph).map(({ name }) => name)).toEqual(['q', 'k', 'v', 'fired']);
  });

  it('carries numbers when the neurons give those out', () => {
    const kinds = inferKinds(graphOf(relu));
    expect([kinds.get('counts'), kinds.get('gate')]).toEqual(['real', 'real']);
  });

  it('adds once for each coincidence, whatever the width of heads, and gates for nothing', () => {
    const shapes = [map, map];
    expect(operatorOf(nodes.coincidence).cost(nodes.coincidence, shapes, vector).multiplyAccumulates).toBe(
      timeSteps * batch * tokens * channels,
    );
    expect(operatorOf(nodes.gate).cost(nodes.gate, [map, vector], map).multiplyAccumulates).toBe(0);
  });

  it.each([
    ['coincidence', [map, [...map.slice(0, 4), 8]], 'two maps'],
    ['coincidence', [vector, vector], 'two maps'],
    ['gate', [map, [timeSteps, batch, 8]], 'a gate for each channel'],
    ['gate', [map, [1, batch, channels]], 'a gate for each channel'],
  ])('refuses shapes that do not fit: %s of %j', (operator, shapes, message) => {
    const node = nodeOf(operator, {}, 'block3.0.attn.some');
    expect(() => operatorOf(node).infer(node, shapes)).toThrow(message);
    expect(() => operatorOf(node).infer(node, shapes)).toThrow('node block3.0.attn.some');
  });
});
