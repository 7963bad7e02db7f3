/** All operators by name, and what follows from a graph and its operators: shapes, kinds of values, parameters. */
import { GraphError } from '../graph/errors.js';
import { type Attributes, type Graph, graphsOf, type Node, type ParameterSpec } from '../graph/graph.js';
import type { Shape, ValueKind } from '../graph/shape.js';
import { addOperator } from './add.js';
import { averageOperator } from './average.js';
import { batchNormOperator } from './batchNorm.js';
import { coincidenceOperator } from './coincidence.js';
import { conv2dOperator } from './conv2d.js';
import { depthToSpaceOperator } from './depthToSpace.js';
import { gateOperator } from './gate.js';
import { integrateAndFireOperator } from './integrateAndFire.js';
import { lifOperator } from './lif.js';
import { linearOperator } from './linear.js';
import { maxPoolOperator } from './maxPool.js';
import { meanTimeOperator, spatialMeanOperator, timeMeanOperator } from './means.js';
import type { Operator } from './operator.js';
import { padOperator } from './pad.js';
import { reluOperator } from './relu.js';
import { repeatTimeOperator } from './repeatTime.js';
import { mapToTokensOperator, tokensToMapOperator } from './reshape.js';
import { resizeByOperator, resizeLikeOperator } from './resize.js';
import { spikeAttentionOperator } from './spikeAttention.js';
import { joinRowOperator, splitRowOperator } from './splitRow.js';
import { statisticsPadOperator } from './statisticsPad.js';
import { temperatureOperator } from './temperature.js';
import type { NeuronTraits } from './traits.js';
import { transposedConvolutionOperator } from './transposedConvolution.js';
import { unitRowsOperator } from './unitRows.js';

const operators = new Map<string, Operator>();

/** Each operator only ever sees nodes that carry its name, and so its own attributes. */
function register<A extends Attributes>(operator: Operator<A>): void {
  operators.set(operator.name, operator as unknown as Operator);
}

register(addOperator);
register(averageOperator);
register(batchNormOperator);
register(coincidenceOperator);
register(conv2dOperator);
register(depthToSpaceOperator);
register(gateOperator);
register(integrateAndFireOperator);
register(lifOperator);
register(linearOperator);
register(maxPoolOperator);
register(spatialMeanOperator);
register(timeMeanOperator);
register(meanTimeOperator);
register(padOperator);
register(reluOperator);
register(repeatTimeOperator);
register(mapToTokensOperator);
register(tokensToMapOperator);
register(resizeByOperator);
register(resizeLikeOperator);
register(spikeAttentionOperator);
register(splitRowOperator);
register(joinRowOperator);
register(statisticsPadOperator);
register(temperatureOperator);
register(transposedConvolutionOperator);
register(unitRowsOperator);

/** The operator of a node; throws GraphError when there is none of that name. */
export function operatorOf(node: Node): Operator {
  const operator = operators.get(node.operator);
  if (!operator) {
    throw new GraphError(
      `node ${node.name}: unknown operator ${node.operator}; known are ${[...operators.keys()].join(', ')}`,
    );
  }
  return operator;
}

/** What neurons of an operator's name do; undefined when there are none of that name. */
export function neuronNamed(name: string): NeuronTraits | undefined {
  return operators.get(name)?.neuron;
}

export function operatorNames(): readonly string[] {
  return [...operators.keys()];
}

/** The shape of every value, for an input `[T or 1, B, H, W, C]`. */
export function inferShapes(graph: Graph, input: Shape): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>([[graph.input, input]]);
  for (const node of graph.nodes) {
    shapes.set(
      node.name,
      operatorOf(node).infer(
        node,
        node.inputs.map((value) => shapes.get(value)!),
      ),
    );
  }
  return shapes;
}

/** What every edge carries, computed from the graph: the ground of "is it spike-driven?". The input is real. */
export function inferKinds(graph: Graph): ReadonlyMap<string, ValueKind> {
  const kinds = new Map<string, ValueKind>([[graph.input, 'real']]);
  for (const node of graph.nodes) {
    kinds.set(node.name, operatorOf(node).kind(node.inputs.map((value) => kinds.get(value)!)));
  }
  return kinds;
}

/** Nodes whose spikes are their own, in the order of the graph: of neurons, and of what lets some of others' spikes through. Views and repetitions show those of others. */
export function spikeSources(graph: Graph): readonly Node[] {
  const kinds = inferKinds(graph);
  return graph.nodes.filter((node) => isSpikeSource(node, kinds));
}

/** @param kinds As `inferKinds` has them. */
export function isSpikeSource(node: Node, kinds: ReadonlyMap<string, ValueKind>): boolean {
  const { isView, timeRepetition } = operatorOf(node);
  return kinds.get(node.name) === 'binary' && !isView && !timeRepetition;
}

/** The neuron layers that give out spikes, in the order of the graph: those whose zeros and ones are recorded. */
export function spikingNeurons(graph: Graph): readonly Node[] {
  return spikeSources(graph).filter((node) => operatorOf(node).neuron);
}

/** The neuron layers whose states last from step to step: those that have a membrane. */
export function neuronsWithState(graph: Graph): readonly Node[] {
  return graph.nodes.filter((node) => operatorOf(node).neuron?.hasState);
}

/** For how many time steps a graph shows an image; 1 where nothing repeats it. */
export function timeStepsOf({ nodes }: Pick<Graph, 'nodes'>): number {
  return Math.max(1, ...nodes.map((node) => operatorOf(node).timeRepetition?.timeSteps(node.attributes) ?? 1));
}

/** Values behind a mean over time: they are there once, however many time steps the network takes. */
export function behindTimeMean({ nodes }: Pick<Graph, 'nodes'>): ReadonlySet<string> {
  const behind = new Set<string>();
  for (const node of nodes) {
    const { meanOver, lendShape } = operatorOf(node);
    const read = node.inputs.filter((_, index) => !lendShape?.includes(index));
    if (meanOver === 'time' || read.some((value) => behind.has(value))) behind.add(node.name);
  }
  return behind;
}

/** The same network for another number of time steps. */
export function withTimeSteps(graph: Graph, timeSteps: number): Graph {
  const nodes = graph.nodes.map((node) => {
    const repetition = operatorOf(node).timeRepetition;
    return repetition ? { ...node, attributes: repetition.withTimeSteps(node.attributes, timeSteps) } : node;
  });
  return { ...graph, nodes };
}

/** The graph with inputs shown once, however often it shows them: one time step of it. */
export function shownOnce(graph: Graph): Graph {
  return withTimeSteps(graph, 1);
}

/** Every parameter of the graph, and of those behind it, with its `state_dict` name, in the order of the nodes; once where several nodes share it. */
export function parametersOf(graph: Graph): readonly ParameterSpec[] {
  const specs = new Map<string, ParameterSpec>();
  for (const { nodes } of graphsOf(graph)) {
    for (const node of nodes) {
      for (const local of operatorOf(node).parameters(node.attributes)) {
        const name = `${node.parameterPrefix}.${local.name}`;
        if (!specs.has(name)) specs.set(name, { ...local, name });
      }
    }
  }
  return [...specs.values()];
}
