/**
 * Transposed convolution whose windows do not overlap, PyTorch's `ConvTranspose2d` with kernel 2 and stride 2: every pixel becomes a block of 2 × 2, each of its four pixels
 * by weights of its own, `output[2y + k, 2x + l, o] = bias[o] + Σᵢ input[y, x, i] · weight[i, o, k, l]`. That is a pointwise convolution with four times the channels, which is
 * this operator (spikes or numbers in; engines have nothing else to know), and `depthToSpace` behind it.
 */
import { swapAxes } from '../engines/calls/swapAxes.js';
import { type ConvolutionGeometry, type Tensor, tensorAlignment } from '../engines/kernels.js';
import type { TrainingKernels } from '../engines/trainingKernels.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { elementCount, type Shape } from '../graph/shape.js';
import { depthToSpace } from './depthToSpace.js';
import {
  type BackwardCall,
  kaimingUniform,
  type LocalParameter,
  type Operator,
  shapeError,
  type TrainingCall,
} from './operator.js';

export interface TransposedConvolutionAttributes extends Attributes {
  readonly inputChannels: number;
  readonly outputChannels: number;
}

type A = TransposedConvolutionAttributes;

const block = 2;
/** Pixels of a block. */
const places = block * block;

function geometryOf({ inputChannels, outputChannels }: A, input: Shape): ConvolutionGeometry {
  const [timeSteps, batch, height, width] = input as [number, number, number, number];
  return {
    ...{ images: timeSteps * batch, inputHeight: height, inputWidth: width, inputChannels },
    ...{ outputHeight: height, outputWidth: width, outputChannels: places * outputChannels },
    ...{ kernelHeight: 1, kernelWidth: 1, strideHeight: 1, strideWidth: 1, paddingHeight: 0, paddingWidth: 0 },
    groups: 1,
  };
}

/** Engines pack weights once by array: the same parameters have to be the same arrays. */
const arranged = new WeakMap<Float32Array, Float32Array>();

/** `[I, O, 2, 2]` as the weight of a pointwise convolution, `[(k, l, o), i]`. */
function pointwiseWeight({ inputChannels, outputChannels }: A, weight: Float32Array): Float32Array {
  const known = arranged.get(weight);
  if (known) return known;
  const result = new Float32Array(weight.length);
  for (let i = 0; i < inputChannels; i++)
    for (let o = 0; o < outputChannels; o++)
      for (let place = 0; place < places; place++)
        result[(place * outputChannels + o) * inputChannels + i] = weight[(i * outputChannels + o) * places + place]!;
  arranged.set(weight, result);
  return result;
}

/** `[O]` for each of the four pixels. */
function pointwiseBias(bias: Float32Array): Float32Array {
  const known = arranged.get(bias);
  if (known) return known;
  const result = Float32Array.from({ length: places * bias.length }, (_, i) => bias[i % bias.length]!);
  arranged.set(bias, result);
  return result;
}

/** A tensor of the call's own. */
function room(kernels: TrainingKernels, shape: Shape): Tensor {
  const bytes = Math.ceil((4 * elementCount(shape)) / tensorAlignment) * tensorAlignment;
  return { shape, storage: 'real', block: kernels.allocate(bytes), byteOffset: 0 };
}

/** `[I, O·4] → [O·4, I]`, and then `[O, 4, I] → [4, O, I]`. */
function arrange(kernels: TrainingKernels, { node, attributes, parameter }: TrainingCall<A>): Tensor {
  const { inputChannels, outputChannels } = attributes;
  const [turned, result] = [0, 1].map(() => room(kernels, [places * outputChannels, inputChannels])) as [
    Tensor,
    Tensor,
  ];
  const { name } = node;
  const whole = { outer: 1, first: inputChannels, second: places * outputChannels, inner: 1 };
  kernels.record(swapAxes, { name, ...whole, input: parameter('weight'), output: turned });
  const rows = { outer: 1, first: outputChannels, second: places, inner: inputChannels };
  kernels.record(swapAxes, { name, ...rows, input: turned, output: result });
  return result;
}

/** The way back, with what is there added up. */
function addArranged(kernels: TrainingKernels, call: BackwardCall<A>, weightGradient: Tensor, biasGradient: Tensor) {
  const { name } = call.node;
  const { inputChannels, outputChannels } = call.attributes;
  const [turned, back] = [0, 1].map(() => room(kernels, weightGradient.shape)) as [Tensor, Tensor];
  const rows = { outer: 1, first: places, second: outputChannels, inner: inputChannels };
  kernels.record(swapAxes, { name, ...rows, input: weightGradient, output: turned });
  const whole = { outer: 1, first: places * outputChannels, second: inputChannels, inner: 1 };
  kernels.record(swapAxes, { name, ...whole, input: turned, output: back });
  const weights = call.parameterGradient('weight');
  kernels.add({ name, a: weights, b: back, output: weights });
  const sum = room(kernels, [outputChannels]);
  kernels.timeMean({ name, timeSteps: places, elements: outputChannels, input: biasGradient, output: sum });
  // Four times the mean of four: no bit is lost.
  const [scale, shift] = [new Float32Array(outputChannels).fill(places), new Float32Array(outputChannels)];
  kernels.scaleShift({ name, rows: 1, channels: outputChannels, input: sum, output: sum, scale, shift });
  const biases = call.parameterGradient('bias');
  kernels.add({ name, a: biases, b: sum, output: biases });
}

function parameters({ inputChannels, outputChannels }: A): readonly LocalParameter[] {
  // PyTorch takes the second axis of the weight for the inputs that meet in a number.
  const initial = kaimingUniform(outputChannels * places);
  return [
    { name: 'weight', shape: [inputChannels, outputChannels, block, block], role: 'weight', initial },
    { name: 'bias', shape: [outputChannels], role: 'bias', initial },
  ];
}

export const transposedConvolutionOperator: Operator<A> = {
  name: 'transposedConvolution',
  infer: (node, inputs) => {
    const { inputChannels, outputChannels } = node.attributes;
    const input = inputs[0]!;
    if (input.length !== 5 || input[4] !== inputChannels)
      throw shapeError(node, inputs, `feature maps [T, B, H, W, ${inputChannels}]`);
    return [...input.slice(0, 4), places * outputChannels];
  },
  kind: () => 'real',
  parameters,
  forward: (kernels, { node, attributes, inputs, output, parameter, firingRate }) => {
    const input = inputs[0]!;
    kernels.convolution({
      name: node.name,
      geometry: geometryOf(attributes, input.shape),
      ...{ input, output },
      weight: pointwiseWeight(attributes, parameter('weight')),
      bias: pointwiseBias(parameter('bias')),
      ...(firingRate === undefined ? {} : { firingRate }),
    });
  },
  training: {
    needsInputs: [0],
    accumulates: true,
    forward: (kernels, call) => {
      const { node, attributes, output } = call;
      const input = call.inputs[0]!;
      const bias = room(kernels, [places * attributes.outputChannels]);
      kernels.repeat({ name: node.name, times: places, input: call.parameter('bias'), output: bias });
      const weight = arrange(kernels, call);
      kernels.convolution({
        name: node.name,
        geometry: geometryOf(attributes, input.shape),
        input,
        output,
        weight,
        bias,
      });
    },
    backward: (kernels, call) => {
      const { attributes, outputGradient } = call;
      const { name } = call.node;
      const input = call.inputs[0]!;
      const geometry = geometryOf(attributes, input.shape);
      const weightGradient = room(kernels, [places * attributes.outputChannels, attributes.inputChannels]);
      const biasGradient = room(kernels, [places * attributes.outputChannels]);
      kernels.zero(weightGradient);
      kernels.zero(biasGradient);
      kernels.convolutionWeightGradient({ name, geometry, input, outputGradient, weightGradient, biasGradient });
      addArranged(kernels, call, weightGradient, biasGradient);
      const target = call.inputGradients[0];
      if (!target) return;
      const weight = arrange(kernels, call);
      const { tensor: inputGradient, accumulate } = target;
      kernels.convolutionInputGradient({ name, geometry, weight, outputGradient, inputGradient, accumulate });
    },
  },
  cost: ({ attributes: { inputChannels } }, _inputs, output) => ({
    multiplyAccumulates: elementCount(output) * inputChannels,
  }),
  energy: {
    selectors: [0],
    layer: (attributes, [input]) => ({ kind: 'convolution', geometry: geometryOf(attributes, input!) }),
  },
  toOnnx: (builder, { node, attributes, inputs, parameter }) => {
    const { inputChannels, outputChannels } = attributes;
    const weight = pointwiseWeight(attributes, parameter('weight'));
    const names = [
      builder.constant(`${node.parameterPrefix}.weight`, weight, [places * outputChannels, inputChannels, 1, 1]),
      builder.constant(`${node.parameterPrefix}.bias`, pointwiseBias(parameter('bias')), [places * outputChannels]),
    ];
    return builder.node('Conv', node.name, [inputs[0]!, ...names], { kernel_shape: [1, 1] })[0]!;
  },
};

/**
 * Doubles height and width. Parameters are `name.weight`, `[I, O, 2, 2]`, and `name.bias`, `[O]`, as PyTorch stores them.
 *
 * @returns the map `[T, B, 2·H, 2·W, O]`, a value called `name`.
 */
export function transposedConvolution(
  graph: GraphBuilder,
  name: string,
  input: string,
  options: { readonly inputChannels: number; readonly outputChannels: number },
): string {
  const attributes: TransposedConvolutionAttributes = { ...options };
  const product = { name: `${name}.product`, operator: 'transposedConvolution', parameterPrefix: name };
  return depthToSpace(graph, name, graph.add({ ...product, attributes, inputs: [input] }), block);
}
