/**
 * The products of spike-driven self-attention, SDSA-3: `scale · Q (Kᵀ V)` per head, with spikes for Q, K and V over the
 * N = H·W tokens (the paper's third variant, the one Meta-SpikeFormer uses). There is no softmax: Kᵀ V counts coincidences, and
 * each spike of Q selects one row of counts, so both products are additions. The neurons behind it are a node of their own. When one of the three holds
 * numbers, in a network whose neurons give those out, the products are products of matrices.
 */
import { attentionProduct, attentionProductGradient } from '../engines/calls/attentionProduct.js';
import type { SpikeAttentionCall } from '../engines/kernels.js';
import { GraphError } from '../graph/errors.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { sameShape } from '../graph/shape.js';
import { onnxScalar } from './onnxBuilder.js';
import { type Call, type Operator, shapeError, type TrainingRules } from './operator.js';

export interface SpikeAttentionAttributes extends Attributes {
  readonly channels: number;
  readonly heads: number;
  readonly scale: number;
}

function attentionCall(
  call: Pick<Call<SpikeAttentionAttributes>, 'node' | 'attributes' | 'inputs' | 'output'>,
): SpikeAttentionCall {
  const [query, key, value] = call.inputs;
  const [timeSteps, batch, tokens, channels] = call.output.shape as [number, number, number, number];
  return {
    name: call.node.name,
    images: timeSteps * batch,
    tokens,
    channels,
    heads: call.attributes.heads,
    query: query!,
    key: key!,
    value: value!,
    output: call.output,
    scale: call.attributes.scale,
  };
}

function isOfSpikes({ inputs }: Pick<Call<SpikeAttentionAttributes>, 'inputs'>): boolean {
  return inputs.every(({ storage }) => storage === 'spikes');
}

const training: TrainingRules<SpikeAttentionAttributes> = {
  needsInputs: [0, 1, 2],
  forward: (kernels, call) => {
    if (isOfSpikes(call)) kernels.spikeAttention(attentionCall(call));
    else kernels.record(attentionProduct, attentionCall(call));
  },
  backward: (kernels, call) => {
    const { output: _output, ...rest } = attentionCall(call);
    const [query, key, value] = call.inputGradients;
    const gradients = {
      outputGradient: call.outputGradient,
      queryGradient: query!.tensor,
      keyGradient: key!.tensor,
      valueGradient: value!.tensor,
    };
    if (isOfSpikes(call)) kernels.spikeAttentionGradient({ ...rest, ...gradients });
    else kernels.record(attentionProductGradient, { ...rest, ...gradients });
  },
};

export const spikeAttentionOperator: Operator<SpikeAttentionAttributes> = {
  name: 'spikeAttention',
  infer: (node, inputs) => {
    const [query, key, value] = inputs;
    const { channels } = node.attributes;
    const fits =
      query?.length === 5 && query[4] === channels && key && value && sameShape(query, key) && sameShape(query, value);
    if (!fits) throw shapeError(node, inputs, `three maps of one shape [T, B, H, W, ${channels}]`);
    return [query[0]!, query[1]!, query[2]! * query[3]!, channels];
  },
  // Q (Kᵀ V) is an integer times the scale; people ask whether an edge is real, and for a power of two the answer is a shift.
  kind: (inputs) => (inputs.every((kind) => kind === 'binary') ? 'integer' : 'real'),
  attention: ({ heads, scale }) => ({ heads, scale }),
  energy: {
    selectors: [0, 1, 2],
    layer: ({ channels, heads }, _inputs, output) => ({
      kind: 'attention',
      attention: { tokens: output[2]!, channels, heads },
      // Kᵀ V, then for every spike of Q a row of it.
      sums: [
        { of: 'coincidences', one: 1, other: 2 },
        { of: 'rows', input: 0, width: channels / heads },
      ],
    }),
  },
  parameters: () => [],
  forward: (kernels, call) => {
    if (isOfSpikes(call)) kernels.spikeAttention(attentionCall(call));
    else kernels.record(attentionProduct, attentionCall(call));
  },
  // Per head, channels by tokens: (V Kᵀ) Q is the transpose of Q (Kᵀ V).
  toOnnx: (builder, { node, attributes, inputs, inputShapes }) => {
    const { channels, heads, scale } = attributes;
    const [, , height, width] = inputShapes[0] as [number, number, number, number, number];
    const { name } = node;
    const split = builder.constant(
      `${name}.heads`,
      BigInt64Array.from([-1, heads, channels / heads, height * width].map(BigInt)),
      [4],
    );
    const [query, key, value] = (['q', 'k', 'v'] as const).map(
      (letter, index) => builder.node('Reshape', `${name}.${letter}`, [inputs[index]!, split])[0]!,
    ) as [string, string, string];
    const transposed = builder.node('Transpose', `${name}.k_transposed`, [key], { perm: [0, 1, 3, 2] })[0]!;
    const counts = builder.node('MatMul', `${name}.counts`, [value, transposed])[0]!;
    const selected = builder.node('MatMul', `${name}.selected`, [counts, query])[0]!;
    const scaled = builder.node('Mul', `${name}.scaled`, [selected, onnxScalar(builder, scale)])[0]!;
    const map = builder.constant(`${name}.map`, BigInt64Array.from([-1, channels, height, width].map(BigInt)), [4]);
    return builder.node('Reshape', name, [scaled, map])[0]!;
  },
  training,
  cost: (node, _inputs, output) => {
    const [timeSteps, batch, tokens, channels] = output as [number, number, number, number];
    const headChannels = channels / node.attributes.heads;
    // Two products per head, N·d·d each.
    return { multiplyAccumulates: 2 * timeSteps * batch * tokens * channels * headChannels };
  },
};

export function spikeAttention(
  graph: GraphBuilder,
  name: string,
  inputs: { readonly query: string; readonly key: string; readonly value: string },
  attributes: SpikeAttentionAttributes,
): string {
  if (attributes.channels % attributes.heads !== 0) {
    throw new GraphError(
      `node ${name} (spikeAttention): ${attributes.channels} channels cannot be shared by ${attributes.heads} heads`,
    );
  }
  return graph.add({ name, operator: 'spikeAttention', attributes, inputs: [inputs.query, inputs.key, inputs.value] });
}
