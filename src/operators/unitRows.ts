/** Vectors `[B, C]` scaled to length 1, so that products of two are cosines: PyTorch's `normalize`. */
import { unitRowsGradient, unitRows as unitRowsKernel } from '../engines/calls/unitRows.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { type Call, noCost, type Operator, shapeError } from './operator.js';

const sizesOf = ({ node, inputs }: Pick<Call<Attributes>, 'node' | 'inputs'>) => {
  const [rows, channels] = inputs[0]!.shape as [number, number];
  return { name: node.name, rows, channels, input: inputs[0]! };
};

export const unitRowsOperator: Operator = {
  name: 'unitRows',
  infer: (node, inputs) => {
    if (inputs[0]!.length !== 2) throw shapeError(node, inputs, 'vectors [B, C]');
    return inputs[0]!;
  },
  kind: () => 'real',
  parameters: () => [],
  forward: (kernels, call) => kernels.record(unitRowsKernel, { ...sizesOf(call), output: call.output }),
  training: {
    needsInputs: [0],
    accumulates: true,
    forward: (kernels, call) => kernels.record(unitRowsKernel, { ...sizesOf(call), output: call.output }),
    backward: (kernels, call) => {
      const target = call.inputGradients[0];
      if (!target) return;
      const { tensor: inputGradient, accumulate } = target;
      const { outputGradient } = call;
      kernels.record(unitRowsGradient, { ...sizesOf(call), outputGradient, inputGradient, accumulate });
    },
  },
  cost: () => noCost,
  // Rows of zeros would be divided by zero there; no network gives them.
  toOnnx: (builder, { node, inputs }) => builder.node('LpNormalization', node.name, inputs, { axis: 1, p: 2 })[0]!,
};

export function unitRows(graph: GraphBuilder, name: string, input: string): string {
  return graph.add({ name, operator: 'unitRows', inputs: [input] });
}
