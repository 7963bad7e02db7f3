/**
 * Runs a network up to one node after the other while its parameters are being changed. Where a single value is all that later nodes read of earlier
 * ones (the output of a block, say), that value is kept and the next run begins there, so that a network of n layers does not cost n²/2.
 */
import type { Engine } from '../engines/kernels.js';
import type { Graph, Node } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';
import { inferKinds } from '../operators/registry.js';
import { compile, type Executable } from './compile.js';

/** A value that runs may begin with. */
interface Base {
  /** The node that makes it; −1 for the network's input. */
  readonly index: number;
  readonly value: string;
  readonly shape: Shape;
  readonly data: Float32Array;
}

export class PrefixRuns {
  readonly #engine: Engine;
  readonly #graph: Graph;
  readonly #parameters: ReadonlyMap<string, Float32Array>;
  readonly #shapes: ReadonlyMap<string, Shape>;
  readonly #positions: ReadonlyMap<string, number>;
  readonly #cuts: readonly number[];
  readonly #bases: [Base, ...Base[]];

  /**
   * @param parameters Read anew for every run; `changed` must be told of what changes.
   * @param shapes Of all values.
   */
  constructor(
    engine: Engine,
    graph: Graph,
    parameters: ReadonlyMap<string, Float32Array>,
    shapes: ReadonlyMap<string, Shape>,
    input: Float32Array,
  ) {
    this.#engine = engine;
    this.#graph = graph;
    this.#parameters = parameters;
    this.#shapes = shapes;
    this.#positions = new Map(graph.nodes.map((node, index) => [node.name, index]));
    this.#cuts = cutsOf(graph, shapes, this.#positions);
    this.#bases = [{ index: -1, value: graph.input, shape: shapes.get(graph.input)!, data: input }];
  }

  /**
   * Runs all nodes in front of `last` and lets `read` look at the values it names.
   *
   * @param keep Names of values in front of `last`; those in front of where the run begins are not there.
   */
  async upTo<Result>(
    last: Node,
    keep: readonly string[],
    read: (executable: Executable) => Promise<Result>,
  ): Promise<Result> {
    const end = this.#positions.get(last.name)!;
    const earliest = Math.min(end, ...keep.map((name) => this.#positions.get(name)!));
    for (const cut of this.#cuts)
      if (cut > this.#base(earliest).index && cut < earliest) this.#bases.push(await this.#baseAt(cut));
    return this.#run(this.#base(earliest), end, keep, read);
  }

  /** A parameter of this node was changed: what was computed with it is forgotten. */
  changed(node: Node): void {
    const index = this.#positions.get(node.name)!;
    while (this.#bases.length > 1 && this.#bases.at(-1)!.index >= index) this.#bases.pop();
  }

  /** The latest base in front of a node. */
  #base(index: number): Base {
    return this.#bases.findLast((base) => base.index < index) ?? this.#bases[0];
  }

  #baseAt(cut: number): Promise<Base> {
    const value = this.#graph.nodes[cut]!.name;
    return this.#run(this.#base(cut), cut + 1, [value], async ({ program, tensor }) => ({
      index: cut,
      value,
      shape: this.#shapes.get(value)!,
      data: await program.read(tensor(value)),
    }));
  }

  async #run<Result>(
    base: Base,
    end: number,
    keep: readonly string[],
    read: (executable: Executable) => Promise<Result>,
  ): Promise<Result> {
    const graph: Graph = {
      ...this.#graph,
      input: base.value,
      inputChannels: base.shape.at(-1)!,
      nodes: this.#graph.nodes.slice(base.index + 1, end),
      outputs: new Map(),
      stages: new Map(),
    };
    const executable = compile(this.#engine, { graph, parameters: this.#parameters }, base.shape, keep);
    try {
      await executable.program.write(executable.tensor(base.value), base.data);
      await executable.program.run();
      return await read(executable);
    } finally {
      executable.dispose();
    }
  }
}

/** Nodes behind which nothing reads what is in front of them, and whose values a run can begin with. */
function cutsOf(graph: Graph, shapes: ReadonlyMap<string, Shape>, positions: ReadonlyMap<string, number>): number[] {
  const kinds = inferKinds(graph);
  const cuts: number[] = [];
  // The earliest node that one behind the current one reads.
  let earliest = Number.POSITIVE_INFINITY;
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index]!;
    const plain = kinds.get(node.name) === 'real' && shapes.get(node.name)!.length === 5;
    if (earliest >= index && plain) cuts.unshift(index);
    for (const input of node.inputs) earliest = Math.min(earliest, positions.get(input) ?? -1);
  }
  return cuts;
}
