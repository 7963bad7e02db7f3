/** Maps in another height and width: PyTorch's numbers on the engines and in onnxruntime, gradients through a graph, shapes that do not fit, and what it costs. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { resize } from '../../src/engines/calls/resize.js';
import { type Graph, GraphBuilder } from '../../src/graph/graph.js';
import { exportOnnx } from '../../src/interop/onnx/exportOnnx.js';
import { OnnxFile } from '../../src/interop/onnx/onnxFile.js';
import { joined } from '../../src/interop/protobufWriter.js';
import { conv2d } from '../../src/operators/conv2d.js';
import { lif } from '../../src/operators/lif.js';
import { inferShapes, operatorOf, parametersOf } from '../../src/operators/registry.js';
import { resizeBy, resizeLike } from '../../src/operators/resize.js';
import { recordTraining, trainingSegments } from '../../src/training/trainingPlan.js';
import {
  canTrain,
  engines,
  expectClose,
  referenceEngine,
  SeededNumbers,
  toChannelsFirst,
  toChannelsLast,
  Workbench,
} from '../engines/support.js';
import { sharedPath } from '../shared.js';
import { readTensors } from '../support/safetensors.js';

const golden = sharedPath('golden', 'dense', 'geom_resize.safetensors');
const sizes = ['14x20', '13x21', '4x5', '7x10', '28x40', '1x1', '9x6'];
const [images, channels, inputHeight, inputWidth] = [2, 3, 7, 10];

const modes = { nearest: 'nearest', bilinear: 'bilinear_false' } as const;
const cases = sizes.flatMap((size) => (['nearest', 'bilinear'] as const).map((mode) => ({ size, mode })));

describe.each(engines)('resize on $name', ({ create }) => {
  it.skipIf(!golden).each(cases)(
    'gives PyTorch’s numbers: $mode, 7×10 to $size (needs the shared folder)',
    async ({ size, mode }) => {
      const tensors = readTensors(golden!);
      const [outputHeight, outputWidth] = size.split('x').map(Number) as [number, number];
      const engine = await create();
      const bench = new Workbench(engine);
      const input = bench.real(
        [images, inputHeight, inputWidth, channels],
        toChannelsLast(tensors('x').values, channels, inputHeight * inputWidth),
      );
      const output = bench.real([images, outputHeight, outputWidth, channels]);
      const call = { images, inputHeight, inputWidth, outputHeight, outputWidth, channels, mode, input, output };
      bench.kernels.record(resize, { name: 'resize', ...call });
      await bench.run();
      const found = toChannelsFirst(await bench.read(output), channels, outputHeight * outputWidth);
      expectClose(found, tensors(`${modes[mode]}.${size}`).values, 1e-6);
      bench.dispose();
      await engine.dispose();
    },
  );
});

function graphWith(build: (graph: GraphBuilder) => string): Graph {
  const graph = new GraphBuilder('test', channels);
  graph.output('map', build(graph));
  return graph.build();
}

/** A network whose second map lends its size: that of the input behind a convolution of stride 2. */
const decoder = (mode: 'nearest' | 'bilinear') =>
  graphWith((graph) => {
    const wide = { inputChannels: channels, outputChannels: channels, kernel: 3 };
    const fine = conv2d(graph, 'fine', graph.input, wide);
    const coarse = conv2d(graph, 'coarse', fine, { ...wide, stride: 2 });
    const twice = resizeBy(graph, 'twice', resizeLike(graph, 'like', coarse, fine, mode), 2, mode);
    return lif(graph, 'fired', twice, { tau: 2, threshold: 1 });
  });

describe('a graph with resampling', () => {
  it('has the height and width of the other map, and multiples of its own', () => {
    const shapes = inferShapes(decoder('nearest'), [4, 2, 7, 10, channels]);
    expect(shapes.get('coarse')).toEqual([4, 2, 4, 5, channels]);
    expect(shapes.get('like')).toEqual([4, 2, 7, 10, channels]);
    expect(shapes.get('twice')).toEqual([4, 2, 14, 20, channels]);
  });

  it('multiplies when it is bilinear, four times for each number, and not when it is nearest', () => {
    const operations = (mode: 'nearest' | 'bilinear') => {
      const node = decoder(mode).nodes.find(({ name }) => name === 'twice')!;
      const [from, to] = [
        [1, 1, 7, 10, channels],
        [1, 1, 14, 20, channels],
      ];
      return operatorOf(node).cost(node, [from], to).multiplyAccumulates;
    };
    expect(operations('bilinear')).toBe(4 * 14 * 20 * channels);
    expect(operations('nearest')).toBe(0);
  });

  it('refuses what is no map, and factors that are no whole numbers', () => {
    const graph = new GraphBuilder('test', channels);
    expect(() => resizeBy(graph, 'half', graph.input, 0.5, 'nearest')).toThrow('node half (resizeBy): factor 0.5');
    resizeLike(graph, 'block.up', graph.input, graph.input, 'nearest');
    const node = { name: 'block.up', operator: 'resizeLike', attributes: {}, inputs: [], parameterPrefix: '' };
    const infer = () =>
      operatorOf(node).infer(node, [
        [1, 1, 4, 4, 3],
        [1, 1, 3],
      ]);
    expect(infer).toThrow('node block.up (resizeLike): input [1, 1, 4, 4, 3] and [1, 1, 3]');
  });

  // Only the network before the neuron is linear: the neuron's own gradient is that of its stand-in.
  it.each(['nearest', 'bilinear'] as const)(
    'learns, and its other map gets no gradient of its size: %s',
    async (mode) => {
      const engine = await referenceEngine.create();
      if (!canTrain(engine)) throw new Error('the reference engine does not train');
      const linear = graphWith((graph) => {
        const layer = { inputChannels: channels, outputChannels: channels, kernel: 3 };
        const fine = conv2d(graph, 'fine', graph.input, layer);
        const coarse = conv2d(graph, 'coarse', fine, { ...layer, stride: 2 });
        return resizeBy(graph, 'twice', resizeLike(graph, 'like', coarse, fine, mode), 2, mode);
      });
      const settings = { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: true } as const;
      const plan = recordTraining(engine, linear, [1, 1, 7, 10, channels], settings);
      const numbers = new SeededNumbers(3);
      const { program, trainable } = plan;
      const image = numbers.reals(7 * 10 * channels);
      const weights = numbers.reals(trainable.values.shape[0]!);
      const { value, gradient } = plan.outputs.get('map')!;
      const arriving = numbers.reals(14 * 20 * channels);
      const loss = async (values: Float32Array) => {
        await program.write(plan.input, image);
        await program.write(trainable.values, values);
        await program.run(trainingSegments.forward);
        const found = await program.read(value);
        return found.reduce((sum, each, i) => sum + each * arriving[i]!, 0);
      };
      await program.run(trainingSegments.clear);
      await loss(weights);
      await program.write(gradient, arriving);
      await program.run(trainingSegments.backward);
      const gradients = await program.read(trainable.gradients);
      const named = trainable.slots;
      expect(named.length).toBe(parametersOf(linear).length);
      for (const place of [0, 40, weights.length - 20]) {
        const moved = (by: number) => Float32Array.from(weights, (weight, i) => (i === place ? weight + by : weight));
        const difference = (await loss(moved(0.5))) - (await loss(moved(-0.5)));
        expectClose([gradients[place]!], [difference], 1e-4);
      }
      program.dispose();
      await engine.dispose();
    },
  );
});

describe.skipIf(!golden)('resampling as ONNX (needs the shared folder)', () => {
  async function run(file: Uint8Array, input: string): Promise<Float32Array> {
    const session = await ort.InferenceSession.create(file);
    const { values, shape } = readTensors(golden!)('x');
    const results = await session.run({ [input]: new ort.Tensor('float32', Float32Array.from(values), shape) });
    await session.release();
    return Object.values(results)[0]!.data as Float32Array;
  }

  it.each(cases)('gives PyTorch’s numbers in onnxruntime: $mode to $size', async ({ size, mode }) => {
    const [height, width] = size.split('x').map(Number) as [number, number];
    const file = new OnnxFile();
    const input = file.input('x', [images, channels, inputHeight, inputWidth]);
    const attributes = { mode };
    const node = { name: 'up', operator: 'resizeLike', attributes, inputs: [], parameterPrefix: 'up' };
    const shapes = [
      [1, images, inputHeight, inputWidth, channels],
      [1, images, height, width, 5],
    ];
    const result = operatorOf(node).toOnnx!(file, {
      ...{ node, attributes, inputs: [input, input], inputShapes: shapes },
      outputShape: operatorOf(node).infer(node, shapes),
      parameter: () => expect.fail('it has no parameters'),
    });
    file.output(result, [images, channels, height, width]);
    expectClose(
      await run(joined(file.encode('resize', {})), 'x'),
      readTensors(golden!)(`${modes[mode]}.${size}`).values,
    );
  });

  it.each(['nearest', 'bilinear'] as const)('is so in the file of a network, for any batch: %s', async (mode) => {
    const graph = graphWith((builder) => resizeBy(builder, 'up', builder.input, 4, mode));
    const file = exportOnnx({ graph, parameters: new Map() }, { imageSize: [inputHeight, inputWidth] });
    expectClose(await run(joined(file), 'input'), readTensors(golden!)(`${modes[mode]}.28x40`).values);
  });
});
