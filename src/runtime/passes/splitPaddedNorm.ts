/** For training: RepConv's padded batch normalisation becomes a plain one and the border behind it, which is computed by other rules. */
import type { Node } from '../../graph/graph.js';
import type { BatchNormAttributes } from '../../operators/batchNorm.js';
import { type Pass, rewriteNodes } from './pass.js';

export const splitPaddedNorm: Pass = ({ graph, parameters }) => ({ graph: rewriteNodes(graph, split), parameters });

function split(node: Node): readonly Node[] {
  const { padding, channels, epsilon } = node.attributes as BatchNormAttributes;
  if (node.operator !== 'batchNorm' || padding === 0) return [node];
  const plain = { ...node, name: `${node.name}.unpadded`, attributes: { ...node.attributes, padding: 0 } };
  return [
    plain,
    { ...node, operator: 'statisticsPad', attributes: { channels, epsilon, padding }, inputs: [plain.name] },
  ];
}
