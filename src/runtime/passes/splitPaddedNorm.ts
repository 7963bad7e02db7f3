/** For training: RepConv's padded batch normalisation becomes a plain one and the border behind it, which is computed by other rules. */
import type { Node } from '../../graph/graph.js';
import { operatorOf } from '../../operators/registry.js';
import { type Pass, rewriteNodes } from './pass.js';

export const splitPaddedNorm: Pass = ({ graph, parameters }) => ({ graph: rewriteNodes(graph, split), parameters });

function split(node: Node): readonly Node[] {
  return operatorOf(node).normalisation?.withoutBorder(node) ?? [node];
}
