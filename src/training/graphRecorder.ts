/**
 * Records one graph's part of a training step (`trainingPlan.ts`): the forward segment, and the backward segment that walks the same nodes
 * the other way. Between them the caller reads the outputs, computes the loss and writes the outputs' gradients.
 *
 * Memory is laid out ahead over both segments. Spikes stay as bits; values that are cheap to make again (batch normalisation, RepConv's
 * border) are not kept for the backward pass but written again when it needs them.
 */
import { type Storage, type Tensor, tensorAlignment } from '../engines/kernels.js';
import type { NormalisationTensors, TrainingKernels } from '../engines/trainingKernels.js';
import { GraphError } from '../graph/errors.js';
import { type Graph, type GraphOutput, type Node, outputValues } from '../graph/graph.js';
import { outputOf } from '../graph/outputs.js';
import { elementCount, type Shape } from '../graph/shape.js';
import type { GradientTarget, SurrogateSettings, TrainingCall, TrainingRules } from '../operators/operator.js';
import { inferKinds, inferShapes, operatorOf } from '../operators/registry.js';
import { spikeValues } from '../runtime/spikeValues.js';
import { type ActivationLayout, alignedBytes, layActivations } from './trainingMemory.js';
import type { RecordedGraph, Step, Target, TrainingOptions } from './trainingPlanTypes.js';

/** What all graphs of a network have together. */
export interface SharedParameters {
  readonly kernels: TrainingKernels;
  /** By the name of a parameter. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly gradients: ReadonlyMap<string, Tensor>;
}

export interface RecorderOptions extends Pick<TrainingOptions, 'spikeOffsets' | 'observed'> {
  /** Whether somebody reads the gradient of the input. */
  readonly inputGradient?: boolean;
}

export class GraphRecorder {
  readonly #kernels: TrainingKernels;
  readonly #graph: Graph;
  readonly #settings: SurrogateSettings;
  readonly #offsets: boolean;
  readonly #inputGradient: boolean;
  readonly #trained: ReadonlyMap<string, GraphOutput>;
  readonly #observed: ReadonlyMap<string, GraphOutput>;
  readonly #spikeOffsets = new Map<string, Tensor>();
  readonly #shapes: ReadonlyMap<string, Shape>;
  readonly #storages: ReadonlyMap<string, Storage>;
  readonly #producers: ReadonlyMap<string, Node>;
  readonly #position: ReadonlyMap<string, number>;
  /** Neuron layers that give out spikes. */
  readonly #spiking: ReadonlySet<string>;
  /** Batch norms whose output has no memory: all who read it normalise on their own. */
  readonly #unwritten: ReadonlySet<string>;
  /** View → value whose memory it shows. */
  readonly #roots = new Map<string, string>();
  readonly #declared = new Map<string, { readonly shape: Shape; readonly storage: Storage }>();
  readonly #forward: Step[] = [];
  readonly #backward: Step[] = [];
  /** Value (never a view) → id of the tensor with its gradient. */
  readonly #gradients = new Map<string, string>();
  /** Values written again in the backward pass → id of the copy. */
  readonly #again = new Map<string, string>();
  readonly #parameters: ReadonlyMap<string, Tensor>;
  readonly #parameterGradients: ReadonlyMap<string, Tensor>;
  readonly #statistics = new Map<string, Tensor>();
  readonly #batchStatistics = new Map<string, Tensor[]>();
  #temporaries = 0;

  /** @throws GraphError when the shape does not fit or an operator cannot train. */
  constructor(
    { kernels, parameters, gradients }: SharedParameters,
    graph: Graph,
    inputShape: Shape,
    settings: SurrogateSettings,
    { spikeOffsets = false, observed = [], inputGradient = false }: RecorderOptions = {},
  ) {
    this.#kernels = kernels;
    this.#parameters = parameters;
    this.#parameterGradients = gradients;
    this.#graph = graph;
    this.#settings = settings;
    this.#offsets = spikeOffsets;
    this.#inputGradient = inputGradient;
    this.#trained = new Map([...graph.outputs].filter(([name]) => !observed.includes(name)));
    this.#observed = new Map(observed.map((name) => [name, outputOf(graph, name)]));
    this.#shapes = inferShapes(graph, inputShape);
    this.#storages = new Map(
      [...inferKinds(graph)].map(([value, kind]) => [value, kind === 'binary' ? 'spikes' : 'real']),
    );
    this.#producers = new Map(graph.nodes.map((node) => [node.name, node]));
    this.#position = new Map(graph.nodes.map((node, index) => [node.name, index]));
    this.#spiking = new Set(spikeValues(graph));
    this.#unwritten = new Set(graph.nodes.map(({ name }) => name).filter((name) => this.#isUnwritten(name)));
  }

  /** @param segments Names of those that are recorded. */
  record(segments: { readonly forward: string; readonly backward: string }): RecordedGraph {
    this.#layStatistics();
    for (const [value, shape] of this.#shapes)
      this.#declared.set(value, { shape, storage: this.#storages.get(value)! });
    for (const node of this.#graph.nodes) this.#forwardNode(node);
    for (const { value } of this.#trained.values()) this.#claimGradient(value);
    for (const node of [...this.#graph.nodes].reverse()) this.#backwardNode(node);
    const { tensor, byteLength } = this.#layActivations();
    this.#kernels.segment(segments.forward);
    for (const step of this.#forward) step.emit(this.#kernels, tensor);
    this.#kernels.segment(segments.backward);
    for (const step of this.#backward) step.emit(this.#kernels, tensor);
    const outputs = [...this.#trained].map(
      ([name, { value }]) => [name, { value: tensor(value), gradient: tensor(gradientId(value)) }] as const,
    );
    const observed = [...this.#observed].map(([name, { value }]) => [name, tensor(value)] as const);
    return {
      graph: this.#graph,
      input: tensor(this.#graph.input),
      ...(this.#inputGradient ? { inputGradient: tensor(this.#gradients.get(this.#graph.input)!) } : {}),
      outputs: new Map(outputs),
      observed: new Map(observed),
      spikes: new Map([...this.#spiking].map((name) => [name, tensor(name)])),
      batchStatistics: this.#batchStatistics,
      spikeOffsets: this.#spikeOffsets,
      activationBytes: byteLength,
    };
  }

  #layStatistics(): void {
    for (const node of this.#graph.nodes) {
      for (const { name, shape } of rulesOf(node).statistics?.(node.attributes) ?? []) {
        const block = this.#kernels.allocate(alignedBytes(4 * elementCount(shape)));
        const tensor: Tensor = { shape, storage: 'real', block, byteOffset: 0 };
        this.#statistics.set(`${node.name} ${name}`, tensor);
        this.#batchStatistics.set(node.name, [...(this.#batchStatistics.get(node.name) ?? []), tensor]);
      }
    }
  }

  #rootOf(value: string): string {
    return this.#roots.get(value) ?? value;
  }

  #forwardNode(node: Node): void {
    if (operatorOf(node).isView) {
      this.#roots.set(node.name, this.#rootOf(node.inputs[0]!));
      return;
    }
    const rules = rulesOf(node);
    if (this.#unwritten.has(node.name)) {
      this.#forward.push({
        touches: node.inputs,
        emit: (kernels, tensor) => rules.measure!(kernels, this.#call(node, node.inputs, node.name, tensor)),
      });
      return;
    }
    const normalised = this.#unwritten.has(node.inputs[0]!) ? this.#producers.get(node.inputs[0]!)! : undefined;
    const inputs = normalised ? normalised.inputs : node.inputs;
    this.#forward.push({
      touches: [...inputs, node.name],
      emit: (kernels, tensor) =>
        rules.forward(kernels, {
          ...this.#call(node, inputs, node.name, tensor),
          ...(normalised ? { normalisation: this.#normalisation(normalised) } : {}),
        }),
    });
  }

  #isUnwritten(value: string): boolean {
    const node = this.#producers.get(value)!;
    if (!operatorOf(node).training?.measure || outputValues(this.#graph).has(value)) return false;
    const readers = this.#graph.nodes.filter(({ inputs }) => inputs.includes(value));
    return readers.length > 0 && readers.every((reader) => this.#normalises(reader));
  }

  #call(
    node: Node,
    inputs: readonly string[],
    output: string,
    tensor: (id: string) => Tensor,
  ): TrainingCall<Node['attributes']> {
    const found = (kind: string, value: Tensor | undefined): Tensor => {
      if (!value) throw new GraphError(`node ${node.name} (${node.operator}): it has no ${kind}`);
      return value;
    };
    return {
      node,
      attributes: node.attributes,
      // A view's value is read under its root's id, in the view's shape.
      inputs: inputs.map((id, index) => ({ ...tensor(id), shape: this.#shapes.get(node.inputs[index]!)! })),
      output: tensor(output),
      parameter: (local) => found(local, this.#parameters.get(`${node.parameterPrefix}.${local}`)),
      statistic: (name) => found(name, this.#statistics.get(`${node.name} ${name}`)),
    };
  }

  #backwardNode(node: Node): void {
    const gradient = this.#gradients.get(node.name);
    // A view shares its gradient with the value it shows.
    if (gradient === undefined || operatorOf(node).isView) return;
    const rules = rulesOf(node);
    if (rules.passesGradient) {
      for (const index of rules.passesGradient) this.#passGradient(node, node.inputs[index]!, gradient);
      return;
    }
    if (this.#offsets && this.#spiking.has(node.name)) this.#offset(node, gradient);
    const normalised = this.#normalised(node);
    const inputs = node.inputs.map((value, index) => {
      if (index === 0 && normalised) return this.#available(normalised.inputs[0]!);
      return rules.needsInputs.includes(index) ? this.#available(value) : value;
    });
    const targets = node.inputs.map((value, index) =>
      this.#wantsGradient(value) && !operatorOf(node).lendShape?.includes(index)
        ? this.#target(node, value, rules)
        : undefined,
    );
    this.#backward.push({
      touches: [
        ...rules.needsInputs.map((index) => inputs[index]!),
        gradient,
        ...targets.flatMap((target) => (target ? [target.id] : [])),
      ],
      emit: (kernels, tensor) =>
        rules.backward(kernels, {
          ...this.#call(node, inputs, node.name, tensor),
          outputGradient: tensor(gradient),
          inputGradients: targets.map((target): GradientTarget | undefined =>
            target ? { tensor: tensor(target.id), accumulate: target.accumulate } : undefined,
          ),
          parameterGradient: (local) => this.#parameterGradients.get(`${node.parameterPrefix}.${local}`)!,
          settings: this.#settings,
          ...(normalised ? { normalisation: this.#normalisation(normalised) } : {}),
        }),
    });
    for (const target of targets) if (target?.sumInto !== undefined) this.#sum(node, target.sumInto, target.id);
  }

  /** The batch normalisation that makes a node's input, where the node's backward call can do without its output. */
  #normalised(node: Node): Node | undefined {
    const value = node.inputs[0]!;
    return this.#normalises(node) && !this.#again.has(value) ? this.#producers.get(value) : undefined;
  }

  /** Whether a node can read the input of the batch normalisation before it in place of its output. */
  #normalises(node: Node): boolean {
    const value = node.inputs[0]!;
    const once = this.#shapes.get(value)![0] === 1 && this.#shapes.get(node.name)![0] === 1;
    const before = this.#producers.get(value);
    const normalises = before !== undefined && operatorOf(before).normalisation !== undefined;
    return once && normalises && rulesOf(node).normalises === true;
  }

  #normalisation(node: Node): NormalisationTensors {
    const of = (local: string) => this.#parameters.get(`${node.parameterPrefix}.${local}`)!;
    const measured = (name: string) => this.#statistics.get(`${node.name} ${name}`)!;
    return {
      weight: of('weight'),
      bias: of('bias'),
      batchMean: measured('batchMean'),
      batchInverseDeviation: measured('batchInverseDeviation'),
    };
  }

  /** All that the layers above say of the spikes has been added up by now, and only the neurons read it. */
  #offset(node: Node, gradient: string): void {
    const block = this.#kernels.allocate(tensorAlignment);
    const value: Tensor = { shape: [1], storage: 'real', block, byteOffset: 0 };
    this.#spikeOffsets.set(node.name, value);
    this.#backward.push({
      touches: [gradient],
      emit: (kernels, tensor) => kernels.addConstant({ name: node.name, tensor: tensor(gradient), value }),
    });
  }

  /** The input, unless it is asked for, and what only repeats it, have no use for a gradient. */
  #wantsGradient(value: string): boolean {
    if (value === this.#graph.input) return this.#inputGradient;
    const producer = this.#producers.get(value);
    return producer !== undefined && !operatorOf(producer).timeRepetition;
  }

  /** Where an operator writes the gradient of an input: a new tensor, the existing one, or a temporary that is added to it. */
  #target(node: Node, value: string, rules: TrainingRules): Target {
    if (!this.#gradients.has(this.#rootOf(value))) return { id: this.#claimGradient(value), accumulate: false };
    const own = this.#unshared(node, value);
    if (rules.accumulates) return { id: own, accumulate: true };
    return { id: this.#temporary(value), accumulate: false, sumInto: own };
  }

  /** A sum hands the same tensor to both of its sides: they share it until one of them is added to. */
  #passGradient(node: Node, value: string, gradient: string): void {
    if (!this.#wantsGradient(value)) return;
    const root = this.#rootOf(value);
    if (this.#gradients.has(root)) this.#sum(node, this.#unshared(node, value), gradient);
    else this.#gradients.set(root, gradient);
  }

  /**
   * The id of a value's gradient, free to be added to: a copy when another value shares it whose producer has yet to read it.
   */
  #unshared(node: Node, value: string): string {
    const root = this.#rootOf(value);
    const id = this.#gradients.get(root)!;
    const here = this.#position.get(node.name)!;
    const awaited = [...this.#gradients].some(
      ([other, otherId]) => otherId === id && other !== root && (this.#position.get(other) ?? -1) < here,
    );
    if (!awaited) return id;
    const copy = this.#temporary(value);
    this.#backward.push({
      touches: [id, copy],
      emit: (kernels, tensor) => kernels.repeat({ name: node.name, times: 1, input: tensor(id), output: tensor(copy) }),
    });
    this.#gradients.set(root, copy);
    return copy;
  }

  #sum(node: Node, into: string, from: string): void {
    this.#backward.push({
      touches: [into, from],
      emit: (kernels, tensor) =>
        kernels.add({ name: node.name, a: tensor(into), b: tensor(from), output: tensor(into) }),
    });
  }

  #claimGradient(value: string): string {
    const root = this.#rootOf(value);
    const id = gradientId(root);
    this.#declared.set(id, { shape: this.#shapes.get(root)!, storage: 'real' });
    this.#gradients.set(root, id);
    return id;
  }

  #temporary(value: string): string {
    const id = `temporary ${this.#temporaries++} of ${value}`;
    this.#declared.set(id, { shape: this.#shapes.get(value)!, storage: 'real' });
    return id;
  }

  /** The id under which a forward value can be read in the backward pass: itself, or a copy written again. */
  #available(value: string): string {
    const root = this.#rootOf(value);
    const known = this.#again.get(root);
    if (known !== undefined) return known;
    const node = this.#producers.get(root);
    const again = node && rulesOf(node).again;
    if (!node || !again) return root;
    const id = `again ${root}`;
    this.#declared.set(id, { shape: this.#shapes.get(root)!, storage: 'real' });
    const inputs = node.inputs.map((input) => this.#available(input));
    this.#backward.push({
      touches: [...inputs, id],
      emit: (kernels, tensor) => again(kernels, this.#call(node, inputs, id, tensor)),
    });
    this.#again.set(root, id);
    return id;
  }

  /** One arena for what lives in forward and backward. */
  #layActivations(): ActivationLayout {
    const end = this.#forward.length + this.#backward.length;
    // Between the segments the caller reads outputs and spikes and writes gradients.
    const between = this.#forward.length;
    return layActivations(this.#kernels, {
      steps: [...this.#forward, ...this.#backward].map(({ touches }) => touches),
      touchedBesides: [
        [this.#graph.input, 0],
        ...[...outputValues(this.#graph)].map((value) => [value, between] as const),
        ...[...this.#trained.values()].map(({ value }) => [gradientId(value), between - 1] as const),
        ...(this.#inputGradient ? [[this.#gradients.get(this.#graph.input)!, end] as const] : []),
        // Spikes stay to the end: they are few bits, and firing rates are read after the step.
        ...[...this.#spiking].map((value) => [value, end] as const),
      ],
      declared: this.#declared,
      rootOf: (id) => this.#rootOf(id),
    });
  }
}

function rulesOf(node: Node): TrainingRules {
  const rules = operatorOf(node).training;
  if (!rules) throw new GraphError(`node ${node.name} (${node.operator}): this operator cannot be trained`);
  return rules;
}

function gradientId(value: string): string {
  return `gradient ${value}`;
}
