/**
 * RepConv's border during training, behind a batch normalisation whose parameters it reads: pixels that hold what the running
 * statistics make of 0, without a gradient (the authors detach it). Models do not use it; `splitPaddedNorm` makes it.
 */
import { GraphError } from '../graph/errors.js';
import type { Attributes } from '../graph/graph.js';
import { noCost, type Operator, shapeError, type TrainingCall, type TrainingRules } from './operator.js';

export interface StatisticsPadAttributes extends Attributes {
  readonly channels: number;
  readonly epsilon: number;
  readonly padding: number;
}

function mapSize(shape: readonly number[]) {
  const [timeSteps, batch, height, width] = shape as [number, number, number, number, number];
  return { images: timeSteps * batch, height, width };
}

function padCall(call: TrainingCall<StatisticsPadAttributes>) {
  const { images, height, width } = mapSize(call.inputs[0]!.shape);
  return {
    name: call.node.name,
    images,
    inputHeight: height,
    inputWidth: width,
    channels: call.attributes.channels,
    padding: call.attributes.padding,
    input: call.inputs[0]!,
    output: call.output,
    tensors: {
      weight: call.parameter('weight'),
      bias: call.parameter('bias'),
      runningMean: call.parameter('running_mean'),
      runningVariance: call.parameter('running_var'),
    },
    epsilon: call.attributes.epsilon,
  };
}

const training: TrainingRules<StatisticsPadAttributes> = {
  needsInputs: [],
  forward: (kernels, call) => kernels.padWithStatistics(padCall(call)),
  again: (kernels, call) => kernels.padWithStatistics(padCall(call)),
  backward: (kernels, call) => {
    const { images, height, width } = mapSize(call.inputs[0]!.shape);
    kernels.crop({
      name: call.node.name,
      images,
      outputHeight: height,
      outputWidth: width,
      channels: call.attributes.channels,
      padding: call.attributes.padding,
      input: call.outputGradient,
      output: call.inputGradients[0]!.tensor,
    });
  },
};

export const statisticsPadOperator: Operator<StatisticsPadAttributes> = {
  name: 'statisticsPad',
  infer: (node, inputs) => {
    const input = inputs[0]!;
    const { channels, padding } = node.attributes;
    if (input.length !== 5 || input[4] !== channels)
      throw shapeError(node, inputs, `feature maps [T, B, H, W, ${channels}]`);
    return [input[0]!, input[1]!, input[2]! + 2 * padding, input[3]! + 2 * padding, channels];
  },
  kind: () => 'real',
  border: ({ padding }) => padding,
  // Its parameters belong to the normalisation before it.
  parameters: () => [],
  forward: (_kernels, call) => {
    throw new GraphError(`node ${call.node.name} (statisticsPad): it only exists in training`);
  },
  cost: () => noCost,
  training,
};
