/**
 * Computes what is the same at every time step once: with a still image, the values before the first neurons carry T = 1,
 * and the neurons (and sums with them) spread them over time. Only for still images: frames differ from step to step.
 */

import { renameValues } from './foldBatchNorm.js';
import { type Pass, rewriteNodes } from './pass.js';

export const hoistTime: Pass = ({ graph, parameters }) => {
  const renamed = new Map<string, string>();
  let timeSteps = 0;
  const hoisted = rewriteNodes(graph, (node) => {
    if (node.operator === 'repeatTime') {
      timeSteps = node.attributes.timeSteps as number;
      renamed.set(node.name, node.inputs[0]!);
      return [];
    }
    if (node.operator === 'lif' && timeSteps > 0) return [{ ...node, attributes: { ...node.attributes, timeSteps } }];
    return [node];
  });
  return { graph: renameValues(hoisted, renamed), parameters };
};
