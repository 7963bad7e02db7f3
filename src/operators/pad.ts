/**
 * Surrounds maps with pixels of a constant value per channel. Models do not use it: it is what remains of RepConv's padded batch
 * normalisation when its scale is folded into the convolution before it.
 */
import type { Kernels } from '../engines/kernels.js';
import type { Attributes, Node } from '../graph/graph.js';
import { type Call, noCost, type Operator, shapeError } from './operator.js';

export interface PadAttributes extends Attributes {
  readonly channels: number;
  readonly padding: number;
}

function forward(kernels: Kernels, call: Call<PadAttributes>): void {
  const input = call.inputs[0]!;
  const [timeSteps, batch, inputHeight, inputWidth, channels] = input.shape as [number, number, number, number, number];
  kernels.pad({
    name: call.node.name,
    images: timeSteps * batch,
    inputHeight,
    inputWidth,
    channels,
    padding: call.attributes.padding,
    input,
    output: call.output,
    values: call.parameter('values'),
  });
}

export const padOperator: Operator<PadAttributes> = {
  name: 'pad',
  infer: (node, inputs) => {
    const input = inputs[0]!;
    const { channels, padding } = node.attributes;
    if (input.length !== 5 || input[4] !== channels)
      throw shapeError(node, inputs, `feature maps [T, B, H, W, ${channels}]`);
    return [input[0]!, input[1]!, input[2]! + 2 * padding, input[3]! + 2 * padding, channels];
  },
  kind: () => 'real',
  border: ({ padding }) => padding,
  parameters: (attributes) => [
    { name: 'values', shape: [attributes.channels], role: 'bias', initial: { kind: 'constant', value: 0 } },
  ],
  forward,
  cost: () => noCost,
};

/** The border alone of a normalisation that has one, in its place; its parameter `values` is called after the node. */
export function padNode(normalisation: Node, padding: number): Node {
  const { channels } = normalisation.attributes as { readonly channels: number };
  return { ...normalisation, operator: 'pad', attributes: { channels, padding }, parameterPrefix: normalisation.name };
}
