/**
 * Integrate-and-fire neurons, which do not leak: `h = v + x`, `s = [h ≥ θ]`, `v = (1 − s)·h`, `v = 0` before the first step (spikingjelly 0.0.0.0.12,
 * `MultiStepIFNode` with hard reset to 0). Otherwise as `lif.ts`.
 */
import { integrateAndFire as call, integrateAndFireGradient } from '../engines/calls/integrateAndFire.js';
import { integrateAndFireDynamics } from '../engines/neuronDynamics.js';
import type { GraphBuilder } from '../graph/graph.js';
import { noCost, type Operator } from './operator.js';
import {
  inferSpikingNeurons,
  neuronsWithState,
  type SpikingNeuronAttributes,
  spikingNeuronsCall,
  spikingNeuronsToOnnx,
} from './spikingNeurons.js';

export type IntegrateAndFireAttributes = SpikingNeuronAttributes;

export const integrateAndFireOperator: Operator<IntegrateAndFireAttributes> = {
  name: 'integrateAndFire',
  infer: inferSpikingNeurons,
  kind: () => 'binary',
  neuron: {
    dynamics: integrateAndFireDynamics,
    constants: ({ threshold }) => ({ tau: Number.POSITIVE_INFINITY, threshold }),
    ...neuronsWithState,
  },
  parameters: () => [],
  forward: (kernels, node) =>
    kernels.record(call, { ...spikingNeuronsCall(node), ...(node.membrane ? { membrane: node.membrane } : {}) }),
  toOnnx: (builder, node) =>
    // Before the first step h is x itself.
    spikingNeuronsToOnnx(builder, node, (suffix, v, x) =>
      v === undefined ? x : builder.node('Add', `${node.node.name}.charged${suffix}`, [v, x])[0]!,
    ),
  training: {
    needsInputs: [0],
    accumulates: true,
    forward: (kernels, node) => kernels.record(call, spikingNeuronsCall(node)),
    backward: (kernels, node) => {
      const { name, timeSteps, positions, channels, input, threshold } = spikingNeuronsCall(node);
      const { tensor: inputGradient, accumulate } = node.inputGradients[0]!;
      const { outputGradient, settings } = node;
      const sizes = { name, timeSteps, positions, channels };
      kernels.record(integrateAndFireGradient, {
        ...sizes,
        input,
        outputGradient,
        inputGradient,
        accumulate,
        threshold,
        ...settings,
      });
    },
  },
  cost: () => noCost,
};

export function integrateAndFire(
  graph: GraphBuilder,
  name: string,
  input: string,
  { threshold }: { readonly threshold: number },
): string {
  const attributes: IntegrateAndFireAttributes = { threshold, timeSteps: 0 };
  return graph.add({ name, operator: 'integrateAndFire', attributes, inputs: [input] });
}
