/**
 * A learned factor on vectors `[B, C]`, such as the temperature of a contrastive loss: each is scaled by the root of `min(exp(logit_scale), limit)`, so that the product of two is
 * scaled by all of it (CLIP, Radford et al. 2021).
 */
import { temperatureGradient, temperature as temperatureKernel } from '../engines/calls/temperature.js';
import type { Tensor } from '../engines/kernels.js';
import { GraphError } from '../graph/errors.js';
import type { Attributes, GraphBuilder, Node } from '../graph/graph.js';
import { elementCount } from '../graph/shape.js';
import { noCost, type Operator, shapeError } from './operator.js';

export interface TemperatureAttributes extends Attributes {
  /** The factor that it starts from; the parameter is its logarithm. */
  readonly initial: number;
  /** The largest factor. */
  readonly limit: number;
}

const sizesOf = (node: Node<TemperatureAttributes>, input: Tensor) => ({
  name: node.name,
  elements: elementCount(input.shape),
  limit: node.attributes.limit,
  input,
});

export const temperatureOperator: Operator<TemperatureAttributes> = {
  name: 'temperature',
  infer: (node, inputs) => {
    if (inputs[0]!.length !== 2) throw shapeError(node, inputs, 'vectors [B, C]');
    return inputs[0]!;
  },
  kind: () => 'real',
  parameters: ({ initial }) => [
    // No weight: it is not to be pulled to zero.
    { name: 'logit_scale', shape: [1], role: 'bias', initial: { kind: 'constant', value: Math.log(initial) } },
  ],
  forward: (kernels, { node, attributes, inputs, output, parameter }) => {
    const [rows, channels] = inputs[0]!.shape as [number, number];
    const scale = new Float32Array(channels).fill(rootOf(parameter('logit_scale'), attributes));
    const shift = new Float32Array(channels);
    kernels.scaleShift({ name: node.name, rows, channels, input: inputs[0]!, output, scale, shift });
  },
  training: {
    needsInputs: [0],
    accumulates: true,
    forward: (kernels, { node, inputs, output, parameter }) =>
      kernels.record(temperatureKernel, {
        ...sizesOf(node, inputs[0]!),
        logarithm: parameter('logit_scale'),
        output,
      }),
    backward: (kernels, { node, inputs, outputGradient, inputGradients, parameter, parameterGradient }) => {
      const target = inputGradients[0];
      if (!target) return;
      const { tensor: inputGradient, accumulate } = target;
      kernels.record(temperatureGradient, {
        ...sizesOf(node, inputs[0]!),
        ...{ logarithm: parameter('logit_scale'), logarithmGradient: parameterGradient('logit_scale') },
        ...{ outputGradient, inputGradient, accumulate },
      });
    },
  },
  cost: () => noCost,
  toOnnx: (builder, { node, attributes, inputs, parameter }) => {
    const root = Float32Array.of(rootOf(parameter('logit_scale'), attributes));
    return builder.node('Mul', node.name, [inputs[0]!, builder.constant(`${node.name}.root`, root, [1])])[0]!;
  },
};

function rootOf(logarithm: Float32Array, { limit }: TemperatureAttributes): number {
  return Math.sqrt(Math.min(Math.exp(logarithm[0]!), limit));
}

/** A node `NAME.scale` with the parameter `NAME.logit_scale`. @throws GraphError for a factor that cannot be. */
export function temperature(
  graph: GraphBuilder,
  name: string,
  input: string,
  attributes: TemperatureAttributes,
): string {
  const { initial, limit } = attributes;
  if (!(initial > 0 && initial <= limit && limit < 1e6))
    throw new GraphError(`node ${name} (temperature): begins at ${initial} with a limit of ${limit}; both are above 0`);
  return graph.add({
    name: `${name}.scale`,
    operator: 'temperature',
    attributes,
    inputs: [input],
    parameterPrefix: name,
  });
}
