/**
 * A network in numbers, before anything runs: parameters, tokens and operations per stage, and which layers multiply. Operations are
 * multiply-accumulates of a dense implementation per image and time step, the unit of the paper's tables; what an input's
 * spikes really cause is counted by energy measurement, not here.
 */

import type { Graph, LaterGraph } from '../graph/graph.js';
import { elementCount, type Shape } from '../graph/shape.js';
import { partBehindStages } from '../models/titles.js';
import { inferKinds, inferShapes, operatorOf, parametersOf, shownOnce } from '../operators/registry.js';

export interface StageSummary {
  /** The authors' module: `downsample1_1`, `block3.0`, `head`. */
  readonly name: string;
  /** Height and width of its maps; 1×1 for the classifier. */
  readonly size: readonly [number, number];
  readonly tokens: number;
  readonly channels: number;
  readonly parameters: number;
  /** Dense multiply-accumulates whose inputs are spikes: additions here and on neuromorphic chips. */
  readonly spikeFedOperations: number;
  /** Dense multiply-accumulates on real or integer numbers. */
  readonly realFedOperations: number;
}

export interface NetworkSummary {
  /** Trainable parameters. */
  readonly parameters: number;
  /** `[B, H, W, C]` it was computed for, B = 1. */
  readonly input: Shape;
  readonly stages: readonly StageSummary[];
  readonly spikeFedOperations: number;
  readonly realFedOperations: number;
  /** Layers that receive something else than spikes, with what they receive. */
  readonly realFedLayers: readonly { readonly name: string; readonly operations: number }[];
}

/** @param size Height and width of the input image. */
export function summarise(graph: Graph, size: readonly [number, number]): NetworkSummary {
  const input: Shape = [1, 1, size[0], size[1], graph.inputChannels];
  // Counts are per time step.
  const once = shownOnce(graph);
  const shapes = inferShapes(once, input);
  const kinds = inferKinds(once);
  const parameters = parameterCounts(once);
  const stages = new Map<string, { last: Shape; parameters: number; spikeFed: number; realFed: number }>();
  const realFedLayers: { name: string; operations: number }[] = [];
  for (const node of once.nodes) {
    const stage = stageOf(node.name, graph);
    if (stage === undefined) continue;
    const output = shapes.get(node.name)!;
    const inputs = node.inputs.map((value) => shapes.get(value)!);
    const { multiplyAccumulates } = operatorOf(node).cost(node, inputs, output);
    const selectors = operatorOf(node).energy?.selectors ?? [];
    const spikeFed = selectors.length > 0 && selectors.every((index) => kinds.get(node.inputs[index]!) === 'binary');
    const entry = stages.get(stage) ?? { last: output, parameters: 0, spikeFed: 0, realFed: 0 };
    entry.last = output.length === 5 ? output : entry.last;
    entry.parameters += parameters.get(node.name) ?? 0;
    if (spikeFed) entry.spikeFed += multiplyAccumulates;
    else entry.realFed += multiplyAccumulates;
    if (!spikeFed && multiplyAccumulates > 0) realFedLayers.push({ name: node.name, operations: multiplyAccumulates });
    stages.set(stage, entry);
  }
  const rows = [...stages].map(([name, entry]) => stageRow(name, entry));
  for (const [name, later] of graph.later ?? []) rows.push(laterRow(name, later));
  return {
    parameters: sum(rows, (row) => row.parameters),
    input: input.slice(1),
    stages: rows,
    spikeFedOperations: sum(rows, (row) => row.spikeFedOperations),
    realFedOperations: sum(rows, (row) => row.realFedOperations),
    realFedLayers,
  };
}

/** A graph that is asked afterwards, about any number of regions: what it is made of. How much it does depends on what is found. */
function laterRow(name: string, { graph, size }: LaterGraph): StageSummary {
  const parameters = [...parameterCounts(graph).values()].reduce((total, count) => total + count, 0);
  const operations = { spikeFedOperations: 0, realFedOperations: 0 };
  return { name, size, tokens: size[0] * size[1], channels: graph.inputChannels, parameters, ...operations };
}

function stageRow(
  name: string,
  entry: { last: Shape; parameters: number; spikeFed: number; realFed: number },
): StageSummary {
  const { last } = entry;
  // Of a network over a row of places, values are tokens.
  const [height, width] = last.length === 5 ? [last[2]!, last[3]!] : [1, last.length === 4 ? last[2]! : 1];
  return {
    name,
    size: [height, width],
    tokens: height * width,
    channels: last[last.length - 1]!,
    parameters: entry.parameters,
    spikeFedOperations: entry.spikeFed,
    realFedOperations: entry.realFed,
  };
}

/** The stage whose module path begins a node's name, or the later graph that it is of; else the part behind the stages: the classifier for `head`, `pool` and `lif`. */
export function stageOf(nodeName: string, graph: Graph): string | undefined {
  for (const stage of [...graph.stages.keys(), ...(graph.later?.keys() ?? [])])
    if (nodeName.startsWith(`${stage}.`)) return stage;
  return nodeName === 'frames' ? undefined : partBehindStages(nodeName);
}

function parameterCounts(graph: Graph): ReadonlyMap<string, number> {
  const byPrefix = new Map<string, number>();
  for (const spec of parametersOf(graph)) {
    if (spec.role !== 'weight' && spec.role !== 'bias') continue;
    const prefix = spec.name.slice(0, spec.name.lastIndexOf('.'));
    byPrefix.set(prefix, (byPrefix.get(prefix) ?? 0) + elementCount(spec.shape));
  }
  const counts = new Map<string, number>();
  for (const node of graph.nodes) {
    counts.set(node.name, byPrefix.get(node.parameterPrefix) ?? 0);
    // Layers that share parameters have them once.
    byPrefix.delete(node.parameterPrefix);
  }
  return counts;
}

function sum(rows: readonly StageSummary[], value: (row: StageSummary) => number): number {
  return rows.reduce((total, row) => total + value(row), 0);
}
