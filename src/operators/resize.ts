/**
 * Maps `[T, B, H, W, C]` of numbers in another height and width, as PyTorch's `interpolate` gives them: the nearest pixel, or bilinear with `align_corners=False`
 * (`engines/calls/resize.ts` has the formula). `resizeLike` takes height and width of another map, of which it reads nothing else; `resizeBy` a whole multiple of its
 * input's. Decoders use them; nothing is learned here. Bilinear resampling is linear but multiplies, so that it is no operation of spikes.
 */
import { type ResizeMode, resize as resample, resizeGradient } from '../engines/calls/resize.js';
import { GraphError } from '../graph/errors.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { elementCount, type Shape } from '../graph/shape.js';
import type { ToOnnx } from './onnxBuilder.js';
import { type Call, noCost, type Operator, shapeError, type TrainingRules } from './operator.js';

export type { ResizeMode } from '../engines/calls/resize.js';

export interface ResizeLikeAttributes extends Attributes {
  readonly mode: ResizeMode;
}

export interface ResizeByAttributes extends ResizeLikeAttributes {
  /** A whole number. */
  readonly factor: number;
}

/** Additions and multiplications go over four pixels for each that is made. */
const bilinearTaps = 4;

function sizesOf(
  { node, attributes }: Pick<Call<ResizeLikeAttributes>, 'node' | 'attributes'>,
  from: Shape,
  to: Shape,
) {
  const [timeSteps, batch, inputHeight, inputWidth, channels] = from as [number, number, number, number, number];
  return {
    name: node.name,
    images: timeSteps * batch,
    ...{ inputHeight, inputWidth, outputHeight: to[2]!, outputWidth: to[3]!, channels },
    mode: attributes.mode,
  };
}

function forward(
  kernels: Pick<Parameters<TrainingRules['forward']>[0], 'record'>,
  call: Pick<Call<ResizeLikeAttributes>, 'node' | 'attributes' | 'inputs' | 'output'>,
): void {
  const [input] = call.inputs;
  kernels.record(resample, { ...sizesOf(call, input!.shape, call.output.shape), input: input!, output: call.output });
}

const training: TrainingRules<ResizeLikeAttributes> = {
  needsInputs: [],
  accumulates: true,
  forward,
  backward: (kernels, call) => {
    const target = call.inputGradients[0];
    if (!target) return;
    const { outputGradient } = call;
    const sizes = sizesOf(call, target.tensor.shape, outputGradient.shape);
    const { tensor: inputGradient, accumulate } = target;
    kernels.record(resizeGradient, { ...sizes, outputGradient, inputGradient, accumulate });
  },
};

/** The file's sizes are those of its images; how many there are it need not say. */
const toOnnx: ToOnnx<ResizeLikeAttributes> = (builder, { node, attributes, inputs, outputShape }) => {
  const [, , height, width] = outputShape as [number, number, number, number];
  const start = builder.constant('resize.from', BigInt64Array.of(0n), [1]);
  const end = builder.constant('resize.to', BigInt64Array.of(2n), [1]);
  const found = builder.node('Shape', `${node.name}.shape`, [inputs[0]!])[0]!;
  const kept = builder.node('Slice', `${node.name}.kept`, [found, start, end])[0]!;
  const wanted = builder.constant(`${node.name}.wanted`, BigInt64Array.of(BigInt(height), BigInt(width)), [2]);
  const sizes = builder.node('Concat', `${node.name}.sizes`, [kept, wanted], { axis: 0 })[0]!;
  const settings =
    attributes.mode === 'bilinear'
      ? { mode: 'linear', coordinate_transformation_mode: 'half_pixel' }
      : { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  return builder.node('Resize', node.name, [inputs[0]!, '', '', sizes], settings)[0]!;
};

const common = {
  kind: () => 'real',
  parameters: () => [],
  forward,
  training,
  toOnnx,
  cost: ({ attributes }, _inputs, output) =>
    attributes.mode === 'bilinear' ? { multiplyAccumulates: bilinearTaps * elementCount(output) } : noCost,
} satisfies Partial<Operator<ResizeLikeAttributes>>;

export const resizeLikeOperator: Operator<ResizeLikeAttributes> = {
  ...common,
  name: 'resizeLike',
  lendShape: [1],
  infer: (node, inputs) => {
    const [input, like] = inputs;
    if (input?.length !== 5 || like?.length !== 5)
      throw shapeError(node, inputs, 'a map [T, B, H, W, C] and another one that lends its height and width');
    return [input[0]!, input[1]!, like[2]!, like[3]!, input[4]!];
  },
};

export const resizeByOperator: Operator<ResizeByAttributes> = {
  ...common,
  name: 'resizeBy',
  infer: (node, inputs) => {
    const [input] = inputs;
    if (input?.length !== 5) throw shapeError(node, inputs, 'feature maps [T, B, H, W, C]');
    const { factor } = node.attributes;
    return [input[0]!, input[1]!, factor * input[2]!, factor * input[3]!, input[4]!];
  },
};

/** @param like A map that lends its height and width. */
export function resizeLike(graph: GraphBuilder, name: string, input: string, like: string, mode: ResizeMode): string {
  const attributes: ResizeLikeAttributes = { mode };
  return graph.add({ name, operator: 'resizeLike', attributes, inputs: [input, like] });
}

/**
 * @param factor A whole number from 1.
 * @throws GraphError for any other.
 */
export function resizeBy(graph: GraphBuilder, name: string, input: string, factor: number, mode: ResizeMode): string {
  if (!Number.isSafeInteger(factor) || factor < 1)
    throw new GraphError(`node ${name} (resizeBy): factor ${factor}, expected a whole number from 1`);
  const attributes: ResizeByAttributes = { mode, factor };
  return graph.add({ name, operator: 'resizeBy', attributes, inputs: [input] });
}
