/**
 * What the project knows of one layer, in one place: shape rule, parameters, forward, backward, cost. One file per operator;
 * a reader who opens the file knows the layer.
 */
import type { Kernels, Tensor } from '../engines/kernels.js';
import type { NormalisationTensors, Surrogate, TrainingKernels } from '../engines/trainingKernels.js';
import { GraphError } from '../graph/errors.js';
import type { Attributes, Initialiser, Node, ParameterRole } from '../graph/graph.js';
import { formatShape, type Shape, type ValueKind } from '../graph/shape.js';
import type { ToOnnx } from './onnxBuilder.js';
import type { OperatorTraits } from './traits.js';

/** A parameter as its operator knows it: by its local name. */
export interface LocalParameter {
  /** The last part of the `state_dict` name: `weight`, `running_mean`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: ParameterRole;
  readonly initial: Initialiser;
}

/** One node being recorded: its tensors are laid out, its parameters at hand. */
export interface Call<A extends Attributes> {
  readonly node: Node<A>;
  readonly attributes: A;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  /** Where neurons keep their membranes between runs; only for networks that run step by step. */
  readonly membrane?: Tensor;
  /** Nobody else reads the node's first input, neither another node nor whoever runs the graph. */
  readonly isOnlyReader?: boolean;
  /** Share of the neurons in front that fire, where it was measured. */
  readonly firingRate?: number;
  /** The values of a parameter by its local name; throws when the operator has no such parameter. */
  parameter(localName: string): Float32Array;
}

export interface Cost {
  /** Multiply-accumulates a dense implementation does for this call: T·B images. */
  readonly multiplyAccumulates: number;
}

/** How neurons pass gradients; the same for all neurons of a network. */
export interface SurrogateSettings {
  readonly surrogate: Surrogate;
  /** The reset counts as a constant in the backward pass. */
  readonly detachReset: boolean;
}

/** One node being recorded for training: its parameters are tensors that change. */
export interface TrainingCall<A extends Attributes> {
  readonly node: Node<A>;
  readonly attributes: A;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  /** A parameter or running statistic by its local name. */
  parameter(localName: string): Tensor;
  /** A tensor of `TrainingRules.statistics` by its name. */
  statistic(name: string): Tensor;
  /** For operators that say `normalises`: the first input is the input of a batch normalisation with these tensors, not its output. */
  readonly normalisation?: NormalisationTensors;
}

export interface BackwardCall<A extends Attributes> extends TrainingCall<A> {
  readonly outputGradient: Tensor;
  /** Where the gradient of each input goes; undefined where nobody needs it. */
  readonly inputGradients: readonly (GradientTarget | undefined)[];
  parameterGradient(localName: string): Tensor;
  readonly settings: SurrogateSettings;
}

export interface GradientTarget {
  readonly tensor: Tensor;
  /** Add to what the tensor holds. Only set for operators that say `accumulates`. */
  readonly accumulate: boolean;
}

/** How an operator trains. */
export interface TrainingRules<A extends Attributes = Attributes> {
  /** Inputs whose gradient is simply the output's (sums, views); such operators have no `backward`. */
  readonly passesGradient?: readonly number[];
  /** Inputs that `backward` reads. */
  readonly needsInputs: readonly number[];
  /** With one time step `forward` and `backward` can read the input of a batch normalisation in place of its output. */
  readonly normalises?: boolean;
  /** `backward` can add to input gradients. */
  readonly accumulates?: boolean;
  /** What `forward` leaves for `backward` beside the output: `[channels]` each. */
  statistics?(attributes: A): readonly { readonly name: string; readonly shape: Shape }[];
  forward(kernels: TrainingKernels, call: TrainingCall<A>): void;
  /** `forward` without the output, for readers that normalise: it only leaves the statistics. */
  measure?(kernels: TrainingKernels, call: TrainingCall<A>): void;
  backward(kernels: TrainingKernels, call: BackwardCall<A>): void;
  /** Writes the output again from the inputs and statistics: so cheap that it need not be kept until the backward pass. */
  again?(kernels: TrainingKernels, call: TrainingCall<A>): void;
}

export interface Operator<A extends Attributes = Attributes> extends OperatorTraits<A> {
  readonly name: string;
  /** Shape out of shapes; throws GraphError naming the node, the shapes found, and what would fit. */
  infer(node: Node<A>, inputs: readonly Shape[]): Shape;
  /** What the result carries, given what the inputs carry. */
  kind(inputs: readonly ValueKind[]): ValueKind;
  parameters(attributes: A): readonly LocalParameter[];
  /** Records the kernel calls; `isView` operators record none. */
  forward(kernels: Kernels, call: Call<A>): void;
  cost(node: Node<A>, inputs: readonly Shape[], output: Shape): Cost;
  /** Absent for operators that never reach an exported file. */
  readonly toOnnx?: ToOnnx<A>;
  /** Absent for operators that only inference rewrites make. */
  readonly training?: TrainingRules<A>;
}

export const noCost: Cost = { multiplyAccumulates: 0 };

/** Complains of a shape in the one form all operators use. */
export function shapeError(node: Node, found: readonly Shape[], expected: string): GraphError {
  return new GraphError(
    `node ${node.name} (${node.operator}): input ${found.map(formatShape).join(' and ')}, expected ${expected}`,
  );
}

/** PyTorch's default for convolutions and linear layers, Kaiming-uniform with a = √5: uniform in ±1/√fanIn. */
export function kaimingUniform(fanIn: number): Initialiser {
  return { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) };
}

/** Views and sums: the gradient passes unchanged. */
export function passingGradient(
  inputs: readonly number[],
  forward: TrainingRules['forward'] = () => {},
): TrainingRules {
  return { passesGradient: inputs, needsInputs: [], forward, backward: () => {} };
}
