/**
 * A pass rewrites a network into another that computes the same with less. It sees the graph and the parameters and returns
 * both anew; it never changes what it was given. Tests prove for each pass that every spike stays what it was.
 */
import type { Graph, Node, Parameters } from '../../graph/graph.js';

export interface Network {
  readonly graph: Graph;
  readonly parameters: Parameters;
}

export type Pass = (network: Network) => Network;

/** A graph's nodes replaced one by one: `rewrite` returns what stands in a node's place (nothing, itself, several). */
export function rewriteNodes(graph: Graph, rewrite: (node: Node) => readonly Node[]): Graph {
  return { ...graph, nodes: graph.nodes.flatMap(rewrite) };
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

/** The values of a parameter; a pass only meets parameters that were compared with the graph before. */
export function parameterOf(parameters: Parameters, name: string): Float32Array {
  const values = parameters.get(name);
  if (!values) throw new Error(`parameter ${name} is missing`);
  return values;
}
