/** What a recorded training step consists of: where parameters, outputs and their gradients lie, and the program that fills them. */
import type { Tensor } from '../engines/kernels.js';
import type { TrainingKernels, TrainingProgram } from '../engines/trainingKernels.js';
import type { Graph, ParameterSpec } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';

/** Where a parameter lies in the vector of all parameters of its kind. */
export interface ParameterSlot {
  readonly spec: ParameterSpec;
  /** In elements. */
  readonly offset: number;
  readonly length: number;
}

/** What is recorded of one graph. */
export interface RecordedGraph {
  readonly graph: Graph;
  readonly input: Tensor;
  /** Of later graphs: what the backward segment leaves. */
  readonly inputGradient?: Tensor;
  /** The values of the outputs that learn, and the places where the caller writes their gradients, by output name. */
  readonly outputs: ReadonlyMap<string, { readonly value: Tensor; readonly gradient: Tensor }>;
  /** The values of the outputs that are only read, by output name. */
  readonly observed: ReadonlyMap<string, Tensor>;
  /** Spikes of every neuron layer in the last forward pass. */
  readonly spikes: ReadonlyMap<string, Tensor>;
  /** What batch norms measured in the last forward pass, by layer, in the order of the network. */
  readonly batchStatistics: ReadonlyMap<string, readonly Tensor[]>;
  /**
   * With `offsets`: one number for every neuron layer, added to the gradient of each of its spikes; 0 until the caller writes them. How a
   * loss on firing rates enters. Layers of later graphs have none.
   */
  readonly spikeOffsets: ReadonlyMap<string, Tensor>;
  readonly activationBytes: number;
}

/** Of the first graph, but that spikes, statistics and bytes are those of all graphs. */
export interface TrainingPlan extends RecordedGraph {
  readonly program: TrainingProgram;
  /** Trained parameters, one vector; gradients lie in another of the same layout. Between them gaps of zeros. */
  readonly trainable: { readonly slots: readonly ParameterSlot[]; readonly values: Tensor; readonly gradients: Tensor };
  /** Running means and variances, one vector. */
  readonly buffers: { readonly slots: readonly ParameterSlot[]; readonly values: Tensor };
  /** Graphs that are asked afterwards, by name. */
  readonly later: ReadonlyMap<string, RecordedGraph>;
}

export interface TrainingOptions {
  readonly spikeOffsets?: boolean;
  /** Names of outputs that are read and have no gradient. */
  readonly observed?: readonly string[];
  /** Shapes `[T, N, H, W, C]` of the inputs of later graphs that learn, by name. */
  readonly later?: ReadonlyMap<string, Shape>;
  /** Records further segments: of the loss, of the optimizer, of what lies between graphs. */
  readonly record?: (kernels: TrainingKernels, parts: Pick<TrainingPlan, 'outputs' | 'trainable' | 'later'>) => void;
}

/** One kernel call to be, with the tensors it touches, by id. */
export interface Step {
  readonly touches: readonly string[];
  readonly emit: (kernels: TrainingKernels, tensor: (id: string) => Tensor) => void;
}

/** Where the gradient of an input goes. */
export interface Target {
  readonly id: string;
  readonly accumulate: boolean;
  /** The gradient that a temporary is added to afterwards. */
  readonly sumInto?: string;
}
