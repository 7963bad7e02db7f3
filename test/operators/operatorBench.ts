/** One operator on one engine, there and back: what tests of operators share that compare with another library's layer. Maps are given and returned with channels first. */
import { expect } from 'vitest';
import type { Engine, Tensor } from '../../src/engines/kernels.js';
import type { Attributes, Node } from '../../src/graph/graph.js';
import type { Shape } from '../../src/graph/shape.js';
import type { OnnxBuilder } from '../../src/operators/onnxBuilder.js';
import { operatorOf } from '../../src/operators/registry.js';
import { canTrain, TrainingWorkbench, toChannelsFirst, toChannelsLast, Workbench } from '../engines/support.js';
import type { FixtureTensor } from '../support/safetensors.js';

export function nodeOf(operator: string, attributes: Attributes, name = operator): Node {
  return { name, operator, attributes, inputs: [], parameterPrefix: name };
}

/** `[T·B, C, H, W]` of a file as `[1, T·B, H, W, C]`. */
export function mapShape([images, channels, height, width]: readonly number[]): Shape {
  return [1, images!, height!, width!, channels!];
}

export function lastOf({ shape, values }: FixtureTensor): Float64Array {
  return toChannelsLast(values, shape[1]!, shape[2]! * shape[3]!);
}

export function firstOf(values: ArrayLike<number>, shape: Shape): Float64Array {
  return toChannelsFirst(values, shape[4]!, shape[2]! * shape[3]!);
}

type Bench = Workbench | TrainingWorkbench;

function inputOf(bench: Bench, map: FixtureTensor, storage: Tensor['storage']): Tensor {
  const shape = mapShape(map.shape);
  return storage === 'spikes' ? bench.spikes(shape, lastOf(map)) : bench.real(shape, lastOf(map));
}

export type Parameters = Readonly<Record<string, FixtureTensor>>;

/** A chain of nodes as networks run it. */
export async function inferred(
  engine: Engine,
  nodes: readonly Node[],
  map: FixtureTensor,
  {
    parameters = {},
    storage = 'real',
  }: { readonly parameters?: Parameters; readonly storage?: Tensor['storage'] } = {},
): Promise<ArrayLike<number>> {
  const bench = new Workbench(engine);
  let input = inputOf(bench, map, storage);
  for (const node of nodes) {
    const output = bench.real(operatorOf(node).infer(node, [input.shape]));
    operatorOf(node).forward(bench.kernels, {
      ...{ node, attributes: node.attributes, inputs: [input], output },
      parameter: (name) => Float32Array.from(parameters[name]!.values),
    });
    input = output;
  }
  await bench.run();
  const found = firstOf(await bench.read(input), input.shape);
  bench.dispose();
  return found;
}

export interface Trained {
  readonly output: ArrayLike<number>;
  readonly inputGradient: ArrayLike<number>;
  readonly parameterGradients: Readonly<Record<string, ArrayLike<number>>>;
}

/** What the gradient of each parameter holds before it is added to. */
export const heldBefore = 1;

/** A chain of nodes in training, forward and backward. */
export async function trained(
  engine: Engine,
  nodes: readonly Node[],
  map: FixtureTensor,
  outputGradient: FixtureTensor,
  {
    parameters = {},
    storage = 'real',
  }: { readonly parameters?: Parameters; readonly storage?: Tensor['storage'] } = {},
): Promise<Trained> {
  if (!canTrain(engine)) throw new Error('this engine does not train');
  const bench = new TrainingWorkbench(engine);
  const values = [inputOf(bench, map, storage)];
  const parts = Object.entries(parameters);
  const tensors = new Map(parts.map(([name, { shape, values: held }]) => [name, bench.real(shape, held)]));
  const gradients = new Map(
    parts.map(([name, { shape, values: held }]) => [
      name,
      bench.real(
        shape,
        Array.from(held, () => heldBefore),
      ),
    ]),
  );
  const calls = nodes.map((node) => {
    const input = values.at(-1)!;
    const output = bench.real(operatorOf(node).infer(node, [input.shape]));
    values.push(output);
    const statistic = () => expect.fail('it leaves no statistics');
    const parameter = (name: string) => tensors.get(name)!;
    return { node, attributes: node.attributes, inputs: [input], output, parameter, statistic };
  });
  for (const call of calls) operatorOf(call.node).training!.forward(bench.kernels, call);
  let arriving = bench.real(mapShape(outputGradient.shape), lastOf(outputGradient));
  for (const call of [...calls].reverse()) {
    const tensor = bench.real(call.inputs[0]!.shape);
    operatorOf(call.node).training!.backward(bench.kernels, {
      ...{ ...call, outputGradient: arriving, inputGradients: [{ tensor, accumulate: false }] },
      parameterGradient: (name) => gradients.get(name)!,
      settings: { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: true },
    });
    arriving = tensor;
  }
  await bench.run();
  const output = values.at(-1)!;
  const result = {
    output: firstOf(await bench.read(output), output.shape),
    inputGradient: firstOf(await bench.read(arriving), arriving.shape),
    parameterGradients: Object.fromEntries(
      await Promise.all([...gradients].map(async ([name, tensor]) => [name, await bench.read(tensor)] as const)),
    ),
  };
  bench.dispose();
  return result;
}

/** Appends a chain to an ONNX file and returns the name of its result. */
export function appended(
  file: OnnxBuilder,
  nodes: readonly Node[],
  input: string,
  shape: Shape,
  parameters: Parameters = {},
): string {
  let [name, inputShape] = [input, shape];
  for (const node of nodes) {
    const outputShape = operatorOf(node).infer(node, [inputShape]);
    name = operatorOf(node).toOnnx!(file, {
      ...{ node, attributes: node.attributes, inputs: [name], inputShapes: [inputShape], outputShape },
      parameter: (local) => Float32Array.from(parameters[local]!.values),
    });
    inputShape = outputShape;
  }
  return name;
}
