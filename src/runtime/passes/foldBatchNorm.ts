/**
 * Folds batch normalisation with fixed statistics into the convolution or linear layer before it: `w' = scale · w`,
 * `b' = scale · b + shift`, computed in float64 and rounded once. Of RepConv's padded form a `pad` node with the shift remains.
 */
import { consumersOf, type Graph, type Node, namedValues } from '../../graph/graph.js';
import { affineOf, type BatchNormAttributes } from '../../operators/batchNorm.js';
import { type Network, type Pass, parameterOf, rewriteNodes } from './pass.js';

const foldable = new Set(['conv2d', 'linear']);

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
      const folded = { ...node, attributes: { ...node.attributes, bias: true } };
      if (normalisation.attributes.padding === 0) renamed.set(normalisation.name, node.name);
      return [folded];
    }
    if (renamed.has(node.name)) return [];
    return [pairedPadding(pairs, node) ?? node];
  });
  return { graph: renameValues(graph, renamed), parameters };
}

/** Convolutions whose only reader is a batch normalisation: convolution's name → normalisation. */
function foldablePairs(graph: Graph): ReadonlyMap<string, Node> {
  const consumers = consumersOf(graph);
  const named = namedValues(graph);
  const pairs = new Map<string, Node>();
  for (const node of graph.nodes) {
    const readers = consumers.get(node.name) ?? [];
    const reader = readers[0];
    const fits =
      foldable.has(node.operator) &&
      node.inputs.length === 1 &&
      readers.length === 1 &&
      reader?.operator === 'batchNorm';
    if (fits && !named.has(node.name)) pairs.set(node.name, reader);
  }
  return pairs;
}

/** The `pad` node that a padded normalisation becomes when its convolution took its scale and shift. */
function pairedPadding(pairs: ReadonlyMap<string, Node>, node: Node): Node | undefined {
  if (node.operator !== 'batchNorm' || pairs.get(node.inputs[0]!) !== node) return undefined;
  const { channels, padding } = node.attributes as BatchNormAttributes;
  return { ...node, operator: 'pad', attributes: { channels, padding }, parameterPrefix: node.name };
}

function foldParameters(parameters: Map<string, Float32Array>, node: Node, normalisation: Node): void {
  const read = (localName: string) => parameterOf(parameters, `${normalisation.parameterPrefix}.${localName}`);
  const { epsilon, padding } = normalisation.attributes as BatchNormAttributes;
  const { scale, shift } = affineOf(read, epsilon);
  const weight = parameterOf(parameters, `${node.parameterPrefix}.weight`);
  const bias = node.attributes.bias ? parameterOf(parameters, `${node.parameterPrefix}.bias`) : undefined;
  const perOutput = weight.length / scale.length;
  const foldedWeight = new Float32Array(weight.length);
  for (const [output, factor] of scale.entries())
    for (let i = output * perOutput; i < (output + 1) * perOutput; i++) foldedWeight[i] = weight[i]! * factor;
  parameters.set(`${node.parameterPrefix}.weight`, foldedWeight);
  parameters.set(
    `${node.parameterPrefix}.bias`,
    Float32Array.from(shift, (s, c) => s + (bias ? bias[c]! * scale[c]! : 0)),
  );
  if (padding > 0) parameters.set(`${normalisation.name}.values`, Float32Array.from(shift));
  for (const local of ['weight', 'bias', 'running_mean', 'running_var']) {
    parameters.delete(`${normalisation.parameterPrefix}.${local}`);
  }
}

/** Every reader of a removed value reads its replacement instead. */
export function renameValues(graph: Graph, renamed: ReadonlyMap<string, string>): Graph {
  const name = (value: string): string => {
    let current = value;
    for (let next = renamed.get(current); next !== undefined; next = renamed.get(current)) current = next;
    return current;
  };
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(name) })),
    outputs: new Map([...graph.outputs].map(([key, output]) => [key, { ...output, value: name(output.value) }])),
    stages: new Map([...graph.stages].map(([key, value]) => [key, name(value)])),
  };
}
