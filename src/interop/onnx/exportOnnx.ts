/**
 * A network as an ONNX file: its graph read node by node, each spelled by its operator. All time steps at once (T unrolled inside the neurons,
 * everything else sees them as one batch), or a single step with every membrane as an input and an output. Standard operators only.
 * Every output of the network is one of the file, under its own name and in the network's order.
 */
import { UsageError } from '../../errors.js';
import { GraphError } from '../../graph/errors.js';
import type { Graph, GraphOutput } from '../../graph/graph.js';
import type { Shape } from '../../graph/shape.js';
import { inferShapes, operatorOf, timeStepsOf, withTimeSteps } from '../../operators/registry.js';
import type { RepConvForm } from '../../runtime/passes/mergeRepConv.js';
import type { Network } from '../../runtime/passes/pass.js';
import { prepareNetwork } from '../../runtime/prepare.js';
import { spikeValues } from '../../runtime/spikeValues.js';
import type { Encoded } from '../protobufWriter.js';
import { type OnnxAxis, OnnxFile } from './onnxFile.js';

export interface OnnxOptions {
  /** Height and width of the images; part of the file. */
  readonly imageSize: readonly [height: number, width: number];
  /** Images at once; by default the axis is free. */
  readonly batch?: number;
  /** `image` `[B, C, H, W]`, shown at every step (default), or `frames` `[T, B, C, H, W]`. */
  readonly input?: 'image' | 'frames';
  /** One time step: every neuron layer has an input `NAME.membrane` and an output `NAME.membrane_next`; `logits` are that step's. */
  readonly step?: boolean;
  /** Batch norms folded into the layers before them. Default true. */
  readonly fold?: boolean;
  /** Only with `fold`: RepConv as it is (`none`, default: the least multiplications), or merged into one 3×3 (`full`), or its first half. */
  readonly repConv?: RepConvForm;
  /** Spikes of every neuron layer as further outputs `[T·B, C, …]`, under the layer's name. */
  readonly spikes?: boolean;
  /**
   * Of a network that is several graphs one after the other (`Graph.later`), which one is written; the first where nothing is said. A later one takes `[T, N, C, H, W]`, N free, and
   * `imageSize` and `batch` say nothing about it.
   */
  readonly graph?: string;
}

/**
 * @param source The network as its architecture defines it, and its weights.
 * @param metadata Written into the file's `metadata_props`.
 * @returns the file in parts, which refer to the parameters' memory.
 * @throws UsageError for options that cannot be or exclude each other; GraphError when the image size does not fit the network; CheckpointError when
 *   the file would be larger than protobuf allows.
 */
export function exportOnnx(
  source: Network,
  options: OnnxOptions,
  metadata: Readonly<Record<string, string>> = {},
): Encoded {
  checkOptions(options);
  if (source.graph.rowLength !== undefined)
    throw new UsageError('ONNX: networks over joints cannot be written as ONNX; write safetensors or pth instead');
  if (source.graph.later !== undefined && options.step)
    throw new UsageError('ONNX: a detector with regions takes all time steps at once; leave out step');
  if (options.graph !== undefined) return exportLater(source, options.graph, options, metadata);
  const timeSteps = options.step ? 1 : timeStepsOf(source.graph);
  const frames = options.step || options.input === 'frames';
  const network = prepareNetwork(
    { graph: withTimeSteps(source.graph, timeSteps), parameters: source.parameters },
    {
      fold: options.fold ?? true,
      fuse: false,
      repConv: options.repConv ?? 'none',
      input: frames ? 'frames' : 'image',
    },
  );
  return new Exporter(network, options, timeSteps, frames).encode(metadata);
}

function exportLater(
  { graph, parameters }: Network,
  name: string,
  { fold = true, repConv = 'none', spikes = false }: OnnxOptions,
  metadata: Readonly<Record<string, string>>,
): Encoded {
  const later = graph.later?.get(name);
  if (later === undefined) {
    const known = [...(graph.later?.keys() ?? [])].join(', ') || 'one graph alone';
    throw new UsageError(`ONNX: found the graph ${name}, but the network has ${known}; leave it out for the first`);
  }
  const prepared = { fold, repConv, fuse: false, input: 'frames' as const };
  const network = prepareNetwork({ graph: later.graph, parameters }, prepared);
  return new Exporter(network, { imageSize: later.size, spikes }, timeStepsOf(graph), true).encode(metadata);
}

function checkOptions({ imageSize, batch, input, step, fold, repConv }: OnnxOptions): void {
  const sizes = { 'image height': imageSize[0], 'image width': imageSize[1], batch: batch ?? 1 };
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isSafeInteger(size) || size < 1)
      throw new UsageError(`ONNX: the ${name} is ${size}, expected a whole number from 1`);
  }
  if (step && input === 'frames') {
    throw new UsageError('ONNX: a single step takes one frame at a time; leave out either step or input');
  }
  if (fold === false && (repConv ?? 'none') !== 'none') {
    throw new UsageError('ONNX: RepConv is merged only when batch norms are folded; leave out either fold or repConv');
  }
}

class Exporter {
  readonly #file = new OnnxFile();
  readonly #shapes: ReadonlyMap<string, Shape>;
  /** Value of the graph → its name in the file. */
  readonly #names = new Map<string, string>();
  readonly #graph: Graph;

  constructor(
    private readonly network: Network,
    private readonly options: OnnxOptions,
    private readonly timeSteps: number,
    private readonly frames: boolean,
  ) {
    this.#graph = network.graph;
    const steps = frames ? timeSteps : 1;
    this.#shapes = inferShapes(this.#graph, [steps, 1, ...options.imageSize, this.#graph.inputChannels]);
  }

  encode(metadata: Readonly<Record<string, string>>): Encoded {
    this.#names.set(this.#graph.input, this.#input());
    for (const node of this.#graph.nodes) this.#append(node);
    for (const [name, output] of this.#graph.outputs) this.#output(name, output);
    const spiking = new Set(spikeValues(this.#graph));
    for (const node of this.#graph.nodes) {
      const { name } = node;
      if (this.options.spikes && spiking.has(name))
        this.#file.output(this.#names.get(name)!, this.#axesOf(name, this.#shapes.get(name)![0]!));
      if (this.options.step && operatorOf(node).neuron?.hasState)
        this.#file.output(`${name}.membrane_next`, this.#axesOf(name, 1));
    }
    return this.#file.encode(this.#graph.name, metadata);
  }

  #input(): string {
    const { imageSize, step } = this.options;
    const image = [this.#graph.inputChannels, ...imageSize];
    if (!this.frames || step) return this.#file.input('input', [this.#batch(1), ...image]);
    const frames = this.#file.input('input', [this.timeSteps, this.#batch(1), ...image]);
    const shape = BigInt64Array.from([-1, ...image], BigInt);
    const folded = this.#file.constant('input.shape', shape, [4]);
    return this.#file.node('Reshape', 'input.folded', [frames, folded])[0]!;
  }

  #append(node: Graph['nodes'][number]): void {
    const { toOnnx } = operatorOf(node);
    if (!toOnnx) throw new GraphError(`node ${node.name} (${node.operator}): it cannot be written as ONNX`);
    const membrane =
      this.options.step && operatorOf(node).neuron?.hasState
        ? {
            before: this.#file.input(`${node.name}.membrane`, this.#axesOf(node.name, 1)),
            after: `${node.name}.membrane_next`,
          }
        : undefined;
    const result = toOnnx(this.#file, {
      node: { ...node, name: this.#nameInFile(node.name) },
      attributes: node.attributes,
      inputs: node.inputs.map((value) => this.#names.get(value)!),
      inputShapes: node.inputs.map((value) => this.#shapes.get(value)!),
      outputShape: this.#shapes.get(node.name)!,
      parameter: (localName) => this.#parameter(`${node.parameterPrefix}.${localName}`),
      ...(membrane ? { membrane } : {}),
    });
    this.#names.set(node.name, result);
  }

  #parameter(name: string): Float32Array {
    const values = this.network.parameters.get(name);
    if (!values) throw new GraphError(`parameter ${name} is missing`);
    return values;
  }

  /** An output's name is its own: a node that is called so and makes something else has another name in the file. */
  #nameInFile(node: string): string {
    const output = this.#graph.outputs.get(node);
    return output === undefined || output.value === node ? node : `${node}.value`;
  }

  #output(name: string, { value }: GraphOutput): void {
    const found = this.#names.get(value)!;
    if (found !== name) this.#file.node('Identity', name, [found]);
    const shape = this.#shapes.get(value)!;
    const isMean = shape.length === 2 || this.#isWithoutTime(value);
    const axes = isMean ? [this.#batch(1), shape.at(-1)!, ...shape.slice(1, -1)] : this.#axesOf(value, shape[0]!);
    this.#file.output(name, axes);
  }

  /** Whether its node has taken the axis of time away. */
  #isWithoutTime(value: string): boolean {
    const node = this.#graph.nodes.find(({ name }) => name === value);
    if (node === undefined || operatorOf(node).meanOver !== 'time') return false;
    return this.#shapes.get(value)!.length < this.#shapes.get(node.inputs[0]!)!.length;
  }

  /** `[T·B, C, H, W]` of a map or tokens, `[T·B, C]` of a vector. */
  #axesOf(value: string, timeSteps: number): OnnxAxis[] {
    const [, , ...rest] = this.#shapes.get(value)!;
    const channels = rest.pop()!;
    return [this.#batch(timeSteps), channels, ...(rest.length === 1 ? this.#mapOf(value) : rest)];
  }

  /** Height and width of tokens, which are maps in the file: those of the map that they are a view of, or are viewed as. */
  #mapOf(value: string): readonly number[] {
    const seen = new Set<string>();
    const queue = [value];
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const shape = this.#shapes.get(name)!;
      if (shape.length === 5) return shape.slice(2, 4);
      for (const node of this.#graph.nodes) {
        if (node.name === name) queue.push(...node.inputs);
      }
    }
    throw new GraphError(`value ${value}: the map of its tokens is unknown`);
  }

  #batch(timeSteps: number): OnnxAxis {
    const { batch } = this.options;
    if (batch !== undefined) return timeSteps * batch;
    return timeSteps === 1 ? 'batch' : 'time_and_batch';
  }
}
