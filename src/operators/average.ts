/**
 * The mean of several values of one shape, element by element: of two heads that answer the same question, say. A sum scaled once, so that
 * the mean of two is exactly half their float32 sum. Not the mean over an axis; those are in `means.ts`.
 */
import type { Kernels, Tensor } from '../engines/kernels.js';
import type { GraphBuilder } from '../graph/graph.js';
import { channelsOf, elementCount, sameShape } from '../graph/shape.js';
import { onnxScalar } from './onnxBuilder.js';
import { noCost, type Operator, shapeError } from './operator.js';

type Arithmetic = Pick<Kernels, 'add' | 'scaleShift'>;

function sumInto(kernels: Arithmetic, name: string, addends: readonly Tensor[], output: Tensor): void {
  const [first, ...rest] = addends as [Tensor, ...Tensor[]];
  let sum = first;
  for (const addend of rest) {
    kernels.add({ name, a: sum, b: addend, output });
    sum = output;
  }
}

function scale(kernels: Arithmetic, name: string, input: Tensor, output: Tensor, count: number): void {
  const channels = channelsOf(output.shape);
  const rows = elementCount(output.shape) / channels;
  kernels.scaleShift({ name, rows, channels, input, output, ...constantsOf(channels, count) });
}

/** Engines keep constants by array as long as they live: equal ones are the same arrays. */
const known = new Map<string, { readonly scale: Float32Array; readonly shift: Float32Array }>();

function constantsOf(channels: number, count: number) {
  const key = `${channels} ${count}`;
  const constants = known.get(key) ?? {
    scale: new Float32Array(channels).fill(1 / count),
    shift: new Float32Array(channels),
  };
  known.set(key, constants);
  return constants;
}

function forward(kernels: Arithmetic, name: string, inputs: readonly Tensor[], output: Tensor): void {
  sumInto(kernels, name, inputs, output);
  scale(kernels, name, inputs.length === 1 ? inputs[0]! : output, output, inputs.length);
}

export const averageOperator: Operator = {
  name: 'average',
  infer: (node, inputs) => {
    const [first] = inputs;
    if (!first || !inputs.every((shape) => sameShape(shape, first)))
      throw shapeError(node, inputs, 'one or more values of one shape');
    return first;
  },
  kind: () => 'real',
  parameters: () => [],
  forward: (kernels, call) => forward(kernels, call.node.name, call.inputs, call.output),
  toOnnx: (builder, { node, inputs }) => {
    const [first, ...rest] = inputs as [string, ...string[]];
    const sum = rest.reduce(
      (left, right, index) =>
        builder.node('Add', index === 0 ? `${node.name}.sum` : `${node.name}.sum.${index}`, [left, right])[0]!,
      first,
    );
    return builder.node('Mul', node.name, [sum, onnxScalar(builder, 1 / inputs.length)])[0]!;
  },
  cost: () => noCost,
  training: {
    needsInputs: [],
    forward: (kernels, call) => forward(kernels, call.node.name, call.inputs, call.output),
    backward: (kernels, { node, inputs, outputGradient, inputGradients }) => {
      for (const target of inputGradients)
        if (target) scale(kernels, node.name, outputGradient, target.tensor, inputs.length);
    },
  },
};

export function average(graph: GraphBuilder, name: string, inputs: readonly string[]): string {
  return graph.add({ name, operator: 'average', inputs });
}
