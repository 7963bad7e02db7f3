/**
 * Channels as pixels, `[T, B, H, W, b·b·C] → [T, B, b·H, b·W, C]`: what a pixel has in its b² groups of C channels lies beside each other afterwards, group k·b + l in row k
 * and column l of its block (ONNX's `DepthToSpace`, mode `DCR`). Numbers only change their places; here the last step of a transposed convolution whose windows do not overlap.
 */
import { swapAxes } from '../engines/calls/swapAxes.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';
import { noCost, type Operator, shapeError } from './operator.js';

export interface DepthToSpaceAttributes extends Attributes {
  /** b. */
  readonly block: number;
}

/** With channels last a block's row is one piece already: the columns of pixels and the rows of blocks change places. */
function sizesOf({ block }: DepthToSpaceAttributes, [timeSteps, batch, height, width, channels]: Shape) {
  return { outer: timeSteps! * batch! * height!, first: width!, second: block, inner: channels! / block };
}

export const depthToSpaceOperator: Operator<DepthToSpaceAttributes> = {
  name: 'depthToSpace',
  infer: (node, inputs) => {
    const [timeSteps, batch, height, width, channels] = inputs[0]! as [number, number, number, number, number];
    const { block } = node.attributes;
    if (inputs[0]!.length !== 5 || channels % (block * block) !== 0)
      throw shapeError(node, inputs, `feature maps [T, B, H, W, ${block * block}·C]`);
    return [timeSteps, batch, block * height, block * width, channels / (block * block)];
  },
  kind: () => 'real',
  parameters: () => [],
  forward: (kernels, { node, attributes, inputs, output }) => {
    const input = inputs[0]!;
    kernels.record(swapAxes, { name: node.name, ...sizesOf(attributes, input.shape), input, output });
  },
  training: {
    needsInputs: [],
    forward: (kernels, { node, attributes, inputs, output }) => {
      const input = inputs[0]!;
      kernels.record(swapAxes, { name: node.name, ...sizesOf(attributes, input.shape), input, output });
    },
    backward: (kernels, { node, attributes, outputGradient: input, inputGradients }) => {
      const output = inputGradients[0]?.tensor;
      if (!output) return;
      const { first: second, second: first, ...rest } = sizesOf(attributes, output.shape);
      kernels.record(swapAxes, { name: node.name, ...rest, first, second, input, output });
    },
  },
  cost: () => noCost,
  toOnnx: (builder, { node, attributes: { block }, inputs }) =>
    builder.node('DepthToSpace', node.name, inputs, { blocksize: block, mode: 'DCR' })[0]!,
};

export function depthToSpace(graph: GraphBuilder, name: string, input: string, block: number): string {
  const attributes: DepthToSpaceAttributes = { block };
  return graph.add({ name, operator: 'depthToSpace', attributes, inputs: [input] });
}
