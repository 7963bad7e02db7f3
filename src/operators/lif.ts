/**
 * Leaky integrate-and-fire neurons, the only operator that knows of time and the only one that makes spikes:
 * `h = v + (x − v)/τ`, `s = [h ≥ θ]`, `v = (1 − s)·h`, `v = 0` before the first step (spikingjelly 0.0.0.0.12,
 * `MultiStepLIFNode` with `decay_input` and hard reset to 0). A value that is the same at every time step comes with T = 1
 * and `timeSteps` says for how long it is shown.
 */
import type { LeakyIntegrateAndFireCall } from '../engines/kernels.js';
import { leakyIntegrateAndFireDynamics } from '../engines/neuronDynamics.js';
import type { GraphBuilder } from '../graph/graph.js';
import { onnxScalar } from './onnxBuilder.js';
import { type Call, noCost, type Operator, type TrainingCall, type TrainingRules } from './operator.js';
import {
  inferSpikingNeurons,
  neuronsWithState,
  type SpikingNeuronAttributes,
  spikingNeuronsCall,
  spikingNeuronsToOnnx,
} from './spikingNeurons.js';

export interface LifAttributes extends SpikingNeuronAttributes {
  /** τ in time steps: the share 1/τ of the input flows in, the share 1 − 1/τ of the membrane stays. */
  readonly tau: number;
}

function neuronCall(
  call: Pick<Call<LifAttributes>, 'node' | 'attributes' | 'inputs' | 'output'>,
): LeakyIntegrateAndFireCall {
  return { ...spikingNeuronsCall(call), tau: call.attributes.tau };
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
  infer: inferSpikingNeurons,
  kind: () => 'binary',
  neuron: {
    dynamics: leakyIntegrateAndFireDynamics,
    constants: ({ tau, threshold }) => ({ tau, threshold }),
    ...neuronsWithState,
  },
  parameters: () => [],
  forward: (kernels, call) =>
    kernels.leakyIntegrateAndFire({
      ...neuronCall(call),
      ...(call.membrane ? { membrane: call.membrane } : {}),
      isOnlyReader: call.isOnlyReader === true,
    }),
  toOnnx: (builder, call) => {
    const { tau } = call.attributes;
    // A product by the reciprocal equals the quotient bit for bit only for powers of two.
    const exact = Number.isInteger(Math.log2(tau));
    const flow = (step: string, value: string) =>
      builder.node(exact ? 'Mul' : 'Div', step, [value, onnxScalar(builder, exact ? 1 / tau : tau)])[0]!;
    const { name } = call.node;
    return spikingNeuronsToOnnx(builder, call, (suffix, v, x) => {
      if (v === undefined) return flow(`${name}.charged${suffix}`, x);
      const difference = builder.node('Sub', `${name}.difference${suffix}`, [x, v])[0]!;
      const inflow = flow(`${name}.inflow${suffix}`, difference);
      return builder.node('Add', `${name}.charged${suffix}`, [v, inflow])[0]!;
    });
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
