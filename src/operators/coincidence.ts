/**
 * Coincidences of spikes: per channel the number of tokens at which K and V fire together, `SUM_c(K ⊗ V)` of Spike-driven Transformer (Yao et al., NeurIPS 2023), the
 * first step of its attention, SDSA-1. There is no softmax and no multiplication: the product of two spikes is an AND. The neurons that fire on the counts are a node
 * of their own, and so is the gate behind them (`gate.ts`).
 */
import {
  type CoincidenceCall,
  coincidenceGradient,
  coincidence as countTogether,
} from '../engines/calls/coincidence.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { channelsOf, elementCount, sameShape } from '../graph/shape.js';
import { type Call, type Operator, shapeError } from './operator.js';

function coincidenceCall({
  node,
  inputs,
  output,
}: Pick<Call<Attributes>, 'node' | 'inputs' | 'output'>): CoincidenceCall {
  const [key, value] = inputs;
  const [timeSteps, batch, channels] = output.shape as [number, number, number];
  const images = timeSteps * batch;
  const tokens = elementCount(key!.shape) / images / channels;
  return { name: node.name, images, tokens, channels, key: key!, value: value!, output };
}

export const coincidenceOperator: Operator = {
  name: 'coincidence',
  infer: (node, inputs) => {
    const [key, value] = inputs;
    if (!key || key.length < 4 || !value || !sameShape(key, value))
      throw shapeError(node, inputs, 'two maps [T, B, H, W, C] or tokens [T, B, N, C] of one shape');
    return [key[0]!, key[1]!, channelsOf(key)];
  },
  kind: (inputs) => (inputs.every((kind) => kind === 'binary') ? 'integer' : 'real'),
  parameters: () => [],
  forward: (kernels, call) => kernels.record(countTogether, coincidenceCall(call)),
  training: {
    needsInputs: [0, 1],
    forward: (kernels, call) => kernels.record(countTogether, coincidenceCall(call)),
    backward: (kernels, call) => {
      const { output: _output, ...rest } = coincidenceCall(call);
      const [key, value] = call.inputGradients;
      const gradients = { keyGradient: key!.tensor, valueGradient: value!.tensor };
      kernels.record(coincidenceGradient, { ...rest, outputGradient: call.outputGradient, ...gradients });
    },
  },
  // K ⊗ V summed: one multiply-accumulate for each of its elements.
  cost: (_node, inputs) => ({ multiplyAccumulates: elementCount(inputs[0]!) }),
  energy: {
    selectors: [0, 1],
    // A spike meets that of its own channel alone: as many heads as channels.
    layer: (_attributes, [key], output) => {
      const channels = channelsOf(output);
      const attention = { tokens: elementCount(key!) / channels, channels, heads: channels };
      return { kind: 'attention', attention, sums: [{ of: 'coincidences', one: 0, other: 1 }] };
    },
  },
  // Tokens are maps in the file: the sum goes over height and width.
  toOnnx: (builder, { node, inputs }) => {
    const together = builder.node('Mul', `${node.name}.together`, inputs)[0]!;
    const axes = builder.constant('axes of space', BigInt64Array.of(2n, 3n), [2]);
    return builder.node('ReduceSum', node.name, [together, axes], { keepdims: 0 })[0]!;
  },
};

/** @returns the counts, `[T, B, C]`. */
export function coincidence(
  graph: GraphBuilder,
  name: string,
  { key, value }: { readonly key: string; readonly value: string },
): string {
  return graph.add({ name, operator: 'coincidence', inputs: [key, value] });
}
