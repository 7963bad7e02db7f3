/** What operators of spiking neurons with a membrane have in common, whatever charges it: shape rule, sizes of their calls, ONNX with time unrolled. */
import type { Attributes, Node } from '../graph/graph.js';
import { channelsOf, elementCount, type Shape } from '../graph/shape.js';
import { type OnnxBuilder, type OnnxCall, onnxScalar } from './onnxBuilder.js';
import { type Call, shapeError } from './operator.js';

/** `TensorProto.DataType.FLOAT`. */
const onnxFloat = 1;

export interface SpikingNeuronAttributes extends Attributes {
  /** θ, in units of the input. */
  readonly threshold: number;
  /** Time steps for an input with T = 1; 0: as long as the input. */
  readonly timeSteps: number;
}

/** The part of their `neuron` trait that follows from `timeSteps`. */
export const neuronsWithState = {
  hasState: true,
  shownFor: ({ timeSteps }: SpikingNeuronAttributes): number => Math.max(1, timeSteps),
  showFor: <A extends SpikingNeuronAttributes>(attributes: A, timeSteps: number): A => ({ ...attributes, timeSteps }),
} as const;

export function inferSpikingNeurons(node: Node<SpikingNeuronAttributes>, inputs: readonly Shape[]): Shape {
  const input = inputs[0]!;
  const { timeSteps } = node.attributes;
  if (input.length < 3) throw shapeError(node, inputs, 'a value with time in front, [T, B, …, C]');
  if (timeSteps === 0 || timeSteps === input[0]) return input;
  if (input[0] !== 1) throw shapeError(node, inputs, `T = ${timeSteps}, or T = 1 to be shown ${timeSteps} times`);
  return [timeSteps, ...input.slice(1)];
}

export function spikingNeuronsCall(
  call: Pick<Call<SpikingNeuronAttributes>, 'node' | 'attributes' | 'inputs' | 'output'>,
) {
  const input = call.inputs[0]!;
  const { output } = call;
  const timeSteps = output.shape[0]!;
  const channels = channelsOf(output.shape);
  return {
    name: call.node.name,
    timeSteps,
    positions: elementCount(output.shape) / channels / timeSteps,
    channels,
    input,
    inputTimeSteps: input.shape[0]!,
    output,
    threshold: call.attributes.threshold,
  };
}

/**
 * All time steps, one after the other, with hard reset to 0.
 *
 * @param charge Writes h from v, which is undefined where it is 0, and x; values of the step are named with the suffix.
 */
export function spikingNeuronsToOnnx<A extends SpikingNeuronAttributes>(
  builder: OnnxBuilder,
  { node, attributes, inputs, inputShapes, outputShape, membrane }: OnnxCall<A>,
  charge: (suffix: string, v: string | undefined, x: string) => string,
): string {
  const timeSteps = outputShape[0]!;
  const { name } = node;
  const once = inputShapes[0]![0] === 1;
  const parts = once ? inputs : builder.node('Split', `${name}.steps`, inputs, { axis: 0 }, timeSteps);
  const spikes: string[] = [];
  let v = membrane?.before;
  for (let t = 0; t < timeSteps; t++) {
    const suffix = timeSteps > 1 ? `.${t}` : '';
    const h = charge(suffix, v, parts[once ? 0 : t]!);
    const threshold = onnxScalar(builder, attributes.threshold);
    const fires = builder.node('GreaterOrEqual', `${name}.fires${suffix}`, [h, threshold])[0]!;
    const last = t === timeSteps - 1;
    const spike = timeSteps === 1 ? name : `${name}.spikes${suffix}`;
    spikes.push(builder.node('Cast', spike, [fires], { to: onnxFloat })[0]!);
    if (last && !membrane) break;
    const after = last ? membrane!.after : `${name}.reset${suffix}`;
    v = builder.node('Where', after, [fires, onnxScalar(builder, 0), h])[0]!;
  }
  return timeSteps === 1 ? spikes[0]! : builder.node('Concat', name, spikes, { axis: 0 })[0]!;
}
