/**
 * Records a network's training step with an engine: forward and backward of its graph, and of each of the graphs that are asked afterwards (`Graph.later`), as segments of one program,
 * with one vector of parameters and one of gradients (`graphRecorder.ts`).
 */
import type { Tensor } from '../engines/kernels.js';
import type { TrainingEngine } from '../engines/trainingKernels.js';
import type { Graph } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';
import type { SurrogateSettings } from '../operators/operator.js';
import { parametersOf } from '../operators/registry.js';
import { splitPaddedNorm } from '../runtime/passes/splitPaddedNorm.js';
import { GraphRecorder } from './graphRecorder.js';
import { layParameters } from './trainingMemory.js';
import type { RecordedGraph, TrainingOptions, TrainingPlan } from './trainingPlanTypes.js';

export type * from './trainingPlanTypes.js';

/** Names of the program's segments. `clear` zeroes the gradients of the parameters; a batch may come in several parts after it. */
export const trainingSegments = { clear: 'clear', forward: 'forward', backward: 'backward' } as const;

/** Names of a later graph's segments. */
export function laterSegments(graph: string): { readonly forward: string; readonly backward: string } {
  return { forward: `forward ${graph}`, backward: `backward ${graph}` };
}

/**
 * @param inputShape `[T or 1, B, H, W, C]`.
 * @throws GraphError when the shape does not fit or an operator cannot train.
 */
export function recordTraining(
  engine: TrainingEngine,
  network: Graph,
  inputShape: Shape,
  settings: SurrogateSettings,
  { record: further, later: laterShapes, ...options }: TrainingOptions = {},
): TrainingPlan {
  const kernels = engine.recordTraining();
  const graph = forTraining(network);
  const specs = parametersOf(graph);
  const trained = specs.filter((spec) => spec.role === 'weight' || spec.role === 'bias');
  const running = specs.filter((spec) => spec.role === 'runningMean' || spec.role === 'runningVariance');
  const [parameters, gradients] = [new Map<string, Tensor>(), new Map<string, Tensor>()];
  const values = layParameters(kernels, trained, parameters);
  const gradientVector = layParameters(kernels, trained, gradients).tensor;
  const buffers = layParameters(kernels, running, parameters);
  kernels.segment(trainingSegments.clear);
  kernels.zero(gradientVector);
  const shared = { kernels, parameters, gradients };
  const first = new GraphRecorder(shared, graph, inputShape, settings, options).record(trainingSegments);
  const later = new Map<string, RecordedGraph>();
  for (const [name, shape] of laterShapes ?? []) {
    const own = forTraining(graph.later!.get(name)!.graph);
    const recorder = new GraphRecorder(shared, own, shape, settings, { inputGradient: true });
    later.set(name, recorder.record(laterSegments(name)));
  }
  const trainable = { slots: values.slots, values: values.tensor, gradients: gradientVector };
  further?.(kernels, { outputs: first.outputs, trainable, later });
  const parts = [first, ...later.values()];
  return {
    ...first,
    program: kernels.finish(),
    trainable,
    buffers: { slots: buffers.slots, values: buffers.tensor },
    spikes: new Map(parts.flatMap(({ spikes }) => [...spikes])),
    batchStatistics: new Map(parts.flatMap(({ batchStatistics }) => [...batchStatistics])),
    activationBytes: parts.reduce((sum, { activationBytes }) => sum + activationBytes, 0),
    later,
  };
}

function forTraining(graph: Graph): Graph {
  return splitPaddedNorm({ graph, parameters: new Map() }).graph;
}
