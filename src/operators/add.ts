/** The sum of two values: the residual connection between membrane potentials. A value with T = 1 is repeated over time. */
import type { GraphBuilder } from '../graph/graph.js';
import { overTime } from './onnxBuilder.js';
import { noCost, type Operator, passingGradient, shapeError } from './operator.js';

export const addOperator: Operator = {
  name: 'add',
  isSum: true,
  infer: (node, inputs) => {
    const [a, b] = inputs;
    const fits =
      a &&
      b &&
      a.length === b.length &&
      a.every((size, axis) => size === b[axis] || (axis === 0 && (size === 1 || b[0] === 1)));
    if (!fits) throw shapeError(node, inputs, 'two values of one shape');
    return a[0]! >= b[0]! ? a : b;
  },
  kind: (inputs) => (inputs.every((kind) => kind !== 'real') ? 'integer' : 'real'),
  parameters: () => [],
  forward: (kernels, call) => {
    kernels.add({ name: call.node.name, a: call.inputs[0]!, b: call.inputs[1]!, output: call.output });
  },
  toOnnx: (builder, { node, inputs, inputShapes, outputShape }) => {
    const addends = inputs.map((value, index) =>
      overTime(builder, `${node.name}.over_time.${index}`, value, inputShapes[index]![0]!, outputShape[0]!),
    );
    return builder.node('Add', node.name, addends)[0]!;
  },
  cost: () => noCost,
  training: passingGradient([0, 1], (kernels, call) =>
    kernels.add({ name: call.node.name, a: call.inputs[0]!, b: call.inputs[1]!, output: call.output }),
  ),
};

export function add(graph: GraphBuilder, name: string, a: string, b: string): string {
  return graph.add({ name, operator: 'add', inputs: [a, b] });
}
