/**
 * Two-dimensional convolution of feature maps `[T, B, H, W, C]`, any kernel, stride, padding and groups, as PyTorch's
 * `Conv2d` defines it (cross-correlation, zero padding). A second input, if there is one, is a residual that is added.
 */
import type { ConvolutionGeometry, Kernels } from '../engines/kernels.js';
import type { Attributes, GraphBuilder, Node } from '../graph/graph.js';
import { elementCount, formatShape, type Shape } from '../graph/shape.js';
import { convolutionTraining } from './convolutionTraining.js';
import { type Call, kaimingUniform, type LocalParameter, type Operator, shapeError } from './operator.js';
import type { ConvolutionWindow } from './traits.js';

export interface Conv2dAttributes extends Attributes, ConvolutionWindow {}

function geometryOf(attributes: Conv2dAttributes, input: Shape): ConvolutionGeometry {
  const [timeSteps, batch, inputHeight, inputWidth, inputChannels] = input as [number, number, number, number, number];
  const { kernel, stride, padding } = attributes;
  return {
    images: timeSteps * batch,
    inputHeight,
    inputWidth,
    inputChannels,
    outputHeight: Math.floor((inputHeight + 2 * padding[0] - kernel[0]) / stride[0]) + 1,
    outputWidth: Math.floor((inputWidth + 2 * padding[1] - kernel[1]) / stride[1]) + 1,
    outputChannels: attributes.outputChannels,
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    strideHeight: stride[0],
    strideWidth: stride[1],
    paddingHeight: padding[0],
    paddingWidth: padding[1],
    groups: attributes.groups,
  };
}

function infer(node: Node<Conv2dAttributes>, inputs: readonly Shape[]): Shape {
  const { attributes } = node;
  const [input, residual] = inputs;
  if (input?.length !== 5 || input[4] !== attributes.inputChannels) {
    throw shapeError(node, inputs, `feature maps [T, B, H, W, ${attributes.inputChannels}]`);
  }
  const { outputHeight, outputWidth } = geometryOf(attributes, input);
  if (outputHeight < 1 || outputWidth < 1) {
    const { kernel, padding } = attributes;
    throw shapeError(
      node,
      inputs,
      `maps of at least ${kernel[0] - 2 * padding[0]}×${kernel[1] - 2 * padding[1]} for its ${kernel[0]}×${kernel[1]} kernel`,
    );
  }
  const output = [input[0]!, input[1]!, outputHeight, outputWidth, attributes.outputChannels];
  if (
    residual &&
    (residual.length !== 5 ||
      !output.every((size, axis) => residual[axis] === size || (axis === 0 && residual[0] === 1)))
  ) {
    throw shapeError(node, inputs, `a residual of the result's shape ${formatShape(output)}`);
  }
  return output;
}

function parameters(attributes: Conv2dAttributes): readonly LocalParameter[] {
  const { inputChannels, outputChannels, kernel, groups } = attributes;
  const fanIn = (inputChannels / groups) * kernel[0] * kernel[1];
  const initial = kaimingUniform(fanIn);
  const weight: LocalParameter = {
    name: 'weight',
    shape: [outputChannels, inputChannels / groups, kernel[0], kernel[1]],
    role: 'weight',
    initial,
  };
  return attributes.bias ? [weight, { name: 'bias', shape: [outputChannels], role: 'bias', initial }] : [weight];
}

function forward(kernels: Kernels, call: Call<Conv2dAttributes>): void {
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

export const conv2dOperator: Operator<Conv2dAttributes> = {
  name: 'conv2d',
  infer,
  kind: () => 'real',
  affine: { hasBias: ({ bias }) => bias, withBias: (attributes) => ({ ...attributes, bias: true }) },
  takesResidual: true,
  convolution: (attributes) => attributes,
  energy: {
    selectors: [0],
    layer: (attributes, [input]) => ({ kind: 'convolution', geometry: geometryOf(attributes, input!) }),
  },
  parameters,
  forward,
  toOnnx: (builder, { node, attributes, inputs, parameter }) => {
    const { inputChannels, outputChannels, kernel, stride, padding, groups, bias } = attributes;
    const shape = [outputChannels, inputChannels / groups, ...kernel];
    const weights = [builder.constant(`${node.parameterPrefix}.weight`, parameter('weight'), shape)];
    if (bias) weights.push(builder.constant(`${node.parameterPrefix}.bias`, parameter('bias'), [outputChannels]));
    const pads = [...padding, ...padding];
    const settings = { kernel_shape: kernel, strides: stride, pads, group: groups };
    return builder.node('Conv', node.name, [inputs[0]!, ...weights], settings)[0]!;
  },
  training: convolutionTraining(geometryOf),
  cost: (node, _inputs, output) => {
    const { inputChannels, kernel, groups } = node.attributes;
    return { multiplyAccumulates: elementCount(output) * (inputChannels / groups) * kernel[0] * kernel[1] };
  },
};

/** Appends a square convolution; `padding` is (kernel − 1)/2 unless given, `parameterPrefix` the node's name: nodes with one prefix share their parameters. */
export function conv2d(
  graph: GraphBuilder,
  name: string,
  input: string,
  options: {
    readonly inputChannels: number;
    readonly outputChannels: number;
    readonly kernel: number;
    readonly stride?: number;
    readonly padding?: number;
    readonly groups?: number;
    readonly bias?: boolean;
    readonly parameterPrefix?: string;
  },
): string {
  const padding = options.padding ?? (options.kernel - 1) >> 1;
  const stride = options.stride ?? 1;
  const attributes: Conv2dAttributes = {
    inputChannels: options.inputChannels,
    outputChannels: options.outputChannels,
    kernel: [options.kernel, options.kernel],
    stride: [stride, stride],
    padding: [padding, padding],
    groups: options.groups ?? 1,
    bias: options.bias ?? false,
  };
  const { parameterPrefix = name } = options;
  return graph.add({ name, operator: 'conv2d', attributes, inputs: [input], parameterPrefix });
}
