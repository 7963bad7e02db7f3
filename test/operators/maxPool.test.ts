/** The largest number of each window: PyTorch's numbers and gradients, ties and all, on the engines and in onnxruntime; windows that cannot be. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { maxPool as call } from '../../src/engines/calls/maxPool.js';
import { GraphBuilder } from '../../src/graph/graph.js';
import { OnnxFile } from '../../src/interop/onnx/onnxFile.js';
import { joined } from '../../src/interop/protobufWriter.js';
import { maxPool } from '../../src/operators/maxPool.js';
import { inferShapes, operatorOf } from '../../src/operators/registry.js';
import { engines, expectSame, Workbench } from '../engines/support.js';
import { readFixtureTensors } from '../support/safetensors.js';
import { appended, inferred, mapShape, nodeOf, trained } from './operatorBench.js';

const torch = readFixtureTensors('dense.safetensors');
const cases = [
  { id: 'k1s2', kernel: 1, stride: 2, padding: 0 },
  { id: 'k2s2', kernel: 2, stride: 2, padding: 0 },
  { id: 'k3s2p1', kernel: 3, stride: 2, padding: 1 },
  { id: 'k3s1p1', kernel: 3, stride: 1, padding: 1 },
];

describe.each(engines)('maxPool on $name', ({ create }) => {
  it.each(cases)('has PyTorch’s numbers, and its gradient goes to the first of the largest: $id', async (window) => {
    const { id, ...attributes } = window;
    const engine = await create();
    const nodes = [nodeOf('maxPool', attributes)];
    const tensor = (name: string) => torch(`pool.${id}.${name}`);
    expectSame(await inferred(engine, nodes, tensor('x')), tensor('y').values);
    const { output, inputGradient } = await trained(engine, nodes, tensor('x'), tensor('dy'));
    expectSame(output, tensor('y').values);
    const expected = tensor('dx').values;
    // Windows overlap: their gradients are added up in another order.
    expectSame(Float32Array.from(inputGradient, (value) => Math.fround(value)).map(rounded), expected.map(rounded));
    await engine.dispose();
  });

  it('shows what is no number', async () => {
    const engine = await create();
    const bench = new Workbench(engine);
    const input = bench.real([1, 2, 4, 1], [1, Number.NaN, 3, 4, 5, 6, 7, 8]);
    const output = bench.real([1, 1, 2, 1]);
    const sizes = { images: 1, inputHeight: 2, inputWidth: 4, channels: 1, kernel: 2, stride: 2, padding: 0 };
    bench.kernels.record(call, { name: 'pool', ...sizes, input, output });
    await bench.run();
    expect([...(await bench.read(output))]).toEqual([Number.NaN, 8]);
    bench.dispose();
    await engine.dispose();
  });
});

const rounded = (value: number) => Math.round(value * 1e5);

describe('maxPool', () => {
  it.each(cases)('has PyTorch’s numbers in onnxruntime: $id', async ({ id, ...attributes }) => {
    const [x, y] = [torch(`pool.${id}.x`), torch(`pool.${id}.y`)];
    const file = new OnnxFile();
    const result = appended(file, [nodeOf('maxPool', attributes)], file.input('x', x.shape), mapShape(x.shape));
    file.output(result, y.shape);
    const session = await ort.InferenceSession.create(joined(file.encode('pool', {})));
    const found = await session.run({ x: new ort.Tensor('float32', Float32Array.from(x.values), x.shape) });
    expectSame(found[result]!.data as Float32Array, y.values);
    await session.release();
  });

  it('makes a further level of a pyramid, and refuses windows that cannot be', () => {
    const graph = new GraphBuilder('test', 3);
    graph.output('map', maxPool(graph, 'p6', graph.input, { kernel: 1, stride: 2 }));
    expect(inferShapes(graph.build(), [1, 2, 13, 20, 3]).get('p6')).toEqual([1, 2, 7, 10, 3]);
    const wrong = (kernel: number, padding: number) => () =>
      maxPool(graph, 'pool', graph.input, { kernel, stride: 2, padding });
    expect(wrong(3, 2)).toThrow('node pool (maxPool): kernel 3, stride 2, padding 2');
    expect(wrong(0, 0)).toThrow('node pool (maxPool): kernel 0');
    const node = nodeOf('maxPool', { kernel: 5, stride: 1, padding: 0 }, 'block.pool');
    expect(() => operatorOf(node).infer(node, [[1, 1, 4, 9, 3]])).toThrow('node block.pool');
  });
});
