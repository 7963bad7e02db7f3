/**
 * A network as data: nodes in topological order, each naming its operator, its attributes and its inputs. Nothing here
 * computes or does I/O; what an operator means is in `operators/`, and every reader of the network starts from this.
 *
 * A value is named after the node that makes it (all operators have one result); the graph's input is a value too.
 */
import { GraphError } from './errors.js';

/** Attributes are plain data, so that a graph can be printed, compared and sent to another thread. */
export type Attributes = Readonly<Record<string, number | boolean | string | readonly number[]>>;

export interface Node<A extends Attributes = Attributes> {
  /** The authors' module path where there is one: `block3.0.attn.q_lif`. Unique in the graph. */
  readonly name: string;
  readonly operator: string;
  readonly attributes: A;
  /** Names of the values it reads. */
  readonly inputs: readonly string[];
  /** Parameters are called `${parameterPrefix}.weight` and so on; the node's name unless the authors nest differently. */
  readonly parameterPrefix: string;
  /** The authors' module that people see as one layer, of which this node is a part: a RepConv's `block3.0.attn.q_conv`. */
  readonly module?: string;
}

/** How a parameter starts before training. */
export type Initialiser =
  | { readonly kind: 'constant'; readonly value: number }
  /** Uniform in ±bound. */
  | { readonly kind: 'uniform'; readonly bound: number }
  /** Normal with this standard deviation, cut at ±2 as timm's `trunc_normal_` does. */
  | { readonly kind: 'truncatedNormal'; readonly deviation: number };

export type ParameterRole = 'weight' | 'bias' | 'runningMean' | 'runningVariance' | 'batchCount';

export interface ParameterSpec {
  /** The name in the authors' `state_dict`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: ParameterRole;
  readonly initial: Initialiser;
}

/**
 * What the numbers of an output are, so that a reader knows what to do with them without knowing the network. Open: a task that answers
 * something else adds a meaning.
 *
 * - `logits`: scores of classes before softmax, `[B, classes]`.
 * - `distilledLogits`: the same of a head that learns from a teacher and not from labels.
 * - `values`: numbers of which the graph says nothing more.
 */
export type OutputMeaning = 'logits' | 'distilledLogits' | 'values';

export interface GraphOutput {
  /** The value that is given out. */
  readonly value: string;
  readonly meaning: OutputMeaning;
}

export interface Graph {
  readonly name: string;
  /** Name of the input value, `[T or 1, B, H, W, C]`. */
  readonly input: string;
  readonly inputChannels: number;
  /**
   * Of an input that is a row of places without height, such as the joints of a skeleton: how many places figures are given for; runs take any number. The field's
   * layout is then `[T, B, C, V]`, and H is 1 inside. Absent for maps with height and width.
   */
  readonly rowLength?: number;
  readonly nodes: readonly Node[];
  /** Results by the names that callers know, the answer first. */
  readonly outputs: ReadonlyMap<string, GraphOutput>;
  /** The authors' modules whose outputs people look at (`block3.0`) → value. */
  readonly stages: ReadonlyMap<string, string>;
  /**
   * Graphs by name that are asked afterwards, about what somebody makes of this one's outputs: the heads of a detector, about regions that it proposed. Their nodes' names differ
   * from this one's, and their parameters are of the same set.
   */
  readonly later?: ReadonlyMap<string, LaterGraph>;
}

/** A graph that is asked after another one. */
export interface LaterGraph {
  readonly graph: Graph;
  /** Height and width of each thing that it is asked about. */
  readonly size: readonly [height: number, width: number];
}

/** Parameter values by name, in PyTorch's layouts. `num_batches_tracked` is not among them: inference never needs it. */
export type Parameters = ReadonlyMap<string, Float32Array>;

/** Puts a graph together in topological order; refuses double names and unknown inputs at once, where the mistake is made. */
export class GraphBuilder {
  readonly #name: string;
  readonly #input = 'input';
  readonly #inputChannels: number;
  readonly #rowLength: number | undefined;
  readonly #nodes: Node[] = [];
  readonly #known = new Set<string>();
  readonly #outputs = new Map<string, GraphOutput>();
  readonly #stages = new Map<string, string>();
  readonly #later = new Map<string, LaterGraph>();
  #module: string | undefined;

  /** @param options `rowLength` as the graph has it. */
  constructor(name: string, inputChannels: number, options: { readonly rowLength?: number } = {}) {
    this.#name = name;
    this.#rowLength = options.rowLength;
    this.#inputChannels = inputChannels;
    this.#known.add(this.#input);
  }

  get input(): string {
    return this.#input;
  }

  /** What there is so far. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** Appends a node and returns the name of its value. */
  add(node: {
    readonly name: string;
    readonly operator: string;
    readonly attributes?: Attributes;
    readonly inputs: readonly string[];
    readonly parameterPrefix?: string;
  }): string {
    if (this.#known.has(node.name)) throw new GraphError(`node ${node.name}: there is another value of this name`);
    for (const input of node.inputs) {
      if (!this.#known.has(input))
        throw new GraphError(`node ${node.name}: its input ${input} is not defined before it`);
    }
    this.#known.add(node.name);
    this.#nodes.push({
      name: node.name,
      operator: node.operator,
      attributes: node.attributes ?? {},
      inputs: node.inputs,
      parameterPrefix: node.parameterPrefix ?? node.name,
      ...(this.#module === undefined ? {} : { module: this.#module }),
    });
    return node.name;
  }

  /** The nodes that `build` appends are parts of one of the authors' modules. */
  module<T>(name: string, build: () => T): T {
    this.#module = name;
    const built = build();
    this.#module = undefined;
    return built;
  }

  /** Makes a value known as the output of one of the authors' modules. */
  stage(moduleName: string, value: string): string {
    this.#stages.set(moduleName, value);
    return value;
  }

  /** Gives a value out under a name; refuses a name that is taken and a value that nobody made. */
  output(name: string, value: string, meaning: OutputMeaning = 'values'): void {
    if (this.#outputs.has(name)) throw new GraphError(`output ${name}: there is another output of this name`);
    if (!this.#known.has(value)) throw new GraphError(`output ${name}: there is no value ${value}`);
    this.#outputs.set(name, { value, meaning });
  }

  /** Takes a graph that is asked afterwards (`Graph.later`); refuses a name that is taken. */
  later(name: string, later: LaterGraph): void {
    if (this.#later.has(name)) throw new GraphError(`graph ${name}: there is another later graph of this name`);
    this.#later.set(name, later);
  }

  build(): Graph {
    if (this.#outputs.size === 0) throw new GraphError(`graph ${this.#name}: it has no output`);
    return {
      name: this.#name,
      input: this.#input,
      inputChannels: this.#inputChannels,
      ...(this.#rowLength === undefined ? {} : { rowLength: this.#rowLength }),
      nodes: this.#nodes,
      outputs: this.#outputs,
      stages: this.#stages,
      ...(this.#later.size === 0 ? {} : { later: this.#later }),
    };
  }
}

/** Axes of space that the input has: height and width, or one of a row of places. */
export function spaceAxes({ rowLength }: Pick<Graph, 'rowLength'>): 1 | 2 {
  return rowLength === undefined ? 2 : 1;
}

/**
 * Height and width of the input that figures are given for.
 *
 * @param side That somebody asked for: of a square, or the places of a row.
 * @param usual Of maps, when nobody did.
 */
export function figureSize(
  { rowLength }: Pick<Graph, 'rowLength'>,
  side: number | undefined,
  usual: readonly [number, number],
): readonly [number, number] {
  if (rowLength !== undefined) return [1, side ?? rowLength];
  return side === undefined ? usual : [side, side];
}

/** For each value, the nodes that read it, in order. */
export function consumersOf(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      const readers = consumers.get(input);
      if (readers) readers.push(node);
      else consumers.set(input, [node]);
    }
  }
  return consumers;
}

/** The values that the graph gives out, each once. */
export function outputValues(graph: Graph): ReadonlySet<string> {
  return new Set([...graph.outputs.values()].map(({ value }) => value));
}

/** A graph and those that are asked after it. */
export function graphsOf(graph: Graph): readonly Graph[] {
  return [graph, ...[...(graph.later?.values() ?? [])].map((later) => later.graph)];
}

/** Values that must survive a rewriting of the graph: outputs and stages. */
export function namedValues(graph: Graph): ReadonlySet<string> {
  return new Set([...outputValues(graph), ...graph.stages.values()]);
}
