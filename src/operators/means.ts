/** Means over space, `[T, B, H, W, C] → [T, B, C]` (before the classifier), and over time, `[T, B, C] → [B, C]` (after it). */
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { elementCount } from '../graph/shape.js';
import { type Call, noCost, type Operator, shapeError } from './operator.js';

type Sized = Pick<Call<Attributes>, 'node' | 'inputs' | 'output'>;

function spatialSize(call: Sized) {
  const [timeSteps, batch, height, width, channels] = call.inputs[0]!.shape as [number, number, number, number, number];
  return { name: call.node.name, images: timeSteps * batch, positions: height * width, channels };
}

function timeSize(call: Sized) {
  return { name: call.node.name, timeSteps: call.inputs[0]!.shape[0]!, elements: elementCount(call.output.shape) };
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
  name: 'timeMean',
  meanOver: 'time',
  infer: (node, inputs) => {
    if (inputs[0]!.length < 2) throw shapeError(node, inputs, 'a value with time in front');
    return inputs[0]!.slice(1);
  },
  kind: () => 'real',
  parameters: () => [],
  forward: (kernels, call) => {
    kernels.timeMean({ ...timeSize(call), input: call.inputs[0]!, output: call.output });
  },
  toOnnx: (builder, { node, inputs, inputShapes, outputShape }) => {
    const timeSteps = inputShapes[0]![0]!;
    if (timeSteps === 1) return inputs[0]!;
    const shape = BigInt64Array.of(BigInt(timeSteps), -1n, BigInt(outputShape[outputShape.length - 1]!));
    const split = builder.constant(`${node.name}.shape`, shape, [3]);
    const steps = builder.node('Reshape', `${node.name}.steps`, [inputs[0]!, split])[0]!;
    return builder.node('ReduceMean', node.name, [steps], { axes: [0], keepdims: 0 })[0]!;
  },
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
};

export function spatialMean(graph: GraphBuilder, name: string, input: string): string {
  return graph.add({ name, operator: 'spatialMean', inputs: [input] });
}

export function timeMean(graph: GraphBuilder, name: string, input: string): string {
  return graph.add({ name, operator: 'timeMean', inputs: [input] });
}
