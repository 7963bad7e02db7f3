/**
 * Folds normalisation with fixed statistics into the layer before it, if that is affine: `w' = scale · w`, `b' = scale · b + shift`, computed in
 * float64 and rounded once. Of a form with a border (RepConv's) a `pad` node with the shift remains.
 */
import { consumersOf, type Graph, type Node, namedValues } from '../../graph/graph.js';
import { padNode } from '../../operators/pad.js';
import { operatorOf } from '../../operators/registry.js';
import { type Network, type Pass, parameterOf, renameValues, rewriteNodes } from './pass.js';

export const foldBatchNorm: Pass = (network) => {
  let current = network;
  // Two normalisations in a row (RepConv and the one outside it) fold one after the other.
  for (;;) {
    const folded = foldOnce(current);
    if (folded === current) return current;
    current = folded;
  }
};

function foldOnce(network: Network): Network {
  const pairs = foldablePairs(network.graph);
  if (pairs.size === 0) return network;
  const parameters = new Map(network.parameters);
  const renamed = new Map<string, string>();
  const graph = rewriteNodes(network.graph, (node) => {
    const normalisation = pairs.get(node.name);
    if (normalisation) {
      foldParameters(parameters, node, normalisation);
      const folded = { ...node, attributes: operatorOf(node).affine!.withBias(node.attributes) };
      if (borderOf(normalisation) === 0) renamed.set(normalisation.name, node.name);
      return [folded];
    }
    if (renamed.has(node.name)) return [];
    // A normalisation with a border whose layer took its scale and shift.
    return [pairs.get(node.inputs[0]!) === node ? padNode(node, borderOf(node)) : node];
  });
  return { graph: renameValues(graph, renamed), parameters };
}

/** Affine layers whose only reader is a normalisation: layer's name → normalisation. */
function foldablePairs(graph: Graph): ReadonlyMap<string, Node> {
  const consumers = consumersOf(graph);
  const named = namedValues(graph);
  const pairs = new Map<string, Node>();
  for (const node of graph.nodes) {
    const readers = consumers.get(node.name) ?? [];
    const [reader] = readers;
    if (!operatorOf(node).affine || node.inputs.length !== 1 || readers.length !== 1) continue;
    if (reader && operatorOf(reader).normalisation && !named.has(node.name)) pairs.set(node.name, reader);
  }
  return pairs;
}

function borderOf(node: Node): number {
  return operatorOf(node).border?.(node.attributes) ?? 0;
}

function foldParameters(parameters: Map<string, Float32Array>, node: Node, normalisation: Node): void {
  const { normalisation: traits, parameters: own } = operatorOf(normalisation);
  const read = (localName: string) => parameterOf(parameters, `${normalisation.parameterPrefix}.${localName}`);
  const { scale, shift } = traits!.affine(normalisation.attributes, read);
  const weight = parameterOf(parameters, `${node.parameterPrefix}.weight`);
  const hasBias = operatorOf(node).affine!.hasBias(node.attributes);
  const bias = hasBias ? parameterOf(parameters, `${node.parameterPrefix}.bias`) : undefined;
  const perOutput = weight.length / scale.length;
  const foldedWeight = new Float32Array(weight.length);
  for (const [output, factor] of scale.entries())
    for (let i = output * perOutput; i < (output + 1) * perOutput; i++) foldedWeight[i] = weight[i]! * factor;
  parameters.set(`${node.parameterPrefix}.weight`, foldedWeight);
  parameters.set(
    `${node.parameterPrefix}.bias`,
    Float32Array.from(shift, (s, c) => s + (bias ? bias[c]! * scale[c]! : 0)),
  );
  if (borderOf(normalisation) > 0) parameters.set(`${normalisation.name}.values`, Float32Array.from(shift));
  for (const { name, role } of own(normalisation.attributes))
    if (role !== 'batchCount') parameters.delete(`${normalisation.parameterPrefix}.${name}`);
}
