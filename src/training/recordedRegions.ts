/**
 * A training step's way through graphs that are asked afterwards (`Graph.later`): regions are cut out of the first graph's maps by RoIAlign, at every time step for itself, a later graph
 * answers and learns, and gradients go back into the maps. So many regions are taken at once that memory does not hang on how many there are; parameters' gradients add up. Which regions
 * those are and what answers are worth is the task's business (`tasks/laterObjective.ts`).
 */
import { roiAlign, roiAlignGradient } from '../engines/calls/roiAlign.js';
import { swapAxes } from '../engines/calls/swapAxes.js';
import type { Tensor } from '../engines/kernels.js';
import type { TrainingKernels, TrainingProgram } from '../engines/trainingKernels.js';
import { GraphError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';
import type { AskedRegions, FirstAnswers, LaterObjective } from '../tasks/laterObjective.js';
import type { Sums } from '../tasks/task.js';
import { allocated } from './recordedUpdate.js';
import { laterSegments } from './trainingPlan.js';
import type { RecordedGraph, TrainingPlan } from './trainingPlanTypes.js';

/** Regions at once, at most: more make nothing faster. */
const together = 64;
/** Numbers that are cut out at once, 16 MB; a head takes some twenty times as much. 20 regions for the masks of the published detector. */
const mostNumbers = 2 ** 22;

/** Shapes of the later graphs' inputs. @throws GraphError when one takes neither what is cut out nor its channels in one place. */
export function laterShapes(
  { later }: Graph,
  { cells }: LaterObjective<unknown>,
  timeSteps: number,
): ReadonlyMap<string, Shape> {
  return new Map(
    [...cells].map(([name, side]) => {
      const { graph, size } = later!.get(name)!;
      const fits =
        size[0] === size[1] && (size[0] === side || (size[0] === 1 && graph.inputChannels % side ** 2 === 0));
      if (!fits)
        throw new GraphError(`graph ${name}: it takes ${size.join(' x ')} places, regions have ${side} x ${side}`);
      const numbers = timeSteps * size[0] * size[1] * graph.inputChannels;
      const rows = Math.max(1, Math.min(together, Math.floor(mostNumbers / numbers)));
      return [name, [timeSteps, rows, ...size, graph.inputChannels]];
    }),
  );
}

/** A map and where its gradient is written. */
interface Cut {
  readonly stride: number;
  readonly value: Tensor;
  readonly gradient: Tensor;
}

/** What lies between the maps and one later graph. */
interface Way {
  readonly plan: RecordedGraph;
  /** Regions at once. */
  readonly rows: number;
  readonly segments: {
    readonly cut: string;
    readonly spread: string;
    readonly forward: string;
    readonly backward: string;
  };
  /** For each map `[T·rows, 5]`. */
  readonly regions: readonly Tensor[];
}

/** Some of the regions that are asked about. */
interface Part {
  readonly first: number;
  readonly count: number;
}

export class RecordedRegions {
  readonly #objective: LaterObjective<unknown>;
  readonly #ways: ReadonlyMap<string, Way>;
  readonly #timeSteps: number;
  readonly #images: number;

  /** Appends the segments. */
  constructor(
    kernels: TrainingKernels,
    { outputs, later }: Pick<TrainingPlan, 'outputs' | 'later'>,
    objective: LaterObjective<unknown>,
  ) {
    this.#objective = objective;
    const maps = objective.maps.map(({ output, stride }): Cut => ({ stride, ...outputs.get(output)! }));
    const [timeSteps, images] = maps[0]!.value.shape as [number, number];
    this.#timeSteps = timeSteps;
    this.#images = images;
    kernels.segment(clearing);
    for (const { gradient } of maps) kernels.zero(gradient);
    const ways = [...later].map(([name, plan]): [string, Way] => [
      name,
      recordWay(kernels, { name, plan, maps, cells: objective.cells.get(name)! }),
    ]);
    this.#ways = new Map(ways);
  }

  /** Whether an output is a map that regions are cut from, which nobody reads. */
  isMap(output: string): boolean {
    return this.#objective.maps.some((map) => map.output === output);
  }

  /**
   * Between forward and backward of the first graph: later graphs learn, and the maps' gradients are written.
   *
   * @returns what is added to the loss, times the share, and to the sums.
   */
  async learn(program: TrainingProgram, answers: FirstAnswers<unknown>): Promise<{ loss: number; sums: Sums }> {
    await program.run(clearing);
    let loss = 0;
    const sums: Record<string, number> = {};
    for (const asked of this.#objective.ask(answers)) {
      const count = asked.levels.length;
      const way = this.#ways.get(asked.graph)!;
      for (let first = 0; first < count; first += way.rows) {
        const judged = await this.#part(program, way, asked, { first, count: Math.min(way.rows, count - first) });
        loss += judged.loss;
        for (const [name, sum] of Object.entries(judged.sums)) sums[name] = (sums[name] ?? 0) + sum;
      }
    }
    return { loss, sums };
  }

  async #part(program: TrainingProgram, { plan, segments, regions, rows }: Way, asked: AskedRegions, part: Part) {
    for (const [level, tensor] of regions.entries())
      await program.write(tensor, this.#places(asked, part, rows, level));
    await program.run(segments.cut);
    await program.run(segments.forward);
    const [answers, shapes] = [new Map<string, Float32Array>(), new Map<string, readonly number[]>()];
    for (const [name, { value }] of plan.outputs) {
      answers.set(name, await program.read(value));
      shapes.set(name, value.shape);
    }
    const { loss, sums, gradients } = asked.judge(answers, part, shapes);
    // A loss that is no number is reported where it is added up; its gradient would only hide the cause.
    for (const [name, gradient] of gradients) await program.write(plan.outputs.get(name)!.gradient, gradient);
    await program.run(segments.backward);
    await program.run(segments.spread);
    return { loss, sums };
  }

  /** Regions of one level at every time step, whose images are numbered behind those of the step before. In the places of others, and behind the last, is none. */
  #places({ regions, levels }: AskedRegions, { first, count }: Part, rows: number, level: number): Float32Array {
    const places = new Float32Array(5 * this.#timeSteps * rows);
    for (let step = 0; step < this.#timeSteps; step++)
      for (let row = 0; row < rows; row++) {
        const at = 5 * (step * rows + row);
        const isHere = row < count && levels[first + row] === level;
        if (isHere) places.set(regions.subarray(5 * (first + row), 5 * (first + row) + 5), at);
        places[at] = isHere ? step * this.#images + places[at]! : absent;
      }
    return places;
  }
}

const clearing = 'clear the gradients of maps';
/** In place of an image's number: nothing is cut. */
const absent = -1;

interface WayParts {
  readonly name: string;
  readonly plan: RecordedGraph;
  readonly maps: readonly Cut[];
  readonly cells: number;
}

function recordWay(kernels: TrainingKernels, { name, plan, maps, cells }: WayParts): Way {
  const [timeSteps, rows] = plan.input.shape as [number, number];
  const boxes = timeSteps * rows;
  const channels = maps[0]!.value.shape.at(-1)!;
  const segments = { cut: `cut for ${name}`, spread: `spread from ${name}`, ...laterSegments(name) };
  const regions = maps.map(() => allocated(kernels, [boxes, 5]));
  const shape = [boxes, cells, cells, channels];
  const [sum, other] = [allocated(kernels, shape), allocated(kernels, shape)];
  // Channel by channel where a graph takes one place.
  const swapped = plan.input.shape.at(-1) !== channels;
  const sizesOf = ({ value }: Cut) => {
    const [timeSteps, images, height, width] = value.shape as [number, number, number, number];
    const cut = { boxes, outputHeight: cells, outputWidth: cells, samplingRatio: 0 };
    return { images: timeSteps * images, height, width, channels, ...cut };
  };
  kernels.segment(segments.cut);
  for (const [level, map] of maps.entries()) {
    const settings = { ...sizesOf(map), spatialScale: 1 / map.stride };
    const output = level === 0 ? sum : other;
    kernels.record(roiAlign, { name: segments.cut, ...settings, input: map.value, regions: regions[level]!, output });
    if (level > 0) kernels.add({ name: segments.cut, a: sum, b: other, output: sum });
  }
  const places = cells ** 2;
  if (swapped) {
    const sizes = { outer: boxes, first: places, second: channels, inner: 1 };
    kernels.record(swapAxes, { name: segments.cut, ...sizes, input: sum, output: plan.input });
  } else kernels.repeat({ name: segments.cut, times: 1, input: sum, output: plan.input });
  kernels.segment(segments.spread);
  if (swapped) {
    const sizes = { outer: boxes, first: channels, second: places, inner: 1 };
    kernels.record(swapAxes, { name: segments.spread, ...sizes, input: plan.inputGradient!, output: sum });
  }
  for (const [level, map] of maps.entries()) {
    const settings = { ...sizesOf(map), spatialScale: 1 / map.stride, accumulate: true };
    const gradients = { outputGradient: swapped ? sum : plan.inputGradient!, inputGradient: map.gradient };
    kernels.record(roiAlignGradient, { name: segments.spread, ...settings, regions: regions[level]!, ...gradients });
  }
  return { plan, rows, segments, regions };
}
