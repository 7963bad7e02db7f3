/** The mean of several values, inside a small graph on both engines: the arithmetic written down here, gradients against finite differences, and onnxruntime. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { GraphError } from '../../src/graph/errors.js';
import { type Graph, GraphBuilder, type Parameters } from '../../src/graph/graph.js';
import { outputOf, withOutputs } from '../../src/graph/outputs.js';
import { OnnxFile } from '../../src/interop/onnx/onnxFile.js';
import { joined } from '../../src/interop/protobufWriter.js';
import { average, averageOperator } from '../../src/operators/average.js';
import { linear } from '../../src/operators/linear.js';
import { spatialMean, timeMean } from '../../src/operators/means.js';
import { inferShapes, operatorOf, parametersOf } from '../../src/operators/registry.js';
import { seededRandom } from '../../src/random.js';
import { compile } from '../../src/runtime/compile.js';
import { createEngine } from '../../src/runtime/engines.js';
import { recordTraining, trainingSegments } from '../../src/training/trainingPlan.js';

const engines: readonly (readonly [string, () => Promise<Engine & TrainingEngine>])[] = [
  ['reference', createReferenceEngine],
  ['wasm', () => createEngine({ threads: 1 }) as Promise<Engine & TrainingEngine>],
];

const [batch, side, channels, classes] = [2, 3, 5, 7];
const inputShape = [1, batch, side, side, channels];

/** Heads on one pooled map; `mean` averages those of the given indices. */
function headsWithMean(indices: readonly number[]): Graph {
  const graph = new GraphBuilder('heads', channels);
  const pooled = spatialMean(graph, 'pool', graph.input);
  const heads = Array.from({ length: Math.max(...indices) + 1 }, (_, index) =>
    timeMean(
      graph,
      `head${index}.mean`,
      linear(graph, `head${index}`, pooled, {
        inputChannels: channels,
        outputChannels: classes,
        bias: true,
        layout: 'linear',
      }),
    ),
  );
  const inputs = indices.map((index) => heads[index]!);
  graph.output('mean', average(graph, 'mean', inputs));
  for (const [index, head] of heads.entries()) graph.output(`head${index}`, head, 'logits');
  return graph.build();
}

const numbers = (length: number, seed: number) => {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => 4 * random.uniform() - 2);
};
const input = numbers(batch * side * side * channels, 1);

function parametersFor(graph: Graph): Map<string, Float32Array> {
  return new Map(
    parametersOf(graph).map((spec, index) => [
      spec.name,
      numbers(
        spec.shape.reduce((a, b) => a * b, 1),
        10 + index,
      ),
    ]),
  );
}

async function run(engine: Engine, graph: Graph, parameters: Parameters): Promise<Map<string, Float32Array>> {
  const { program, tensor } = compile(engine, { graph, parameters }, inputShape);
  await program.write(tensor(graph.input), input);
  await program.run();
  const results = new Map<string, Float32Array>();
  for (const [name, { value }] of graph.outputs) results.set(name, await program.read(tensor(value)));
  return results;
}

describe.each(engines)('average on the %s engine', (_name, create) => {
  it('of two values is half their float32 sum, bit for bit, and leaves them as they were', async () => {
    const engine = await create();
    const graph = headsWithMean([0, 1]);
    const parameters = parametersFor(graph);
    const results = await run(engine, graph, parameters);
    const alone = await run(engine, withOutputs(graph, ['head0', 'head1']), parameters);
    await engine.dispose();
    const [a, b] = [alone.get('head0')!, alone.get('head1')!];
    expect(results.get('mean')).toEqual(a.map((value, i) => Math.fround(value + b[i]!) / 2));
    expect(results.get('head0')).toEqual(a);
    expect(results.get('head1')).toEqual(b);
  });

  it.each([[[0]], [[0, 1, 2]], [[0, 1, 0, 2, 2]]])('is the mean of the values %j', async (indices) => {
    const engine = await create();
    const graph = headsWithMean(indices);
    const results = await run(engine, graph, parametersFor(graph));
    await engine.dispose();
    for (let i = 0; i < batch * classes; i++) {
      const sum = indices.reduce((total, index) => total + results.get(`head${index}`)![i]!, 0);
      expect(results.get('mean')![i]).toBeCloseTo(sum / indices.length, 5);
    }
  });

  it.each([[[0, 1]], [[0, 1, 2]], [[0, 1, 0]]])('passes each of %j its share of the gradient', async (indices) => {
    const engine = await create();
    const graph = withOutputs(headsWithMean(indices), ['mean']);
    const parameters = parametersFor(graph);
    const weights = numbers(batch * classes, 99);
    const plan = recordTraining(engine, graph, inputShape, {
      surrogate: { kind: 'sigmoid', alpha: 4 },
      detachReset: true,
    });
    const { program, trainable } = plan;
    const { value, gradient } = plan.outputs.get('mean')!;
    const view = () => program.view(trainable.values);
    for (const { spec, offset } of trainable.slots) view().set(parameters.get(spec.name)!, offset);
    const loss = async () => {
      await program.write(plan.input, input);
      await program.run(trainingSegments.forward);
      return (await program.read(value)).reduce((sum, result, i) => sum + result * weights[i]!, 0);
    };
    await program.run(trainingSegments.clear);
    await loss();
    await program.write(gradient, weights);
    await program.run(trainingSegments.backward);
    const found = program.view(trainable.gradients).slice();
    // The network is linear in its parameters, so a wide difference is as exact as a narrow one.
    const width = 0.5;
    for (const { offset, length, spec } of trainable.slots) {
      for (let i = offset; i < offset + length; i += 3) {
        const before = view()[i]!;
        view()[i] = before + width;
        const above = await loss();
        view()[i] = before - width;
        const below = await loss();
        view()[i] = before;
        expect(found[i], spec.name).toBeCloseTo((above - below) / (2 * width), 3);
      }
    }
    expect(found.some((value) => Math.abs(value) > 0.1)).toBe(true);
    await engine.dispose();
  });
});

describe('average', () => {
  it('names both shapes when values do not fit', () => {
    const graph = new GraphBuilder('test', channels);
    average(graph, 'mean', [graph.input, spatialMean(graph, 'pool', graph.input)]);
    graph.output('mean', 'mean');
    expect(() => inferShapes(graph.build(), inputShape)).toThrow(
      /node mean \(average\): input \[1, 2, 3, 3, 5\] and \[1, 2, 5\], expected one or more values of one shape/,
    );
  });

  it.each([1, 2, 3])('of %d values is the same in onnxruntime', async (count) => {
    const file = new OnnxFile();
    const names = Array.from({ length: count }, (_, index) => file.input(`value${index}`, [batch, classes]));
    const node = { name: 'mean', operator: 'average', attributes: {}, inputs: names, parameterPrefix: 'mean' };
    expect(operatorOf(node)).toBe(averageOperator);
    const shape = [batch, classes];
    const parameter = () => new Float32Array();
    const call = { node, attributes: {}, inputs: names, inputShapes: names.map(() => shape), outputShape: shape };
    file.output(averageOperator.toOnnx!(file, { ...call, parameter }), shape);
    const values = names.map((_, index) => numbers(batch * classes, index));
    const session = await ort.InferenceSession.create(joined(file.encode('average', {})));
    const feeds = names.map((name, index) => [name, new ort.Tensor('float32', values[index]!, shape)]);
    const { mean } = await session.run(Object.fromEntries(feeds));
    await session.release();
    for (const [i, found] of (mean!.data as Float32Array).entries())
      expect(found).toBeCloseTo(values.reduce((sum, value) => sum + value[i]!, 0) / count, 5);
  });
});

describe('the outputs of a graph', () => {
  it('leave behind what only others need', () => {
    const graph = headsWithMean([0, 1]);
    expect(withOutputs(graph, ['head1']).nodes.map(({ name }) => name)).toEqual(['pool', 'head1', 'head1.mean']);
    expect(withOutputs(graph, ['mean']).nodes).toEqual(graph.nodes);
  });

  it('say which there are when one is missing', () => {
    const graph = headsWithMean([0, 1]);
    expect(() => outputOf(graph, 'logits')).toThrow(
      new GraphError('graph heads: it has no output logits; its outputs are mean, head0, head1'),
    );
  });

  it('have names of their own and values that exist', () => {
    const graph = new GraphBuilder('test', channels);
    graph.output('map', graph.input);
    expect(() => graph.output('map', graph.input)).toThrow(/output map: there is another output of this name/);
    expect(() => graph.output('other', 'nowhere')).toThrow(/output other: there is no value nowhere/);
  });
});
