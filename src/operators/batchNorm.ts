/**
 * Batch normalisation over the channels, `(x − mean)/√(variance + ε) · weight + bias`, for maps (PyTorch's `BatchNorm2d`)
 * and tokens (`BatchNorm1d`) alike, since channels come last. With `padding` it is also the padded form inside RepConv: the
 * result is surrounded by pixels that hold what the normalisation makes of 0, so that the depthwise convolution behind
 * it sees the border that a 3×3 convolution on the spikes would see. Here with running statistics, as in evaluation.
 */
import type { Kernels } from '../engines/kernels.js';
import type { Attributes, GraphBuilder, Node } from '../graph/graph.js';
import { channelsOf, elementCount } from '../graph/shape.js';
import {
  type Call,
  type LocalParameter,
  noCost,
  type Operator,
  shapeError,
  type TrainingCall,
  type TrainingRules,
} from './operator.js';

export interface BatchNormAttributes extends Attributes {
  readonly channels: number;
  /** ε, added to the variance. */
  readonly epsilon: number;
  /** Pixels of border; 0 for the plain form. */
  readonly padding: number;
}

/** The affine map that batch normalisation with fixed statistics is: `y = scale · x + shift`, computed in float64. */
function affineOf(
  parameter: (localName: string) => Float32Array,
  epsilon: number,
): { readonly scale: Float64Array; readonly shift: Float64Array } {
  const weight = parameter('weight');
  const bias = parameter('bias');
  const mean = parameter('running_mean');
  const variance = parameter('running_var');
  const scale = Float64Array.from(weight, (w, c) => w / Math.sqrt(variance[c]! + epsilon));
  const shift = Float64Array.from(bias, (b, c) => b - mean[c]! * scale[c]!);
  return { scale, shift };
}

function parameters(attributes: BatchNormAttributes): readonly LocalParameter[] {
  const shape = [attributes.channels];
  return [
    { name: 'weight', shape, role: 'weight', initial: { kind: 'constant', value: 1 } },
    { name: 'bias', shape, role: 'bias', initial: { kind: 'constant', value: 0 } },
    { name: 'running_mean', shape, role: 'runningMean', initial: { kind: 'constant', value: 0 } },
    { name: 'running_var', shape, role: 'runningVariance', initial: { kind: 'constant', value: 1 } },
    { name: 'num_batches_tracked', shape: [], role: 'batchCount', initial: { kind: 'constant', value: 0 } },
  ];
}

function forward(kernels: Kernels, call: Call<BatchNormAttributes>): void {
  const { channels, epsilon, padding } = call.attributes;
  const { name } = call.node;
  const { output } = call;
  let input = call.inputs[0]!;
  if (padding > 0) {
    const [timeSteps, batch, inputHeight, inputWidth] = input.shape as [number, number, number, number, number];
    const values = new Float32Array(channels);
    kernels.pad({ name, images: timeSteps * batch, inputHeight, inputWidth, channels, padding, input, output, values });
    input = output;
  }
  const affine = affineOf(call.parameter, epsilon);
  kernels.scaleShift({
    name,
    rows: elementCount(output.shape) / channels,
    channels,
    input,
    output,
    scale: Float32Array.from(affine.scale),
    shift: Float32Array.from(affine.shift),
  });
}

/** Share of the batch's statistics that running statistics take on per step: PyTorch's default. */
export const batchNormMomentum = 0.1;

/** The call without its momentum: what the forward kernel, its repetition and its gradient have in common. */
function trainingCall(call: TrainingCall<BatchNormAttributes>) {
  const { channels, epsilon } = call.attributes;
  return {
    name: call.node.name,
    rows: elementCount(call.inputs[0]!.shape) / channels,
    channels,
    input: call.inputs[0]!,
    epsilon,
    tensors: {
      weight: call.parameter('weight'),
      bias: call.parameter('bias'),
      runningMean: call.parameter('running_mean'),
      runningVariance: call.parameter('running_var'),
      batchMean: call.statistic('batchMean'),
      batchInverseDeviation: call.statistic('batchInverseDeviation'),
    },
  };
}

/** Only the form without border trains; `splitPaddedNorm` takes the border off first. */
const training: TrainingRules<BatchNormAttributes> = {
  needsInputs: [0],
  statistics: ({ channels }) => [
    { name: 'batchMean', shape: [channels] },
    { name: 'batchInverseDeviation', shape: [channels] },
  ],
  forward: (kernels, call) =>
    kernels.batchNorm({ ...trainingCall(call), output: call.output, momentum: batchNormMomentum }),
  measure: (kernels, call) => kernels.batchNorm({ ...trainingCall(call), momentum: batchNormMomentum }),
  again: (kernels, call) => kernels.batchNormAgain({ ...trainingCall(call), output: call.output }),
  backward: (kernels, call) =>
    kernels.batchNormGradient({
      ...trainingCall(call),
      outputGradient: call.outputGradient,
      inputGradient: call.inputGradients[0]!.tensor,
      weightGradient: call.parameterGradient('weight'),
      biasGradient: call.parameterGradient('bias'),
    }),
};

function withoutBorder(node: Node<BatchNormAttributes>): readonly [Node, Node] | undefined {
  const { padding, channels, epsilon } = node.attributes;
  if (padding === 0) return undefined;
  const plain = { ...node, name: `${node.name}.unpadded`, attributes: { ...node.attributes, padding: 0 } };
  const border = { channels, epsilon, padding };
  return [plain, { ...node, operator: 'statisticsPad', attributes: border, inputs: [plain.name] }];
}

export const batchNormOperator: Operator<BatchNormAttributes> = {
  name: 'batchNorm',
  infer: (node, inputs) => {
    const input = inputs[0]!;
    const { channels, padding } = node.attributes;
    if (channelsOf(input) !== channels || (padding > 0 && input.length !== 5)) {
      throw shapeError(node, inputs, padding > 0 ? `feature maps [T, B, H, W, ${channels}]` : `[…, ${channels}]`);
    }
    if (padding === 0) return input;
    return [input[0]!, input[1]!, input[2]! + 2 * padding, input[3]! + 2 * padding, channels];
  },
  kind: () => 'real',
  normalisation: { affine: ({ epsilon }, parameter) => affineOf(parameter, epsilon), withoutBorder },
  border: ({ padding }) => padding,
  parameters,
  forward,
  toOnnx: (builder, { node, attributes, inputs, parameter }) => {
    const { channels, epsilon, padding } = attributes;
    let x = inputs[0]!;
    if (padding > 0) {
      const sizes = [0, 0, padding, padding, 0, 0, padding, padding];
      const pads = builder.constant(`border of ${padding}`, BigInt64Array.from(sizes, BigInt), [8]);
      x = builder.node('Pad', `${node.name}.border`, [x, pads])[0]!;
    }
    const parameters = (['weight', 'bias', 'running_mean', 'running_var'] as const).map((local) =>
      builder.constant(`${node.parameterPrefix}.${local}`, parameter(local), [channels]),
    );
    return builder.node('BatchNormalization', node.name, [x, ...parameters], { epsilon: { float: epsilon } })[0]!;
  },
  training,
  cost: () => noCost,
};

/** Appends batch normalisation; `parameterPrefix` when the parameters lie deeper than the node (`body.1.bn`). */
export function batchNorm(
  graph: GraphBuilder,
  name: string,
  input: string,
  channels: number,
  options: { readonly padding?: number; readonly parameterPrefix?: string } = {},
): string {
  const attributes: BatchNormAttributes = { channels, epsilon: 1e-5, padding: options.padding ?? 0 };
  return graph.add({
    name,
    operator: 'batchNorm',
    attributes,
    inputs: [input],
    ...(options.parameterPrefix ? { parameterPrefix: options.parameterPrefix } : {}),
  });
}
