/**
 * What a run did, stage by stage: shapes of the maps, share of neurons that fired, time spent. It sums up what `Model.run` recorded
 * layer by layer and measures nothing itself.
 */
import { type Graph, outputValues, spaceAxes } from '../graph/graph.js';
import { elementCount, type Shape } from '../graph/shape.js';
import type { Recorded } from '../inference/types.js';
import { partBehindStages } from '../models/titles.js';
import { inferShapes, timeStepsOf } from '../operators/registry.js';
import { stageOf, summarise } from './summary.js';

export interface StageActivity {
  /** The authors' module: `downsample1_1`, `block3.0`; `classifier` for what follows the last block. */
  readonly name: string;
  /** Of the stage's output: `[T, B, C, H, W]`, or `[B, classes]` for the classifier; of heads on regions the input's, `[T, 1, C, H, W]`, for each region. */
  readonly shape: Shape;
  /** Neurons per image (or region) and time step. */
  readonly neurons: number;
  /** Mean over all its neurons, time steps and images; undefined where no neuron is. */
  readonly firingRate?: number;
  /** Undefined when the run did not measure layers. */
  readonly milliseconds?: number;
}

/** @param input Shape of what was run, `[B, C, H, W]` or `[T, B, C, H, W]`; of a row of places without H. */
export function stageActivity(
  graph: Graph,
  input: Shape,
  recorded: Pick<Recorded, 'firingRates' | 'layerMilliseconds'>,
): readonly StageActivity[] {
  const timeSteps = timeStepsOf(graph);
  const axes = spaceAxes(graph);
  const [batch, , ...places] = input.slice(-axes - 2) as [number, number, ...number[]];
  const [height, width] = (axes === 1 ? [1, ...places] : places) as [number, number];
  const shapes = new Map(inferShapes(graph, [1, 1, height, width, graph.inputChannels]));
  for (const { graph: later, size } of graph.later?.values() ?? [])
    for (const [value, shape] of inferShapes(later, [timeSteps, 1, ...size, later.inputChannels]))
      if (value !== later.input) shapes.set(value, shape);
  const neurons = new Map<string, number>();
  const spikes = new Map<string, number>();
  for (const [layer, rate] of recorded.firingRates ?? []) {
    const stage = stageOf(layer, graph);
    if (stage === undefined) continue;
    const count = elementCount(shapes.get(layer)!) / timeSteps;
    neurons.set(stage, (neurons.get(stage) ?? 0) + count);
    spikes.set(stage, (spikes.get(stage) ?? 0) + count * rate);
  }
  const times = new Map<string, number>();
  for (const [layer, milliseconds] of recorded.layerMilliseconds ?? []) {
    const stage = stageOf(layer, graph) ?? 'classifier';
    times.set(stage, (times.get(stage) ?? 0) + milliseconds);
  }
  const [answered] = [...outputValues(graph)].map((value) => shapes.get(value)!) as [Shape];
  const shapeOf = (name: string, channels: number, size: readonly number[]): Shape => {
    if (graph.later?.has(name)) return [timeSteps, 1, channels, ...size];
    if (graph.stages.has(name)) return [timeSteps, batch, channels, ...size];
    return name === partBehindStages('') ? [batch, ...answered.slice(1)] : [batch, channels, ...size];
  };
  return summarise(graph, [height, width]).stages.map(({ name, channels, size }) => ({
    name,
    shape: shapeOf(name, channels, size),
    neurons: neurons.get(name) ?? 0,
    ...(neurons.has(name) ? { firingRate: spikes.get(name)! / neurons.get(name)! } : {}),
    ...(recorded.layerMilliseconds ? { milliseconds: times.get(name) ?? 0 } : {}),
  }));
}
