/** The mean over time in the middle of a network: numbers, gradients, one time step for the neurons behind it however long a still image is shown, ONNX, and shapes that do not fit. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { timeMean, timeMeanGradient } from '../../src/engines/calls/timeMean.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { GraphBuilder } from '../../src/graph/graph.js';
import { exportOnnx } from '../../src/interop/onnx/exportOnnx.js';
import { joined } from '../../src/interop/protobufWriter.js';
import { conv2d } from '../../src/operators/conv2d.js';
import { lif } from '../../src/operators/lif.js';
import { meanTime } from '../../src/operators/means.js';
import { inferShapes, operatorOf, parametersOf } from '../../src/operators/registry.js';
import { repeatTime } from '../../src/operators/repeatTime.js';
import { resizeLike } from '../../src/operators/resize.js';
import { compile } from '../../src/runtime/compile.js';
import { prepareNetwork } from '../../src/runtime/prepare.js';
import { expectClose, expectSame, SeededNumbers, Workbench } from '../engines/support.js';

const [timeSteps, channels, height, width] = [4, 3, 5, 6];
const neuron = { tau: 2, threshold: 0.3 };

/** A network shown an image T times; a decoder of one time step with neurons of its own; and after it a map as large as one that has T steps. */
function decoded() {
  const graph = new GraphBuilder('decoded', channels);
  const shown = repeatTime(graph, 'shown', graph.input, timeSteps);
  const layer = { inputChannels: channels, outputChannels: channels, kernel: 3 };
  const fine = lif(graph, 'fine', conv2d(graph, 'encoder', shown, layer), neuron);
  const coarse = conv2d(graph, 'coarse', fine, { ...layer, stride: 2 });
  const mean = meanTime(graph, 'mean', coarse);
  const wide = resizeLike(graph, 'wide', mean, fine, 'nearest');
  const spikes = lif(graph, 'decoder', wide, neuron);
  graph.output('map', conv2d(graph, 'answer', spikes, layer));
  return graph.build();
}

const numbers = new SeededNumbers(1);
const network = {
  graph: decoded(),
  parameters: new Map(
    parametersOf(decoded()).map(({ name, shape }) => [name, numbers.reals(shape.reduce((a, b) => a * b))]),
  ),
};
const image = numbers.reals(height * width * channels, 2);

/** The answer of the network as it is, every step computed, in the reference engine. */
async function answer(engine: Awaited<ReturnType<typeof createReferenceEngine>>, hoisted: boolean) {
  const prepared = prepareNetwork(network, { fold: false, input: hoisted ? 'image' : 'frames' });
  const executable = compile(engine, prepared, [1, 1, height, width, channels]);
  const { program, tensor, shapes } = executable;
  await program.write(tensor(executable.graph.input), image);
  await program.run();
  const output = tensor(executable.graph.outputs.get('map')!.value);
  const found = { values: await program.read(output), decoder: shapes.get('decoder')!, fine: shapes.get('fine')! };
  executable.dispose();
  return found;
}

describe('meanTime', () => {
  it('is one time step, and so are the neurons behind it', () => {
    const shapes = inferShapes(network.graph, [1, 2, height, width, channels]);
    expect(shapes.get('coarse')).toEqual([timeSteps, 2, 3, 3, channels]);
    expect(shapes.get('mean')).toEqual([1, 2, 3, 3, channels]);
    expect(shapes.get('decoder')).toEqual([1, 2, height, width, channels]);
  });

  it('stays so where a still image is computed once, with the same answer on both engines', async () => {
    const [reference, wasm] = [await createReferenceEngine(), await createWasmEngine({ threads: 1 })];
    const whole = await answer(reference, false);
    expect([whole.fine[0], whole.decoder[0]]).toEqual([timeSteps, 1]);
    for (const engine of [reference, wasm]) {
      const hoisted = await answer(engine, true);
      expect([hoisted.fine[0], hoisted.decoder[0]]).toEqual([timeSteps, 1]);
      expectClose(hoisted.values, whole.values);
    }
    expect(new Set(whole.values).size).toBeGreaterThan(5);
    await Promise.all([reference.dispose(), wasm.dispose()]);
  });

  it('gives each step a share of the gradient', async () => {
    const engine = await createReferenceEngine();
    const bench = new Workbench(engine);
    const [map, one] = [
      [3, 2, 2, 1, 2],
      [1, 2, 2, 1, 2],
    ];
    const node = { name: 'mean', operator: 'meanTime', attributes: {}, inputs: ['a'], parameterPrefix: 'mean' };
    const values = numbers.reals(24);
    const [input, output] = [bench.real(map, values), bench.real(one)];
    const [outputGradient, inputGradient] = [bench.real(one, numbers.reals(8)), bench.real(map)];
    const none = () => expect.fail('it has no parameters');
    const recorded: string[] = [];
    const kernels = {
      timeMean: (call: never) => bench.kernels.record(timeMean, call),
      timeMeanGradient: (call: never) => {
        recorded.push('gradient');
        bench.kernels.record(timeMeanGradient, call);
      },
    };
    const call = { node, attributes: {}, inputs: [input], output, parameter: none, statistic: none };
    const { training } = operatorOf(node);
    training!.forward(kernels as never, call);
    training!.backward(kernels as never, {
      ...{ ...call, outputGradient, parameterGradient: none },
      inputGradients: [{ tensor: inputGradient, accumulate: false }],
      settings: { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: true },
    });
    await bench.run();
    const means = Array.from({ length: 8 }, (_, i) => (values[i]! + values[i + 8]! + values[i + 16]!) / 3);
    expectClose(await bench.read(output), means);
    const arriving = await bench.read(outputGradient);
    expectClose(
      await bench.read(inputGradient),
      Array.from({ length: 24 }, (_, i) => arriving[i % 8]! / 3),
    );
    expect(recorded).toEqual(['gradient']);
    bench.dispose();
    await engine.dispose();
  });

  it('is the same in onnxruntime, with a neuron behind it', async () => {
    const file = joined(exportOnnx(network, { imageSize: [height, width], batch: 1, spikes: true }));
    const session = await ort.InferenceSession.create(file);
    const first = Array.from(image, (_, i) => {
      const [channel, pixel] = [Math.floor(i / (height * width)), i % (height * width)];
      return image[pixel * channels + channel]!;
    });
    const feeds = { input: new ort.Tensor('float32', Float32Array.from(first), [1, channels, height, width]) };
    const results = await session.run(feeds);
    const reference = await createReferenceEngine();
    const { values } = await answer(reference, false);
    const found = results.map!.data as Float32Array;
    expectClose(
      Array.from(values, (_, i) => found[(i % channels) * height * width + Math.floor(i / channels)]!),
      values,
    );
    expectSame(results.decoder!.dims, [1, channels, height, width]);
    await session.release();
    await reference.dispose();
  });

  it('refuses what is no map', () => {
    const node = { name: 'block.mean', operator: 'meanTime', attributes: {}, inputs: [], parameterPrefix: '' };
    expect(() => operatorOf(node).infer(node, [[4, 1, 3]])).toThrow('node block.mean (meanTime): input [4, 1, 3]');
  });
});
