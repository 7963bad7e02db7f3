/**
 * Leaky integrate-and-fire neurons, the only operator that knows of time and the only one that makes spikes:
 * `h = v + (x − v)/τ`, `s = [h ≥ θ]`, `v = (1 − s)·h`, `v = 0` before the first step (spikingjelly 0.0.0.0.12,
 * `MultiStepLIFNode` with `decay_input` and hard reset to 0). A value that is the same at every time step comes with T = 1
 * and `timeSteps` says for how long it is shown.
 */
import type { LeakyIntegrateAndFireCall } from '../engines/kernels.js';
import { leakyIntegrateAndFireDynamics } from '../engines/neuronDynamics.js';
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { channelsOf, elementCount } from '../graph/shape.js';
import { onnxScalar } from './onnxBuilder.js';
import { type Call, noCost, type Operator, shapeError, type TrainingCall, type TrainingRules } from './operator.js';

/** `TensorProto.DataType.FLOAT`. */
const onnxFloat = 1;

export interface LifAttributes extends Attributes {
  /** τ in time steps: the share 1/τ of the input flows in, the share 1 − 1/τ of the membrane stays. */
  readonly tau: number;
  /** θ, in units of the input. */
  readonly threshold: number;
  /** Time steps for an input with T = 1; 0: as long as the input. */
  readonly timeSteps: number;
}

function neuronCall(
  call: Pick<Call<LifAttributes>, 'node' | 'attributes' | 'inputs' | 'output'>,
): LeakyIntegrateAndFireCall {
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
    tau: call.attributes.tau,
    threshold: call.attributes.threshold,
  };
}

function normalisationOf({ normalisation }: TrainingCall<LifAttributes>) {
  return normalisation ? { normalisation } : {};
}

const training: TrainingRules<LifAttributes> = {
  needsInputs: [0],
  normalises: true,
  accumulates: true,
  forward: (kernels, call) => kernels.leakyIntegrateAndFire({ ...neuronCall(call), ...normalisationOf(call) }),
  backward: (kernels, call) => {
    const { name, timeSteps, positions, channels, input, tau, threshold } = neuronCall(call);
    const { tensor: inputGradient, accumulate } = call.inputGradients[0]!;
    kernels.leakyIntegrateAndFireGradient({
      name,
      timeSteps,
      positions,
      channels,
      input,
      outputGradient: call.outputGradient,
      inputGradient,
      accumulate,
      tau,
      threshold,
      ...call.settings,
      ...normalisationOf(call),
    });
  },
};

export const lifOperator: Operator<LifAttributes> = {
  name: 'lif',
  infer: (node, inputs) => {
    const input = inputs[0]!;
    const { timeSteps } = node.attributes;
    if (input.length < 3) throw shapeError(node, inputs, 'a value with time in front, [T, B, …, C]');
    if (timeSteps === 0 || timeSteps === input[0]) return input;
    if (input[0] !== 1) throw shapeError(node, inputs, `T = ${timeSteps}, or T = 1 to be shown ${timeSteps} times`);
    return [timeSteps, ...input.slice(1)];
  },
  kind: () => 'binary',
  neuron: {
    dynamics: leakyIntegrateAndFireDynamics,
    constants: ({ tau, threshold }) => ({ tau, threshold }),
    hasState: true,
    shownFor: ({ timeSteps }) => Math.max(1, timeSteps),
    showFor: (attributes, timeSteps) => ({ ...attributes, timeSteps }),
  },
  parameters: () => [],
  forward: (kernels, call) =>
    kernels.leakyIntegrateAndFire({
      ...neuronCall(call),
      ...(call.membrane ? { membrane: call.membrane } : {}),
      isOnlyReader: call.isOnlyReader === true,
    }),
  toOnnx: (builder, { node, attributes, inputs, inputShapes, outputShape, membrane }) => {
    const { tau, threshold } = attributes;
    const timeSteps = outputShape[0]!;
    const { name } = node;
    const once = inputShapes[0]![0] === 1;
    const parts = once ? inputs : builder.node('Split', `${name}.steps`, inputs, { axis: 0 }, timeSteps);
    // A product by the reciprocal equals the quotient bit for bit only for powers of two.
    const exact = Number.isInteger(Math.log2(tau));
    const charge = (step: string, value: string) =>
      builder.node(exact ? 'Mul' : 'Div', step, [value, onnxScalar(builder, exact ? 1 / tau : tau)])[0]!;
    const spikes: string[] = [];
    let v = membrane?.before;
    for (let t = 0; t < timeSteps; t++) {
      const suffix = timeSteps > 1 ? `.${t}` : '';
      const x = parts[once ? 0 : t]!;
      let h: string;
      if (v === undefined) h = charge(`${name}.charged${suffix}`, x);
      else {
        const inflow = charge(
          `${name}.inflow${suffix}`,
          builder.node('Sub', `${name}.difference${suffix}`, [x, v])[0]!,
        );
        h = builder.node('Add', `${name}.charged${suffix}`, [v, inflow])[0]!;
      }
      const fires = builder.node('GreaterOrEqual', `${name}.fires${suffix}`, [h, onnxScalar(builder, threshold)])[0]!;
      const last = t === timeSteps - 1;
      const spike = timeSteps === 1 ? name : `${name}.spikes${suffix}`;
      spikes.push(builder.node('Cast', spike, [fires], { to: onnxFloat })[0]!);
      if (last && !membrane) break;
      const after = last ? membrane!.after : `${name}.reset${suffix}`;
      v = builder.node('Where', after, [fires, onnxScalar(builder, 0), h])[0]!;
    }
    return timeSteps === 1 ? spikes[0]! : builder.node('Concat', name, spikes, { axis: 0 })[0]!;
  },
  training,
  cost: () => noCost,
};

export function lif(
  graph: GraphBuilder,
  name: string,
  input: string,
  options: { readonly tau: number; readonly threshold: number },
): string {
  return graph.add({ name, operator: 'lif', attributes: { ...options, timeSteps: 0 }, inputs: [input] });
}
