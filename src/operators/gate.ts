/**
 * A gate of spikes, `Q ⊗ SN(SUM_c(K ⊗ V))` of Spike-driven Transformer (Yao et al., NeurIPS 2023), the last step of its attention, SDSA-1: where a channel's neuron
 * has fired, the spikes of Q in that channel pass at all tokens of the image, elsewhere none. An AND, and so spikes again; the counts on which the neurons fire are
 * `coincidence.ts`.
 */
import { type GateCall, gateGradient, gate as letThrough } from '../engines/calls/gate.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { channelsOf, elementCount, sameShape } from '../graph/shape.js';
import { type Call, noCost, type Operator, shapeError } from './operator.js';

function gateCall({ node, inputs, output }: Pick<Call<Attributes>, 'node' | 'inputs' | 'output'>): GateCall {
  const [input, gates] = inputs;
  const [timeSteps, batch, channels] = gates!.shape as [number, number, number];
  const images = timeSteps * batch;
  const tokens = elementCount(output.shape) / images / channels;
  return { name: node.name, images, tokens, channels, input: input!, gate: gates!, output };
}

export const gateOperator: Operator = {
  name: 'gate',
  infer: (node, inputs) => {
    const [input, gates] = inputs;
    const fits = input && input.length >= 4 && gates && sameShape(gates, [input[0]!, input[1]!, channelsOf(input)]);
    if (!fits)
      throw shapeError(
        node,
        inputs,
        'maps [T, B, H, W, C] or tokens [T, B, N, C], and a gate for each channel, [T, B, C]',
      );
    return input;
  },
  kind: (inputs) => (inputs.every((kind) => kind === 'binary') ? 'binary' : 'real'),
  parameters: () => [],
  forward: (kernels, call) => kernels.record(letThrough, gateCall(call)),
  training: {
    needsInputs: [0, 1],
    forward: (kernels, call) => kernels.record(letThrough, gateCall(call)),
    backward: (kernels, call) => {
      const { output: _output, ...rest } = gateCall(call);
      const [input, gates] = call.inputGradients;
      const gradients = { inputGradient: input!.tensor, gateGradient: gates!.tensor };
      kernels.record(gateGradient, { ...rest, outputGradient: call.outputGradient, ...gradients });
    },
  },
  // Nothing is multiplied or added. What passes is spikes of their own for the layers behind, by their kind.
  cost: () => noCost,
  toOnnx: (builder, { node, inputs }) => {
    const axes = builder.constant('axes of space', BigInt64Array.of(2n, 3n), [2]);
    const gates = builder.node('Unsqueeze', `${node.name}.gates`, [inputs[1]!, axes])[0]!;
    return builder.node('Mul', node.name, [inputs[0]!, gates])[0]!;
  },
};

/** @param gates Spikes of a neuron for each channel, `[T, B, C]`. */
export function gate(graph: GraphBuilder, name: string, input: string, gates: string): string {
  return graph.add({ name, operator: 'gate', inputs: [input, gates] });
}
