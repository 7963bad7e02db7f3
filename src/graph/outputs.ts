/** How a reader asks for a graph's outputs by name, and the graph that is left when only some of them are wanted. */
import { GraphError } from './errors.js';
import { type Graph, type GraphOutput, type Node, outputValues } from './graph.js';

/** The output that a classifier answers with, whatever other outputs it has. */
export const logitsOutput = 'logits';

/** @throws GraphError when the graph has no output of that name. */
export function outputOf(graph: Pick<Graph, 'name' | 'outputs'>, name: string): GraphOutput {
  const output = graph.outputs.get(name);
  if (output) return output;
  const known = [...graph.outputs.keys()].join(', ') || 'none';
  throw new GraphError(`graph ${graph.name}: it has no output ${name}; its outputs are ${known}`);
}

/**
 * The graph with these outputs alone: nodes that only others needed are gone.
 *
 * @throws GraphError when the graph has no output of one of the names.
 */
export function withOutputs(graph: Graph, names: readonly string[]): Graph {
  return pruned({ ...graph, outputs: new Map(names.map((name) => [name, outputOf(graph, name)])) });
}

/** Without the nodes, and the stages, that no output depends on. */
export function pruned(graph: Graph): Graph {
  const needed = new Set(outputValues(graph));
  const nodes: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!needed.has(node.name)) continue;
    nodes.push(node);
    for (const input of node.inputs) needed.add(input);
  }
  const stages = new Map([...graph.stages].filter(([, value]) => needed.has(value)));
  return { ...graph, nodes: nodes.reverse(), stages };
}
