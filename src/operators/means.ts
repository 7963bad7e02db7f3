/**
 * Means over space, `[T, B, H, W, C] → [T, B, C]` (before the classifier), over time, `[T, B, C] → [B, C]` (after it), and over time in the middle of a network,
 * `[T, B, H, W, C] → [1, B, H, W, C]` (before a decoder, which then runs once).
 */
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { channelsOf, elementCount, type Shape } from '../graph/shape.js';
import type { OnnxBuilder } from './onnxBuilder.js';
import { type Call, noCost, type Operator, shapeError } from './operator.js';

type Sized = Pick<Call<Attributes>, 'node' | 'inputs' | 'output'>;

function spatialSize(call: Sized) {
  const [timeSteps, batch, height, width, channels] = call.inputs[0]!.shape as [number, number, number, number, number];
  return { name: call.node.name, images: timeSteps * batch, positions: height * width, channels };
}

function timeSize(call: Sized) {
  return { name: call.node.name, timeSteps: call.inputs[0]!.shape[0]!, elements: elementCount(call.output.shape) };
}

/** What both means over time have in common. */
const overTime = {
  meanOver: 'time',
  kind: () => 'real',
  parameters: () => [],
  forward: (kernels, call) => kernels.timeMean({ ...timeSize(call), input: call.inputs[0]!, output: call.output }),
  cost: () => noCost,
  training: {
    needsInputs: [],
    forward: (kernels, call) => kernels.timeMean({ ...timeSize(call), input: call.inputs[0]!, output: call.output }),
    backward: (kernels, call) => {
      const inputGradient = call.inputGradients[0]?.tensor;
      if (inputGradient)
        kernels.timeMeanGradient({ ...timeSize(call), outputGradient: call.outputGradient, inputGradient });
    },
  },
} satisfies Partial<Operator>;

/** @param rest Axes behind the batch, as they are in the file. */
function timeMeanToOnnx(builder: OnnxBuilder, name: string, value: string, timeSteps: number, rest: Shape): string {
  if (timeSteps === 1) return value;
  const axes = BigInt64Array.from([timeSteps, -1, ...rest], BigInt);
  const steps = builder.node('Reshape', `${name}.steps`, [
    value,
    builder.constant(`${name}.shape`, axes, [axes.length]),
  ])[0]!;
  return builder.node('ReduceMean', name, [steps], { axes: [0], keepdims: 0 })[0]!;
}

export const spatialMeanOperator: Operator = {
  name: 'spatialMean',
  meanOver: 'space',
  infer: (node, inputs) => {
    const input = inputs[0]!;
    if (input.length !== 5) throw shapeError(node, inputs, 'feature maps [T, B, H, W, C]');
    return [input[0]!, input[1]!, input[4]!];
  },
  kind: () => 'real',
  parameters: () => [],
  forward: (kernels, call) => {
    kernels.spatialMean({ ...spatialSize(call), input: call.inputs[0]!, output: call.output });
  },
  toOnnx: (builder, { node, inputs }) => {
    const pooled = builder.node('GlobalAveragePool', `${node.name}.map`, inputs)[0]!;
    return builder.node('Flatten', node.name, [pooled], { axis: 1 })[0]!;
  },
  cost: () => noCost,
  training: {
    needsInputs: [],
    forward: (kernels, call) =>
      kernels.spatialMean({ ...spatialSize(call), input: call.inputs[0]!, output: call.output }),
    backward: (kernels, call) => {
      const inputGradient = call.inputGradients[0]?.tensor;
      if (inputGradient)
        kernels.spatialMeanGradient({ ...spatialSize(call), outputGradient: call.outputGradient, inputGradient });
    },
  },
};

export const timeMeanOperator: Operator = {
  ...overTime,
  name: 'timeMean',
  infer: (node, inputs) => {
    if (inputs[0]!.length < 2) throw shapeError(node, inputs, 'a value with time in front');
    return inputs[0]!.slice(1);
  },
  toOnnx: (builder, { node, inputs, inputShapes, outputShape }) =>
    timeMeanToOnnx(builder, node.name, inputs[0]!, inputShapes[0]![0]!, [
      channelsOf(outputShape),
      ...outputShape.slice(1, -1),
    ]),
};

export const meanTimeOperator: Operator = {
  ...overTime,
  name: 'meanTime',
  infer: (node, inputs) => {
    const input = inputs[0]!;
    if (input.length !== 5) throw shapeError(node, inputs, 'feature maps [T, B, H, W, C]');
    return [1, ...input.slice(1)];
  },
  toOnnx: (builder, { node, inputs, inputShapes, outputShape: [, , height, width, channels] }) =>
    timeMeanToOnnx(builder, node.name, inputs[0]!, inputShapes[0]![0]!, [channels!, height!, width!]),
};

export function spatialMean(graph: GraphBuilder, name: string, input: string): string {
  return graph.add({ name, operator: 'spatialMean', inputs: [input] });
}

/** @returns the mean without the axis of time. */
export function timeMean(graph: GraphBuilder, name: string, input: string): string {
  return graph.add({ name, operator: 'timeMean', inputs: [input] });
}

/** @returns the mean as one time step, `[1, B, H, W, C]`. */
export function meanTime(graph: GraphBuilder, name: string, input: string): string {
  return graph.add({ name, operator: 'meanTime', inputs: [input] });
}
