/**
 * The largest number of each window of maps `[T, B, H, W, C]`, channel by channel, PyTorch's `MaxPool2d`. With kernel 1 and stride 2 it is the further level that feature
 * pyramids take from their coarsest map. Of numbers only; nothing is added or multiplied.
 */
import { type MaxPoolCall, maxPoolGradient, pooledSize, maxPool as takeLargest } from '../engines/calls/maxPool.js';
import { GraphError } from '../graph/errors.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { type Call, noCost, type Operator, shapeError } from './operator.js';

export interface MaxPoolAttributes extends Attributes {
  readonly kernel: number;
  readonly stride: number;
  /** On each side; at most half of the kernel. */
  readonly padding: number;
}

function poolCall({
  node,
  attributes,
  inputs,
  output,
}: Pick<Call<MaxPoolAttributes>, 'node' | 'attributes' | 'inputs' | 'output'>): MaxPoolCall {
  const input = inputs[0]!;
  const [timeSteps, batch, inputHeight, inputWidth, channels] = input.shape as [number, number, number, number, number];
  const { kernel, stride, padding } = attributes;
  const sizes = { images: timeSteps * batch, inputHeight, inputWidth, channels, kernel, stride, padding };
  return { name: node.name, ...sizes, input, output };
}

export const maxPoolOperator: Operator<MaxPoolAttributes> = {
  name: 'maxPool',
  infer: (node, inputs) => {
    const [timeSteps, batch, height, width, channels] = inputs[0]! as [number, number, number, number, number];
    const { kernel, padding } = node.attributes;
    const least = kernel - 2 * padding;
    if (inputs[0]!.length !== 5 || height < least || width < least)
      throw shapeError(node, inputs, `feature maps [T, B, H, W, C] of at least ${least}×${least}`);
    return [timeSteps, batch, pooledSize(height, node.attributes), pooledSize(width, node.attributes), channels];
  },
  kind: () => 'real',
  parameters: () => [],
  forward: (kernels, call) => kernels.record(takeLargest, poolCall(call)),
  training: {
    needsInputs: [0],
    accumulates: true,
    forward: (kernels, call) => kernels.record(takeLargest, poolCall(call)),
    backward: (kernels, call) => {
      const target = call.inputGradients[0];
      if (!target) return;
      const { output: _output, ...rest } = poolCall(call);
      const { tensor: inputGradient, accumulate } = target;
      kernels.record(maxPoolGradient, { ...rest, outputGradient: call.outputGradient, inputGradient, accumulate });
    },
  },
  cost: () => noCost,
  toOnnx: (builder, { node, attributes: { kernel, stride, padding }, inputs }) => {
    const settings = {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
    };
    return builder.node('MaxPool', node.name, inputs, settings)[0]!;
  },
};

/** @throws GraphError when there is no such window. */
export function maxPool(
  graph: GraphBuilder,
  name: string,
  input: string,
  options: { readonly kernel: number; readonly stride: number; readonly padding?: number },
): string {
  const { kernel, stride, padding = 0 } = options;
  const isWhole = [kernel - 1, stride - 1, padding].every((number) => Number.isSafeInteger(number) && number >= 0);
  if (!isWhole || 2 * padding > kernel)
    throw new GraphError(
      `node ${name} (maxPool): kernel ${kernel}, stride ${stride}, padding ${padding}, expected whole numbers from 1 and a padding of at most half of the kernel`,
    );
  const attributes: MaxPoolAttributes = { kernel, stride, padding };
  return graph.add({ name, operator: 'maxPool', attributes, inputs: [input] });
}
