/**
 * Makes a graph executable for one input shape: infers shapes and kinds, lays memory out, and records every node's
 * kernel calls with an engine. What comes out runs without allocating.
 */
import {
  byteLengthOf,
  type Engine,
  type Kernels,
  type Program,
  type Storage,
  type Tensor,
} from '../engines/kernels.js';
import { GraphError } from '../graph/errors.js';
import { type Graph, type Node, outputValues } from '../graph/graph.js';
import { elementCount, formatShape, type Shape, type ValueKind } from '../graph/shape.js';
import { inferKinds, inferShapes, operatorOf } from '../operators/registry.js';
import { type Lifetime, planMemory } from './memoryPlan.js';
import type { Network } from './passes/pass.js';

/** A graph ready to run on one input shape. */
export interface Executable {
  readonly graph: Graph;
  readonly inputShape: Shape;
  readonly shapes: ReadonlyMap<string, Shape>;
  /** Bytes of activations, laid out ahead; weights are the engine's. */
  readonly activationBytes: number;
  readonly program: Program;
  /** Membranes of all neuron layers to 0; only of an executable that keeps them. */
  resetMembranes(): Promise<void>;
  /** The tensor of the input, an output or a kept value; throws GraphError for any other, whose memory is reused. */
  tensor(value: string): Tensor;
  dispose(): void;
}

export interface CompileOptions {
  /** Membranes stay from run to run, so that a network of one time step runs a sequence frame by frame. */
  readonly membranes?: boolean;
  /** Share of neurons that fire, by the name of their layer, as far as it was measured: engines may choose kernels by it. */
  readonly firingRates?: ReadonlyMap<string, number>;
  /** Told of the input and of every value after it is made, to record calls of its own that look at it. */
  readonly observe?: Observe;
}

/** @param tensorOf The value's tensor, or one that its node read; no other is sure to be there still. */
export type Observe = (value: string, kernels: Kernels, tensorOf: (value: string) => Tensor) => void;

/**
 * @param inputShape `[T or 1, B, H, W, C]`.
 * @param keep Values to be read after a run, beside the outputs.
 * @throws GraphError when the shape does not fit the graph.
 */
export function compile(
  engine: Engine,
  network: Network,
  inputShape: Shape,
  keep: Iterable<string> = [],
  options: CompileOptions = {},
): Executable {
  const { graph } = network;
  if (inputShape.length !== 5 || inputShape[4] !== graph.inputChannels || elementCount(inputShape) < 1) {
    throw new GraphError(
      `graph ${graph.name}: input ${formatShape(inputShape)}, expected [T, B, H, W, ${graph.inputChannels}] with no empty axis`,
    );
  }
  const shapes = inferShapes(graph, inputShape);
  const storages = storagesOf(inferKinds(graph));
  const roots = memoryRoots(graph);
  const kept = new Set([graph.input, ...outputValues(graph), ...keep]);
  for (const value of kept) {
    if (!shapes.has(value)) throw new GraphError(`graph ${graph.name}: there is no value ${value} to keep`);
  }
  const plan = planMemory(lifetimesOf(graph, shapes, storages, roots, kept));
  const kernels = engine.record();
  const block = kernels.allocate(Math.max(plan.byteLength, 64));
  const tensors = new Map<string, Tensor>();
  for (const [value, shape] of shapes) {
    const byteOffset = plan.offsets.get(roots.get(value) ?? value)!;
    tensors.set(value, { shape, storage: storages.get(value)!, block, byteOffset });
  }
  const readers = new Map<string, number>();
  for (const node of graph.nodes) {
    // A view shows the memory of what it reads.
    const weight = operatorOf(node).isView ? 2 : 1;
    for (const value of node.inputs) readers.set(value, (readers.get(value) ?? 0) + weight);
  }
  const membranes: Tensor[] = [];
  const membraneOf = (shape: Shape): Tensor => {
    const oneStep = [1, ...shape.slice(1)];
    const bytes = byteLengthOf(oneStep, 'real');
    const tensor: Tensor = { shape: oneStep, storage: 'real', block: kernels.allocate(bytes), byteOffset: 0 };
    membranes.push(tensor);
    return tensor;
  };
  const tensorOf = (value: string) => tensors.get(value)!;
  options.observe?.(graph.input, kernels, tensorOf);
  for (const node of graph.nodes) {
    if (operatorOf(node).isView) continue;
    const source = node.inputs[0]!;
    const firingRate = options.firingRates?.get(roots.get(source) ?? source);
    const keepsMembrane = options.membranes === true && operatorOf(node).neuron?.hasState === true;
    operatorOf(node).forward(kernels, {
      node,
      attributes: node.attributes,
      inputs: node.inputs.map((value) => tensors.get(value)!),
      output: tensors.get(node.name)!,
      ...(keepsMembrane ? { membrane: membraneOf(shapes.get(node.name)!) } : {}),
      isOnlyReader: readers.get(source) === 1 && !kept.has(source),
      ...(firingRate === undefined ? {} : { firingRate }),
      parameter: (localName) => parameterOf(network, node, localName),
    });
    options.observe?.(node.name, kernels, tensorOf);
  }
  const program = kernels.finish();
  return {
    graph,
    inputShape,
    shapes,
    activationBytes: plan.byteLength,
    program,
    resetMembranes: async () => {
      for (const membrane of membranes) await program.write(membrane, new Float32Array(elementCount(membrane.shape)));
    },
    tensor: (value) => {
      const tensor = tensors.get(value);
      if (!tensor || !kept.has(value)) throw new GraphError(`graph ${graph.name}: value ${value} was not kept`);
      return tensor;
    },
    dispose: () => program.dispose(),
  };
}

function parameterOf(network: Network, node: Node, localName: string): Float32Array {
  const values = network.parameters.get(`${node.parameterPrefix}.${localName}`);
  if (!values)
    throw new GraphError(
      `node ${node.name} (${node.operator}): parameter ${node.parameterPrefix}.${localName} is missing`,
    );
  return values;
}

function storagesOf(kinds: ReadonlyMap<string, ValueKind>): ReadonlyMap<string, Storage> {
  return new Map([...kinds].map(([value, kind]) => [value, kind === 'binary' ? 'spikes' : 'real']));
}

/** View → the value whose memory it shows. */
function memoryRoots(graph: Graph): ReadonlyMap<string, string> {
  const roots = new Map<string, string>();
  for (const node of graph.nodes) {
    const source = node.inputs[0];
    if (operatorOf(node).isView && source !== undefined) roots.set(node.name, roots.get(source) ?? source);
  }
  return roots;
}

function lifetimesOf(
  graph: Graph,
  shapes: ReadonlyMap<string, Shape>,
  storages: ReadonlyMap<string, Storage>,
  roots: ReadonlyMap<string, string>,
  kept: ReadonlySet<string>,
): readonly Lifetime[] {
  const end = graph.nodes.length;
  const first = new Map<string, number>([[graph.input, 0]]);
  const last = new Map<string, number>([[graph.input, 0]]);
  graph.nodes.forEach((node, step) => {
    for (const value of node.inputs) last.set(roots.get(value) ?? value, step);
    // Neurons may fire while the layer in front of them is still at work (the wasm engine does both at once), so what it reads must outlive them.
    const before = graph.nodes[step - 1];
    if (operatorOf(node).neuron && before !== undefined && before.name === node.inputs[0])
      for (const value of before.inputs) last.set(roots.get(value) ?? value, step);
    if (roots.has(node.name)) return;
    first.set(node.name, step);
    last.set(node.name, step);
  });
  for (const value of kept) last.set(roots.get(value) ?? value, end);
  return [...first].map(([name, step]) => ({
    name,
    byteLength: byteLengthOf(shapes.get(name)!, storages.get(name)!),
    first: step,
    last: last.get(name)!,
  }));
}
