/**
 * A linear layer on the channels of tokens `[T, B, N, C]` or vectors `[T, B, C]`: PyTorch's `Linear`, and its `Conv1d`
 * with kernel 1, which is the same sum under another weight shape. A second input is a residual that is added.
 */
import type { ConvolutionGeometry, Kernels } from '../engines/kernels.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { elementCount, formatShape, type Shape } from '../graph/shape.js';
import { convolutionTraining } from './convolutionTraining.js';
import { type Call, kaimingUniform, type LocalParameter, type Operator, shapeError } from './operator.js';

export interface LinearAttributes extends Attributes {
  readonly inputChannels: number;
  readonly outputChannels: number;
  readonly bias: boolean;
  /** `conv1d` stores the weight as `[O, I, 1]`, `linear` as `[O, I]`. */
  readonly layout: 'linear' | 'conv1d';
}

function parameters(attributes: LinearAttributes): readonly LocalParameter[] {
  const { inputChannels, outputChannels, layout } = attributes;
  const weight: LocalParameter = {
    name: 'weight',
    shape: layout === 'conv1d' ? [outputChannels, inputChannels, 1] : [outputChannels, inputChannels],
    role: 'weight',
    initial: layout === 'conv1d' ? kaimingUniform(inputChannels) : { kind: 'truncatedNormal', deviation: 0.02 },
  };
  if (!attributes.bias) return [weight];
  const initial = layout === 'conv1d' ? kaimingUniform(inputChannels) : ({ kind: 'constant', value: 0 } as const);
  return [weight, { name: 'bias', shape: [outputChannels], role: 'bias', initial }];
}

/** A linear layer is a 1×1 convolution on maps one pixel high: the tokens of one image at one time step, so that engines can tell images from each other. */
function geometryOf(attributes: LinearAttributes, input: Shape): ConvolutionGeometry {
  const [timeSteps, batch] = input as [number, number];
  return geometryOfMaps(attributes, input, timeSteps * batch);
}

/** In training images are one long map: batches are the recipe's, and sums are taken as they have been since the first run. */
function trainingGeometryOf(attributes: LinearAttributes, input: Shape): ConvolutionGeometry {
  return geometryOfMaps(attributes, input, 1);
}

function geometryOfMaps(
  { inputChannels, outputChannels }: LinearAttributes,
  input: Shape,
  images: number,
): ConvolutionGeometry {
  const positions = elementCount(input) / (inputChannels * images);
  return {
    images,
    inputHeight: 1,
    inputWidth: positions,
    inputChannels,
    outputHeight: 1,
    outputWidth: positions,
    outputChannels,
    kernelHeight: 1,
    kernelWidth: 1,
    strideHeight: 1,
    strideWidth: 1,
    paddingHeight: 0,
    paddingWidth: 0,
    groups: 1,
  };
}

function forward(kernels: Kernels, call: Call<LinearAttributes>): void {
  const [input, residual] = call.inputs;
  kernels.convolution({
    name: call.node.name,
    geometry: geometryOf(call.attributes, input!.shape),
    input: input!,
    output: call.output,
    weight: call.parameter('weight'),
    ...(call.attributes.bias ? { bias: call.parameter('bias') } : {}),
    ...(residual ? { residual } : {}),
    ...(call.firingRate === undefined ? {} : { firingRate: call.firingRate }),
  });
}

export const linearOperator: Operator<LinearAttributes> = {
  name: 'linear',
  infer: (node, inputs) => {
    const { inputChannels, outputChannels } = node.attributes;
    const [input, residual] = inputs;
    if (!input || input.length < 3 || input[input.length - 1] !== inputChannels) {
      throw shapeError(node, inputs, `tokens [T, B, N, ${inputChannels}] or vectors [T, B, ${inputChannels}]`);
    }
    const output = [...input.slice(0, -1), outputChannels];
    if (residual && !output.every((size, axis) => residual[axis] === size || (axis === 0 && residual[0] === 1))) {
      throw shapeError(node, inputs, `a residual of the result's shape ${formatShape(output)}`);
    }
    return output;
  },
  kind: () => 'real',
  affine: { hasBias: ({ bias }) => bias, withBias: (attributes) => ({ ...attributes, bias: true }) },
  takesResidual: true,
  energy: {
    selectors: [0],
    layer: (attributes, [input]) => ({ kind: 'linear', geometry: geometryOf(attributes, input!) }),
  },
  parameters,
  forward,
  toOnnx: (builder, { node, attributes, inputs, inputShapes, parameter }) => {
    const { inputChannels, outputChannels, bias } = attributes;
    // Tokens are maps in the file, and a linear layer on them a 1×1 convolution.
    const tokens = inputShapes[0]!.length === 4;
    const shape = tokens ? [outputChannels, inputChannels, 1, 1] : [outputChannels, inputChannels];
    const weights = [builder.constant(`${node.parameterPrefix}.weight`, parameter('weight'), shape)];
    if (bias) weights.push(builder.constant(`${node.parameterPrefix}.bias`, parameter('bias'), [outputChannels]));
    const [operator, settings] = tokens ? ['Conv', { kernel_shape: [1, 1] }] : ['Gemm', { transB: 1 }];
    return builder.node(operator as string, node.name, [inputs[0]!, ...weights], settings as { transB: number })[0]!;
  },
  training: convolutionTraining(trainingGeometryOf),
  cost: (node, _inputs, output) => ({
    multiplyAccumulates: elementCount(output) * node.attributes.inputChannels,
  }),
};

export function linear(graph: GraphBuilder, name: string, input: string, attributes: LinearAttributes): string {
  return graph.add({ name, operator: 'linear', attributes, inputs: [input] });
}
