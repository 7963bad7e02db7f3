/**
 * What an operator needs to spell itself in ONNX: a place to put nodes and constants. Only the interface; who writes the file is `interop/onnx`.
 * Values there are the field's `[T·B, C, H, W]`, time in front and folded into the batch; tokens stay maps (a view is a view), vectors are `[T·B, C]`.
 */
import type { Attributes, Node } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';

export type OnnxAttribute = number | string | readonly number[] | { readonly float: number };

export interface OnnxBuilder {
  /**
   * Appends a standard operator (opset 13).
   *
   * @param name Of the node and of its first output; further outputs get numbers.
   * @returns the names of its outputs.
   */
  node(
    operator: string,
    name: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, OnnxAttribute>>,
    outputs?: number,
  ): string[];
  /** A constant of numbers or, from a BigInt64Array, of whole numbers; equal names are the same constant. */
  constant(name: string, values: Float32Array | BigInt64Array, shape: Shape): string;
}

export interface OnnxCall<A extends Attributes> {
  readonly node: Node<A>;
  readonly attributes: A;
  /** Names of the inputs' values in the file. */
  readonly inputs: readonly string[];
  /** Of inputs and output, `[T, B, …, C]` as everywhere else, for a batch of one. */
  readonly inputShapes: readonly Shape[];
  readonly outputShape: Shape;
  parameter(localName: string): Float32Array;
  /** Neurons that keep their membranes: the value to begin with, and the name under which the next one is to be left. */
  readonly membrane?: { readonly before: string; readonly after: string };
}

/** Writes a node of ours with standard operators and returns the name of the value that is its result. */
export type ToOnnx<A extends Attributes> = (builder: OnnxBuilder, call: OnnxCall<A>) => string;

export function onnxScalar(builder: OnnxBuilder, value: number): string {
  return builder.constant(`constant ${value}`, Float32Array.of(value), []);
}

/** `[T·B, …]` from a value with one time step to one with `timeSteps`. */
export function overTime(builder: OnnxBuilder, name: string, value: string, from: number, timeSteps: number): string {
  if (from === timeSteps) return value;
  return builder.node(
    'Concat',
    name,
    Array.from({ length: timeSteps }, () => value),
    { axis: 0 },
  )[0]!;
}
