/**
 * Takes RepConv's border away where it is not merged. The border holds what the folded 1×1 makes of no spikes, its bias b, so the maps without the
 * bias have a border of zeros, which a convolution with padding has for nothing; the depthwise convolution d gives every
 * position its share of the bias, b · Σ d, instead. The same sum, without two sweeps over padded maps.
 */
import { findRepConvs } from './mergeRepConv.js';
import { type Pass, parameterOf } from './pass.js';

/** Runs after `foldBatchNorm` and `mergeRepConv`, before `fuseResidual`. */
export const absorbBorder: Pass = (network) => {
  const parameters = new Map(network.parameters);
  const replaced = new Map<string, (typeof network.graph.nodes)[number]>();
  const removed = new Set<string>();
  for (const { pointwise1, pad, depthwise, channels } of findRepConvs(network.graph)) {
    const bias = parameterOf(network.parameters, `${pointwise1.parameterPrefix}.bias`);
    const taps = parameterOf(network.parameters, `${depthwise.parameterPrefix}.weight`);
    const values = parameterOf(network.parameters, `${pad.parameterPrefix}.values`);
    // Holds by construction of the fold; another border could not be absorbed.
    if (!values.every((value, channel) => value === bias[channel])) continue;
    const perChannel = taps.length / channels;
    const absorbed = Float32Array.from({ length: channels }, (_, channel) => {
      let sum = 0;
      for (let tap = channel * perChannel; tap < (channel + 1) * perChannel; tap++) sum += taps[tap]!;
      return bias[channel]! * sum;
    });
    parameters.delete(`${pointwise1.parameterPrefix}.bias`);
    parameters.delete(`${pad.parameterPrefix}.values`);
    parameters.set(`${depthwise.parameterPrefix}.bias`, absorbed);
    removed.add(pad.name);
    replaced.set(pointwise1.name, { ...pointwise1, attributes: { ...pointwise1.attributes, bias: false } });
    replaced.set(depthwise.name, {
      ...depthwise,
      inputs: [pointwise1.name],
      attributes: { ...depthwise.attributes, padding: [1, 1], bias: true },
    });
  }
  const nodes = network.graph.nodes
    .filter((node) => !removed.has(node.name))
    .map((node) => replaced.get(node.name) ?? node);
  return { graph: { ...network.graph, nodes }, parameters };
};
