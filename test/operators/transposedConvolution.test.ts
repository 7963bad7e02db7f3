/** Transposed convolution of stride 2: PyTorch's numbers and gradients of numbers and of spikes, on the engines and in onnxruntime; what it costs; shapes that do not fit. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/graph/graph.js';
import { OnnxFile } from '../../src/interop/onnx/onnxFile.js';
import { joined } from '../../src/interop/protobufWriter.js';
import { depthToSpace } from '../../src/operators/depthToSpace.js';
import { lif } from '../../src/operators/lif.js';
import { inferShapes, operatorOf, parametersOf } from '../../src/operators/registry.js';
import { transposedConvolution } from '../../src/operators/transposedConvolution.js';
import { engines, expectClose } from '../engines/support.js';
import { sharedPath } from '../shared.js';
import { type FixtureTensor, readFixtureTensors, readTensors } from '../support/safetensors.js';
import { appended, heldBefore, inferred, mapShape, nodeOf, trained } from './operatorBench.js';

const torch = readFixtureTensors('dense.safetensors');
const golden = sharedPath('golden', 'dense', 'geom_deconv.safetensors');

function nodesOf([inputChannels, outputChannels]: readonly number[]) {
  return [
    nodeOf('transposedConvolution', { inputChannels: inputChannels!, outputChannels: outputChannels! }),
    nodeOf('depthToSpace', { block: 2 }),
  ];
}

describe.each(engines)('transposed convolution on $name', ({ create }) => {
  it.skipIf(!golden)('has PyTorch’s numbers (needs the shared folder)', async () => {
    const tensor = readTensors(golden!);
    const engine = await create();
    const parameters = { weight: tensor('weight'), bias: tensor('bias') };
    const found = await inferred(engine, nodesOf(parameters.weight.shape), tensor('x'), { parameters });
    expectClose(found, tensor('y').values);
    await engine.dispose();
  });

  it.each(['real', 'spikes'] as const)('has PyTorch’s numbers and gradients: %s', async (storage) => {
    const tensor = (name: string): FixtureTensor => torch(`deconv.${storage}.${name}`);
    const engine = await create();
    const parameters = { weight: tensor('weight'), bias: tensor('bias') };
    const nodes = nodesOf(parameters.weight.shape);
    expectClose(await inferred(engine, nodes, tensor('x'), { parameters, storage }), tensor('y').values);
    const found = await trained(engine, nodes, tensor('x'), tensor('dy'), { parameters, storage });
    expectClose(found.output, tensor('y').values);
    expectClose(found.inputGradient, tensor('dx').values);
    for (const name of ['weight', 'bias'])
      expectClose(
        Array.from(found.parameterGradients[name]!, (value) => value - heldBefore),
        tensor(`d${name}`).values,
      );
    await engine.dispose();
  });
});

describe('a transposed convolution', () => {
  it('has PyTorch’s numbers in onnxruntime', async () => {
    const tensor = (name: string) => torch(`deconv.real.${name}`);
    const [x, y, parameters] = [tensor('x'), tensor('y'), { weight: tensor('weight'), bias: tensor('bias') }];
    const file = new OnnxFile();
    const input = file.input('x', x.shape);
    const result = appended(file, nodesOf(parameters.weight.shape), input, mapShape(x.shape), parameters);
    file.output(result, y.shape);
    const session = await ort.InferenceSession.create(joined(file.encode('deconvolution', {})));
    const found = await session.run({ x: new ort.Tensor('float32', Float32Array.from(x.values), x.shape) });
    expectClose(found[result]!.data as Float32Array, y.values);
    await session.release();
  });

  const graph = new GraphBuilder('test', 3);
  const spikes = lif(graph, 'fired', graph.input, { tau: 2, threshold: 1 });
  graph.output('map', transposedConvolution(graph, 'upsample', spikes, { inputChannels: 3, outputChannels: 5 }));
  const built = graph.build();

  it('doubles height and width, and its parameters are called as PyTorch’s', () => {
    expect(inferShapes(built, [4, 2, 5, 7, 3]).get('upsample')).toEqual([4, 2, 10, 14, 5]);
    expect(parametersOf(built).map(({ name, shape }) => [name, shape])).toEqual([
      ['upsample.weight', [3, 5, 2, 2]],
      ['upsample.bias', [5]],
    ]);
  });

  it('multiplies each input with each weight once, and of spikes selects them', () => {
    const product = built.nodes.find(({ name }) => name === 'upsample.product')!;
    const { cost, energy } = operatorOf(product);
    const [from, to] = [
      [1, 1, 5, 7, 3],
      [1, 1, 5, 7, 20],
    ];
    expect(cost(product, [from], to).multiplyAccumulates).toBe(5 * 7 * 3 * 5 * 4);
    const layer = energy!.layer(product.attributes, [from], to);
    expect(energy!.selectors).toEqual([0]);
    expect(layer.kind === 'convolution' && layer.geometry.outputChannels).toBe(20);
  });

  it('refuses maps of other channels', () => {
    const [product, places] = nodesOf([3, 5]);
    expect(() => operatorOf(product!).infer(product!, [[1, 1, 4, 4, 2]])).toThrow('[1, 1, 4, 4, 2]');
    expect(() => operatorOf(places!).infer(places!, [[1, 1, 4, 4, 6]])).toThrow('4·C');
    expect(depthToSpace(new GraphBuilder('test', 4), 'pixels', 'input', 2)).toBe('pixels');
  });
});
