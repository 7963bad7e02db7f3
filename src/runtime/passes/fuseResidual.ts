/**
 * Lets a layer that takes a residual add it itself, as it writes its result: one sweep over memory less per block.
 * The sum is the same sum of two float32 numbers.
 */
import { consumersOf, type Graph, type Node, namedValues } from '../../graph/graph.js';
import { operatorOf } from '../../operators/registry.js';
import { type Pass, renameValues } from './pass.js';

interface Fusion {
  /** The layer that will add, and the view between it and the sum, if there is one. */
  readonly layer: Node;
  readonly view: Node | undefined;
  readonly sum: Node;
  readonly residual: string;
}

export const fuseResidual: Pass = ({ graph, parameters }) => {
  const fusions = findFusions(graph);
  const byLayer = new Map(fusions.map((fusion) => [fusion.layer.name, fusion]));
  const sums = new Set(fusions.map((fusion) => fusion.sum.name));
  const renamed = new Map<string, string>();
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const fusion = byLayer.get(node.name);
    if (fusion) nodes.push(...fusedNodes(fusion));
    else if (!sums.has(node.name)) nodes.push(node);
  }
  for (const { layer, view, sum } of fusions) renamed.set(sum.name, (view ?? layer).name);
  return { graph: renameValues({ ...graph, nodes }, renamed), parameters };
};

/** The layer with its second input; behind a view (tokens as a map) the residual is viewed the other way. */
function fusedNodes({ layer, view, residual }: Fusion): readonly Node[] {
  if (!view) return [{ ...layer, inputs: [layer.inputs[0]!, residual] }];
  const tokens: Node = {
    name: `${layer.name}.residualTokens`,
    operator: operatorOf(view).viewedBackBy!,
    attributes: {},
    inputs: [residual],
    parameterPrefix: `${layer.name}.residualTokens`,
  };
  return [tokens, { ...layer, inputs: [layer.inputs[0]!, tokens.name] }];
}

function findFusions(graph: Graph): readonly Fusion[] {
  const consumers = consumersOf(graph);
  const named = namedValues(graph);
  const order = new Map(graph.nodes.map((node, index) => [node.name, index]));
  const onlyReader = (node: Node): Node | undefined => {
    const readers = consumers.get(node.name) ?? [];
    return readers.length === 1 && !named.has(node.name) ? readers[0] : undefined;
  };
  const shownOnce = valuesShownOnce(graph);
  const fusions: Fusion[] = [];
  const taken = new Set<string>();
  for (const layer of graph.nodes) {
    if (!operatorOf(layer).takesResidual || layer.inputs.length !== 1) continue;
    const reader = onlyReader(layer);
    const isView = reader && operatorOf(reader).viewedBackBy !== undefined && reader.inputs[0] === layer.name;
    const view = isView ? reader : undefined;
    const sum = view ? onlyReader(view) : reader;
    if (!sum || !operatorOf(sum).isSum || taken.has(sum.name)) continue;
    const residual = sum.inputs.find((value) => value !== (view ?? layer).name);
    // The residual must exist before the layer runs.
    if (residual === undefined || (order.get(residual) ?? -1) > order.get(layer.name)!) continue;
    // A layer that runs once for all time steps cannot add what differs between them.
    if (shownOnce.has(layer.name) && !shownOnce.has(residual)) continue;
    taken.add(sum.name);
    fusions.push({ layer, view, sum, residual });
  }
  return fusions;
}

/** What is computed from the input before neurons spread it over time; where nothing spreads it, everything. */
function valuesShownOnce({ input, nodes }: Graph): ReadonlySet<string> {
  const values = new Set([input]);
  for (const { name, inputs, attributes } of nodes) {
    const spreads = typeof attributes.timeSteps === 'number' && attributes.timeSteps > 1;
    if (!spreads && inputs.every((value) => values.has(value))) values.add(name);
  }
  return values;
}
