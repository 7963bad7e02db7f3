/**
 * A network with its weights, ready to be asked: the one object users hold. It chooses passes, compiles once per input shape, and
 * converts between the field's layout (`[B, C, H, W]`) and ours. Platform-neutral; reading files is `loadModel`'s.
 */

import type { RgbImage } from '../data/image.js';
import { type PreprocessSettings, preprocessedLength, preprocessInto } from '../data/preprocess.js';
import { Countings } from '../energy/countings.js';
import type { Engine } from '../engines/kernels.js';
import { UsageError } from '../errors.js';
import type { Graph, Parameters } from '../graph/graph.js';
import { formatShape, type Shape } from '../graph/shape.js';
import { readAnswer } from '../inference/answer.js';
import { checkForms, checkRates } from '../inference/forms.js';
import { checkRunOptions, checkTop, measuredLayers, neuronNode } from '../inference/modelChecks.js';
import type {
  FieldTensor,
  ImageSource,
  ModelParts,
  PackedSpikes,
  Prediction,
  Provenance,
  RunOptions,
  RunResult,
  SpikeRecord,
  StepResult,
  Stream,
} from '../inference/modelTypes.js';
import { checkImages, type TakenInput, takeImages, takeInput } from '../inference/takenInput.js';
import { warningsOf } from '../inference/warnings.js';
import { constantsOf, type NeuronInput } from '../insight/membrane.js';
import { resolveConfiguration, type UnseenOptions, unseenOptionNames } from '../models/configurations.js';
import type { MetaSpikeformerConfiguration } from '../models/metaSpikeformer.js';
import { architectureOf, graphOf } from '../models/registry.js';
import { checkOptionNames } from '../optionNames.js';
import { type CompileOptions, compile, type Executable } from '../runtime/compile.js';
import { countSpikes, realToChannelsFirst, spikesToBits } from '../runtime/layout.js';
import { mergeByEngine } from '../runtime/mergeByEngine.js';
import { foldBatchNorm } from '../runtime/passes/foldBatchNorm.js';
import type { RepConvForm } from '../runtime/passes/mergeRepConv.js';
import type { Network } from '../runtime/passes/pass.js';
import { type PrepareOptions, prepareNetwork } from '../runtime/prepare.js';
import { spikeValues } from '../runtime/spikeValues.js';
import { type TuneOptions, type Tuning, tuneRepConvs } from '../runtime/tune.js';

export type * from '../inference/modelTypes.js';

/** Compiled input shapes kept at once: a person who varies the image size should not pay for all of them. */
const maximumExecutables = 4;

export class Model {
  readonly architecture: string;
  readonly configuration: MetaSpikeformerConfiguration;
  readonly provenance: Provenance;
  readonly preprocessing: PreprocessSettings;
  readonly labels: readonly string[];
  /** False when nobody named the classes and `labels` only numbers them. */
  readonly hasLabels: boolean;
  readonly engine: Engine;
  readonly #decode: ((image: ImageSource) => Promise<RgbImage>) | undefined;
  readonly #source: Network;
  #prepare: Omit<PrepareOptions, 'input'>;
  #firingRates: ReadonlyMap<string, number> = new Map();
  readonly #prepared = new Map<'image' | 'frames', Network>();
  readonly #executables = new Map<string, Executable>();
  readonly #countings = new Countings(this);
  /** Runs one after the other: they share the executable's memory. */
  #queue: Promise<unknown> = Promise.resolve();
  /** Room for the input of the next call, unless another call's waits in it: new memory for every run costs about as much as filling it. */
  #room: Float32Array | undefined;
  #stream: Stream | undefined;

  constructor(parts: ModelParts) {
    this.architecture = architectureOf(parts).name;
    this.configuration = parts.configuration;
    this.provenance = parts.provenance;
    this.preprocessing = parts.preprocessing;
    this.labels = parts.labels ?? Array.from({ length: parts.configuration.classes }, (_, index) => `class ${index}`);
    this.hasLabels = parts.labels !== undefined;
    this.engine = parts.engine;
    this.#source = { graph: graphOf(parts), parameters: parts.parameters };
    this.#prepare = parts.prepare ?? {};
    this.#decode = parts.decode;
  }

  /** What a person should know before believing the answers, a sentence each; none for a network used as it was trained. */
  get warnings(): readonly string[] {
    return warningsOf(this);
  }

  /** The network as its architecture defines it, before anything is rewritten. */
  get graph(): Graph {
    return this.#source.graph;
  }

  /** The weights by their names in the authors' `state_dict`, as they were loaded. Not to be changed. */
  get parameters(): Parameters {
    return this.#source.parameters;
  }

  /**
   * The same weights under other settings that leave no trace in them, on an engine of its own: what a change of time steps, threshold or
   * precision does can be seen without reading the weights again.
   *
   * @param engine Whose threads and memory the new model uses; its `dispose` ends it, and leaves this model's alone.
   * @throws UsageError for settings that cannot be.
   */
  reconfigured(changes: UnseenOptions, engine: Engine): Model {
    checkOptionNames<UnseenOptions>('reconfigured', changes, unseenOptionNames);
    return new Model({
      architecture: this.architecture,
      configuration: resolveConfiguration({ ...this.configuration, ...changes }),
      parameters: this.parameters,
      engine,
      provenance: this.provenance,
      preprocessing: this.preprocessing,
      prepare: this.#prepare,
      ...(this.hasLabels ? { labels: this.labels } : {}),
      ...(this.#decode ? { decode: this.#decode } : {}),
    });
  }

  /**
   * Measures how often neurons fire for inputs like these, and which form of each RepConv is faster then. Changes nothing; `chooseForms` does.
   *
   * @param inputs As for `run`, all of one shape.
   * @param engine One of its own, of this model's precision and threads; it keeps both forms of all weights, so dispose of it afterwards.
   * @throws UsageError as `run`; for no inputs, inputs of several shapes, and an engine that cannot measure layers.
   */
  async tune(inputs: readonly FieldTensor[], engine: Engine, options: TuneOptions = {}): Promise<Tuning> {
    checkOptionNames<TuneOptions>('tune', options, { rounds: true, onRound: true });
    const converted = inputs.map((input) => takeInput(input, this.configuration));
    return tuneRepConvs(engine, this.#source, converted, options);
  }

  /**
   * From the next run on RepConvs have these forms, by name (`block3.0.attn.q_conv`); others have what suits their shape. Spikes can differ only
   * where rounding decides.
   *
   * @param firingRates Share of neurons that fire, by the name of their layer, as `tune` and `run` find it for images like those that will come. Where it is high, the
   *   engine of precision `i16` takes rows of sums, which round weights more coarsely, unless the weights lie on its grid. `f32` does not ask.
   * @throws UsageError for a name that no RepConv or no neuron layer has, a form that there is not, or a rate that is no share; then everything stays as it was.
   */
  async chooseForms(
    forms: ReadonlyMap<string, RepConvForm>,
    firingRates: ReadonlyMap<string, number> = new Map(),
  ): Promise<void> {
    const [ownForms, ownRates] = [new Map(forms), new Map(firingRates)];
    return this.#inTurn(() => this.#chooseForms(ownForms, ownRates));
  }

  async #chooseForms(forms: ReadonlyMap<string, RepConvForm>, firingRates: ReadonlyMap<string, number>): Promise<void> {
    checkForms(this.#source.graph, forms);
    checkRates(this.#source.graph, firingRates);
    const full = new Set([...forms].filter(([, form]) => form === 'full').map(([name]) => name));
    // Folding a network of the paper's size takes half a second.
    const merged = full.size > 0 ? await mergeByEngine(this.engine, foldBatchNorm(this.#source), full) : new Map();
    this.#endStream();
    for (const executable of this.#executables.values()) executable.dispose();
    this.#executables.clear();
    this.#prepared.clear();
    this.#prepare = { ...this.#prepare, repConv: forms, merged };
    this.#firingRates = firingRates;
  }

  #inTurn<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #take(input: FieldTensor, timeSteps: number): TakenInput {
    const room = this.#room;
    this.#room = undefined;
    return takeInput(input, { ...this.configuration, timeSteps }, room);
  }

  async #write({ program, graph, tensor }: Executable, { data }: TakenInput): Promise<void> {
    await program.write(tensor(graph.input), data);
    this.#room = data;
  }

  /**
   * Runs a batch of preprocessed images, or of sequences of frames.
   *
   * @param input Normalised pixels, `[B, C, H, W]` for images (each shown for T steps) or `[T, B, C, H, W]` for frames.
   * @throws UsageError for numbers that are not finite (in the input or in the scores) or a length that does not fit; GraphError for a shape that does not fit.
   */
  async run(input: FieldTensor, options: RunOptions = {}): Promise<RunResult> {
    checkRunOptions('run', options);
    const taken = this.#take(input, this.configuration.timeSteps);
    const wanted = structuredClone(options);
    return this.#inTurn(() => this.#run(taken, wanted));
  }

  async #run(input: TakenInput, options: RunOptions): Promise<RunResult> {
    const executable = this.#executable(input.shape, options);
    const { program } = executable;
    await this.#write(executable, input);
    const start = performance.now();
    await program.run();
    const milliseconds = performance.now() - start;
    return {
      ...(await readAnswer(executable, this.provenance.name)),
      ...(await this.#recorded(executable, options)),
      milliseconds,
    };
  }

  /**
   * Runs one frame of a sequence, such as a video or an event stream; neurons keep their membranes for the next. T frames give the spikes
   * and the mean logits of `run` on the T frames at once, whatever the model's own time steps.
   *
   * @param frame Normalised pixels, `[B, C, H, W]`.
   * @throws UsageError when the frame has another shape than the one before it, or spikes are asked for in the middle of a sequence: call
   *   `resetState` first; else as `run`.
   */
  async step(frame: FieldTensor, options: RunOptions = {}): Promise<StepResult> {
    checkRunOptions('step', options);
    const taken = this.#take(frame, 1);
    const wanted = structuredClone(options);
    return this.#inTurn(() => this.#step(taken, wanted));
  }

  /** Begins a new sequence: membranes go to 0. */
  resetState(): Promise<void> {
    return this.#inTurn(() => this.#endStream());
  }

  #endStream(): void {
    this.#stream?.executable.dispose();
    this.#stream = undefined;
  }

  async #step(frame: TakenInput, options: RunOptions): Promise<StepResult> {
    if (options.record?.inputCurrents || options.record?.counts)
      throw new UsageError('record: inputCurrents and counts are not kept frame by frame; run the sequence at once');
    const stream = await this.#streamOf(frame.shape, options);
    const { executable, sum } = stream;
    const { program } = executable;
    await this.#write(executable, frame);
    const start = performance.now();
    await program.run();
    const milliseconds = performance.now() - start;
    const { logits, outputs } = await readAnswer(executable, this.provenance.name);
    const step = ++stream.steps;
    for (let i = 0; i < sum.length; i++) sum[i]! += logits.data[i]!;
    const meanLogits = { shape: logits.shape, data: Float32Array.from(sum, (value) => value / step) };
    // Running once more to measure layers would move the membranes.
    const { timings: _unused, ...record } = options.record ?? {};
    return { logits, outputs, meanLogits, step, ...(await this.#recorded(executable, { record }, 1)), milliseconds };
  }

  async #streamOf(shape: Shape, { record }: RunOptions): Promise<Stream> {
    const wantsSpikes = Boolean(record?.spikes || record?.firingRates || record?.spikeWords);
    const records = [...(wantsSpikes ? ['spikes'] : []), ...(record?.activations ? ['activations'] : [])];
    const known = this.#stream;
    if (known) {
      if (formatShape(known.shape) !== formatShape(shape)) {
        throw new UsageError(
          `frame: its shape differs from that of the frames before it; call resetState to begin another sequence`,
        );
      }
      const late = records.filter((what) => !known.records.includes(what));
      if (late.length > 0) {
        throw new UsageError(
          `record: ${late.join(' and ')} can be recorded from the first frame of a sequence on; call resetState first`,
        );
      }
      return known;
    }
    const { parameters } = this.#source;
    const { architecture, configuration } = this;
    const graph = graphOf({ architecture, configuration: { ...configuration, timeSteps: 1 } });
    const network = prepareNetwork({ graph, parameters }, { ...this.#prepare, input: 'frames' });
    const { stages } = network.graph;
    const keep = [...(wantsSpikes ? spikeValues(network.graph) : []), ...(record?.activations ? stages.values() : [])];
    const executable = compile(this.engine, network, shape, keep, {
      membranes: true,
      firingRates: this.#firingRates,
    });
    await executable.resetMembranes();
    const sum = new Float64Array(shape[1]! * this.configuration.classes);
    this.#stream = { shape, executable, records, sum, steps: 0 };
    return this.#stream;
  }

  /**
   * The most probable classes of an image, most probable first.
   *
   * @throws UsageError when it is no image or `top` is no number of classes; ImageError when it cannot be decoded.
   */
  async classify(image: ImageSource, top = 5): Promise<readonly Prediction[]> {
    checkTop(top);
    const { logits } = await this.run(await this.inputOf([image]));
    return this.rank(logits.data, top);
  }

  /** Decodes and preprocesses images into one batch `[B, 3, H, W]`. */
  async inputOf(images: readonly ImageSource[]): Promise<FieldTensor> {
    checkImages(images);
    const length = preprocessedLength(this.preprocessing);
    const data = new Float32Array(images.length * length);
    const shape = [images.length, 3, ...this.preprocessing.crop];
    const put = (pixels: RgbImage, index: number) => preprocessInto(pixels, this.preprocessing, data, index * length);
    await takeImages(images, (image) => this.#pixels(image), put);
    return { shape, data };
  }

  async #pixels(image: ImageSource): Promise<RgbImage> {
    if (!this.#decode)
      throw new UsageError('image: this model was made without a decoder; pass pixels {width, height, data}');
    return this.#decode(image);
  }

  /** The `top` most probable classes of one image's logits, most probable first; ties in the order of the classes. */
  rank(logits: Float32Array, top: number): readonly Prediction[] {
    checkTop(top);
    const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const weights = Array.from(logits, (logit) => Math.exp(logit - largest));
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights
      .map((weight, index) => ({ index, label: this.labels[index] ?? `class ${index}`, probability: weight / sum }))
      .sort((a, b) => b.probability - a.probability || a.index - b.index)
      .slice(0, top);
  }

  /** Stops the engine's threads and frees its memory. */
  async dispose(): Promise<void> {
    await this.#queue.catch(() => undefined);
    await this.engine.dispose();
  }

  #executable(shape: Shape, options: RunOptions): Executable {
    const { spikes = false, activations = false, firingRates = false, spikeWords = false } = options.record ?? {};
    const { inputCurrents = [], counts = false } = options.record ?? {};
    const keepSpikes = spikes || firingRates || spikeWords;
    const key = `${shape.join('x')} ${keepSpikes} ${activations} ${counts} ${inputCurrents.join(' ')}`;
    const known = this.#executables.get(key);
    if (known) {
      // Most recently used last.
      this.#executables.delete(key);
      this.#executables.set(key, known);
      return known;
    }
    const network = this.#network(shape[0]! > 1 ? 'frames' : 'image');
    const keep = [
      ...(keepSpikes ? spikeValues(network.graph) : []),
      ...(activations ? network.graph.stages.values() : []),
      ...inputCurrents.map((layer) => neuronNode(network.graph, layer).inputs[0]!),
    ];
    const compiled = (more: CompileOptions = {}) =>
      compile(this.engine, network, shape, keep, { firingRates: this.#firingRates, ...more });
    const executable = counts ? this.#countings.compiled(shape, network.graph.input, compiled) : compiled();
    for (const [oldest, unused] of this.#executables) {
      if (this.#executables.size < maximumExecutables) break;
      unused.dispose();
      this.#executables.delete(oldest);
    }
    this.#executables.set(key, executable);
    return executable;
  }

  #network(input: 'image' | 'frames'): Network {
    const known = this.#prepared.get(input);
    if (known) return known;
    const network = prepareNetwork(this.#source, { ...this.#prepare, input });
    this.#prepared.set(input, network);
    return network;
  }

  async #recorded(
    executable: Executable,
    options: RunOptions,
    timeSteps = this.configuration.timeSteps,
  ): Promise<Omit<RunResult, 'logits' | 'outputs' | 'milliseconds'>> {
    const { spikes, activations, firingRates, spikeWords, inputCurrents, timings } = options.record ?? {};
    const spikeRecords = new Map<string, SpikeRecord>();
    const rates = new Map<string, number>();
    const packed = new Map<string, PackedSpikes>();
    if (spikes || firingRates || spikeWords) {
      for (const value of spikeValues(executable.graph)) {
        const shape = executable.shapes.get(value)!;
        const words = await executable.program.readSpikes(executable.tensor(value));
        if (spikeWords) packed.set(value, { shape, words });
        if (spikes) spikeRecords.set(value, spikesToBits(words, shape));
        rates.set(value, countSpikes(words) / shape.reduce((a, b) => a * b, 1));
      }
    }
    const layerMilliseconds = timings ? await measuredLayers(executable.program) : undefined;
    const currents = new Map<string, NeuronInput>();
    for (const layer of inputCurrents ?? []) {
      const node = neuronNode(executable.graph, layer);
      const { inputs } = node;
      const values = await executable.program.read(executable.tensor(inputs[0]!));
      const input = realToChannelsFirst(values, executable.shapes.get(inputs[0]!)!, timeSteps);
      currents.set(layer, { ...input, ...constantsOf(node) });
    }
    const stages = new Map<string, FieldTensor>();
    if (activations) {
      for (const [name, value] of executable.graph.stages) {
        const values = await executable.program.read(executable.tensor(value));
        stages.set(name, realToChannelsFirst(values, executable.shapes.get(value)!, timeSteps));
      }
    }
    const counts = await this.#countings.read(executable);
    return {
      ...(counts ? { counts } : {}),
      ...(spikes ? { spikes: spikeRecords } : {}),
      ...(spikeWords ? { spikeWords: packed } : {}),
      ...(inputCurrents ? { inputCurrents: currents } : {}),
      ...(activations ? { activations: stages } : {}),
      ...(firingRates ? { firingRates: rates } : {}),
      ...(layerMilliseconds ? { layerMilliseconds } : {}),
    };
  }
}
