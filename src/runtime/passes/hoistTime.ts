/**
 * Computes what is the same at every time step once: with a still image, the values before the first neurons carry T = 1,
 * and the neurons (and sums with them) spread them over time. Only for still images: frames differ from step to step.
 */

import { operatorOf } from '../../operators/registry.js';
import { type Pass, renameValues, rewriteNodes } from './pass.js';

export const hoistTime: Pass = ({ graph, parameters }) => {
  const renamed = new Map<string, string>();
  let timeSteps = 0;
  // Behind a mean over time there is one step, whatever comes.
  const behindMean = new Set<string>();
  const hoisted = rewriteNodes(graph, (node) => {
    const { timeRepetition, neuron, meanOver } = operatorOf(node);
    const isBehind = meanOver === 'time' || node.inputs.some((input) => behindMean.has(input));
    if (isBehind) behindMean.add(node.name);
    if (timeRepetition) {
      timeSteps = timeRepetition.timeSteps(node.attributes);
      renamed.set(node.name, node.inputs[0]!);
      return [];
    }
    return [
      neuron && timeSteps > 0 && !isBehind ? { ...node, attributes: neuron.showFor(node.attributes, timeSteps) } : node,
    ];
  });
  return { graph: renameValues(hoisted, renamed), parameters };
};
