/**
 * What the project knows of one layer, in one place: shape rule, parameters, forward, cost. One file per operator; a
 * reader who opens the file knows the layer. Backward joins with training (FEATURES.md says so in red until then).
 */
import type { Kernels, Tensor } from '../engines/kernels.js';
import { GraphError } from '../graph/errors.js';
import type { Attributes, Initialiser, Node, ParameterRole } from '../graph/graph.js';
import { formatShape, type Shape, type ValueKind } from '../graph/shape.js';

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
  /** The values of a parameter by its local name; throws when the operator has no such parameter. */
  parameter(localName: string): Float32Array;
}

export interface Cost {
  /** Multiply-accumulates a dense implementation does for this call: T·B images. */
  readonly multiplyAccumulates: number;
  /** Inputs that, when they carry spikes, turn those multiply-accumulates into additions. */
  readonly spikeInputs: readonly number[];
}

export interface Operator<A extends Attributes = Attributes> {
  readonly name: string;
  /** The result has its input's memory: nothing runs. */
  readonly isView?: boolean;
  /** Shape out of shapes; throws GraphError naming the node, the shapes found, and what would fit. */
  infer(node: Node<A>, inputs: readonly Shape[]): Shape;
  /** What the result carries, given what the inputs carry. */
  kind(inputs: readonly ValueKind[]): ValueKind;
  parameters(attributes: A): readonly LocalParameter[];
  /** Records the kernel calls; `isView` operators record none. */
  forward(kernels: Kernels, call: Call<A>): void;
  cost(node: Node<A>, inputs: readonly Shape[], output: Shape): Cost;
}

export const noCost: Cost = { multiplyAccumulates: 0, spikeInputs: [] };

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
