/**
 * Computes what is the same at every time step once: with a still image, the values before the first neurons carry T = 1,
 * and the neurons (and sums with them) spread them over time. Only for still images: frames differ from step to step.
 * Behind a mean over time there is one step in the graph as it was, and neurons there spread nothing.
 */

import { operatorOf } from '../../operators/registry.js';
import { type Pass, renameValues, rewriteNodes } from './pass.js';

export const hoistTime: Pass = ({ graph, parameters }) => {
  const renamed = new Map<string, string>();
  /** Time steps of values in the graph as it was; of what no repetition reaches nothing is known. */
  const shownFor = new Map<string, number>();
  const hoisted = rewriteNodes(graph, (node) => {
    const { timeRepetition, neuron, meanOver, lendShape } = operatorOf(node);
    if (timeRepetition) {
      shownFor.set(node.name, timeRepetition.timeSteps(node.attributes));
      renamed.set(node.name, node.inputs[0]!);
      return [];
    }
    const read = node.inputs.filter((_, index) => !lendShape?.includes(index));
    const timeSteps = Math.max(0, ...read.map((value) => shownFor.get(value) ?? 0));
    if (timeSteps > 0 && meanOver !== 'time') shownFor.set(node.name, timeSteps);
    return [neuron && timeSteps > 0 ? { ...node, attributes: neuron.showFor(node.attributes, timeSteps) } : node];
  });
  return { graph: renameValues(hoisted, renamed), parameters };
};
