/**
 * Shows a still image at every time step: `[1, B, H, W, C] → [T, B, H, W, C]`. A sequence of T frames passes unchanged. The
 * authors compute everything before the first neuron T times over; the pass `hoistTime` makes that once.
 */
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { overTime } from './onnxBuilder.js';
import { noCost, type Operator, shapeError } from './operator.js';

export interface RepeatTimeAttributes extends Attributes {
  readonly timeSteps: number;
}

export const repeatTimeOperator: Operator<RepeatTimeAttributes> = {
  name: 'repeatTime',
  infer: (node, inputs) => {
    const input = inputs[0]!;
    const { timeSteps } = node.attributes;
    if (input.length !== 5 || (input[0] !== 1 && input[0] !== timeSteps)) {
      throw shapeError(node, inputs, `one image [1, B, H, W, C] or ${timeSteps} frames [${timeSteps}, B, H, W, C]`);
    }
    return [timeSteps, ...input.slice(1)];
  },
  kind: (inputs) => inputs[0]!,
  timeRepetition: {
    timeSteps: ({ timeSteps }) => timeSteps,
    withTimeSteps: (_attributes, timeSteps) => ({ timeSteps }),
  },
  parameters: () => [],
  forward: (kernels, call) => {
    const input = call.inputs[0]!;
    kernels.repeat({
      name: call.node.name,
      times: call.attributes.timeSteps / input.shape[0]!,
      input,
      output: call.output,
    });
  },
  toOnnx: (builder, { node, inputs, inputShapes, outputShape }) =>
    overTime(builder, node.name, inputs[0]!, inputShapes[0]![0]!, outputShape[0]!),
  cost: () => noCost,
  // Only the graph's input is repeated, and nobody asks for its gradient.
  training: {
    needsInputs: [],
    forward: (kernels, call) =>
      kernels.repeat({
        name: call.node.name,
        times: call.attributes.timeSteps / call.inputs[0]!.shape[0]!,
        input: call.inputs[0]!,
        output: call.output,
      }),
    backward: () => {},
  },
};

export function repeatTime(graph: GraphBuilder, name: string, input: string, timeSteps: number): string {
  const attributes: RepeatTimeAttributes = { timeSteps };
  return graph.add({ name, operator: 'repeatTime', attributes, inputs: [input] });
}
