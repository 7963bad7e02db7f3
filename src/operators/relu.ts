/**
 * Rectified linear units, `max(0, x)`: neurons that give out numbers, know nothing of time, and have no threshold. In place of spiking neurons they make the float
 * twin of a network. A value with one time step keeps it, since every step would be the same.
 */
import { relu as call, reluGradient } from '../engines/calls/relu.js';
import { reluDynamics } from '../engines/neuronDynamics.js';
import type { GraphBuilder } from '../graph/graph.js';
import { elementCount } from '../graph/shape.js';
import { noCost, type Operator } from './operator.js';

export const reluOperator: Operator = {
  name: 'relu',
  infer: (_node, inputs) => inputs[0]!,
  kind: () => 'real',
  neuron: {
    dynamics: () => reluDynamics,
    constants: () => ({ tau: 1, threshold: 0 }),
    hasState: false,
    shownFor: () => 1,
    showFor: (attributes) => attributes,
  },
  parameters: () => [],
  forward: (kernels, { node, inputs, output }) =>
    kernels.record(call, { name: node.name, elements: elementCount(output.shape), input: inputs[0]!, output }),
  toOnnx: (builder, { node, inputs }) => builder.node('Relu', node.name, inputs)[0]!,
  training: {
    needsInputs: [0],
    accumulates: true,
    forward: (kernels, { node, inputs, output }) =>
      kernels.record(call, { name: node.name, elements: elementCount(output.shape), input: inputs[0]!, output }),
    backward: (kernels, { node, inputs, outputGradient, inputGradients }) => {
      const { tensor: inputGradient, accumulate } = inputGradients[0]!;
      const elements = elementCount(outputGradient.shape);
      const tensors = { input: inputs[0]!, outputGradient, inputGradient };
      kernels.record(reluGradient, { name: node.name, elements, ...tensors, accumulate });
    },
  },
  cost: () => noCost,
};

export function relu(graph: GraphBuilder, name: string, input: string): string {
  return graph.add({ name, operator: 'relu', inputs: [input] });
}
