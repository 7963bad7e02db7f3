/**
 * A network with its weights, ready to be asked: the one object users hold. It knows what a sample and a class are; how the network runs is `inference/`'s business.
 * Platform-neutral; reading files is `loadModel`'s.
 */

import type { RgbImage } from '../data/image.js';
import type { PreprocessSettings } from '../data/preprocess.js';
import type { Size } from '../data/resize.js';
import { Countings } from '../energy/countings.js';
import type { SpikeCounts } from '../energy/spikeCounting.js';
import type { Engine } from '../engines/kernels.js';
import { UsageError } from '../errors.js';
import { type Graph, type Parameters, spaceAxes } from '../graph/graph.js';
import { logitsOutput, outputOf } from '../graph/outputs.js';
import { Inference } from '../inference/inference.js';
import { networkOf } from '../inference/network.js';
import { takeInput } from '../inference/takenInput.js';
import { type TuneOptions, type Tuning, tuneRepConvs } from '../inference/tune.js';
import type { FieldTensor, Outputs } from '../inference/types.js';
import { warningsOf } from '../interop/warnings.js';
import { rankClasses } from '../metrics/ranking.js';
import { batchShape, frameLength, sampleLength } from '../modalities/input.js';
import { type AnyInput, inputOf } from '../modalities/inputs.js';
import { defaultModality, type ModalityName } from '../modalities/names.js';
import type { NetworkConfiguration } from '../models/architecture.js';
import type { UnseenOptions } from '../models/configurations.js';
import { architectureOf, describeNetwork } from '../models/registry.js';
import { checkNames, checkOptionNames } from '../optionNames.js';
import type { RepConvForm } from '../runtime/passes/mergeRepConv.js';
import { type Answer, answersOf, defaultTask, headOf, taskNamed } from '../tasks/registry.js';
import type { Original } from '../tasks/task.js';
import { checkRunOptions, checkTop, readingOf } from './checks.js';
import type {
  AnswerOptions,
  AskOptions,
  ImageSource,
  ImageView,
  ModelInput,
  ModelParts,
  Prediction,
  Provenance,
  RunOptions,
  RunResult,
  SampleReaders,
  SampleSource,
  StepResult,
  ViewedImage,
} from './modelTypes.js';
import { checkSamples, ownBytes, takeSamples } from './samples.js';
import { checkView, viewImage } from './views.js';

export type * from '../inference/types.js';
export type * from './modelTypes.js';

export class Model {
  readonly architecture: string;
  readonly configuration: NetworkConfiguration;
  /** What it is asked, and about what. */
  readonly task: string;
  readonly modality: ModalityName;
  readonly provenance: Provenance;
  /** What goes into it. */
  readonly input: ModelInput;
  readonly labels: readonly string[];
  /** False when nobody named the classes and `labels` only numbers them. */
  readonly hasLabels: boolean;
  readonly engine: Engine;
  readonly #decode: SampleReaders | undefined;
  readonly #kind: AnyInput;
  readonly #inference: Inference<SpikeCounts>;

  constructor(parts: ModelParts) {
    this.architecture = architectureOf(parts).name;
    this.configuration = parts.configuration;
    this.task = parts.task ?? defaultTask;
    this.modality = parts.modality ?? defaultModality;
    this.provenance = parts.provenance;
    const { preprocessing, reading = {} } = parts;
    this.#kind = inputOf(this.modality);
    const [shape, size] = [this.#kind.shapeOf(preprocessing), this.#kind.sizeOf(preprocessing)];
    this.input = { modality: this.modality, preprocessing, reading, size, ...shape };
    this.labels = parts.labels ?? Array.from({ length: parts.configuration.classes }, (_, index) => `class ${index}`);
    this.hasLabels = parts.labels !== undefined;
    this.engine = parts.engine;
    const network = networkOf(parts, parts.parameters, headOf(this.task, parts.configuration));
    this.#inference = new Inference({
      name: parts.provenance.name,
      network,
      engine: parts.engine,
      ...(parts.prepare ? { prepare: parts.prepare } : {}),
      observer: new Countings(network),
    });
    this.#decode = parts.decode;
  }

  /** What a person should know before believing the answers, a sentence each; none for a network used as it was trained. */
  get warnings(): readonly string[] {
    return warningsOf(this);
  }

  /** How images become its input. Of a model that looks at something else it throws UsageError: see `input`. */
  get preprocessing(): PreprocessSettings {
    const { modality, preprocessing } = this.input;
    if ('crop' in preprocessing) return preprocessing;
    throw new UsageError(
      `preprocessing: this model takes ${modality}, not images; its settings are input.preprocessing`,
    );
  }

  /** The network as its architecture defines it, before anything is rewritten. */
  get graph(): Graph {
    return this.#inference.network.graph;
  }

  /** The weights by their names in the authors' `state_dict`, as they were loaded. Not to be changed. */
  get parameters(): Parameters {
    return this.#inference.network.parameters;
  }

  /**
   * The same weights under other settings that leave no trace in them, on an engine of its own: what a change of time steps, threshold or
   * precision does can be seen without reading the weights again.
   *
   * @param engine Whose threads and memory the new model uses; its `dispose` ends it, and leaves this model's alone.
   * @throws UsageError for settings that cannot be.
   */
  reconfigured(changes: UnseenOptions, engine: Engine): Model {
    checkNames('reconfigured', changes, architectureOf(this).unseen);
    const network = describeNetwork(this.architecture, { ...this.configuration, ...changes });
    return new Model({
      ...network,
      task: this.task,
      modality: this.modality,
      parameters: this.parameters,
      engine,
      provenance: this.provenance,
      preprocessing: this.#kind.withTimeSteps(this.input.preprocessing, network.configuration.timeSteps),
      reading: this.input.reading,
      prepare: this.#inference.prepare,
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
    const settings = { ...this.graph, timeSteps: this.configuration.timeSteps };
    const taken = inputs.map((input) => takeInput(input, settings));
    return tuneRepConvs(engine, this.#inference.network, taken, options);
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
    return this.#inference.chooseForms(forms, firingRates);
  }

  /**
   * Runs a batch of preprocessed images, or of sequences of frames.
   *
   * @param input Normalised pixels, `[B, C, H, W]` for images (each shown for T steps) or `[T, B, C, H, W]` for frames; of a network over joints `[B, C, V]` or `[T, B, C, V]`.
   * @throws UsageError for numbers that are not finite (in the input or in the scores) or a length that does not fit; GraphError for a shape that does not fit.
   */
  async run(input: FieldTensor, options: RunOptions = {}): Promise<RunResult> {
    checkRunOptions('run', options);
    const { counts = false, ...record } = options.record ?? {};
    const follow = taskNamed(this.task).follow?.(this.configuration, this.graph, options.regions ?? {});
    if (options.regions && !follow)
      throw new UsageError('regions: this network looks at no regions of its own; leave them out');
    const { observed, ...answer } = await this.#inference.run(input, { ...record, observed: counts }, follow);
    return this.#withLogits({ ...answer, ...(observed ? { counts: observed } : {}) }, { logits: answer.outputs });
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
    if (this.graph.later)
      throw new UsageError(
        'step: this network looks at regions, which differ from frame to frame; run the sequence at once',
      );
    // Not the times of layers: running once more to measure them would move the membranes.
    const { inputCurrents, counts = false, timings: _unused, ...record } = options.record ?? {};
    if (inputCurrents)
      throw new UsageError('record: inputCurrents are not kept frame by frame; run the sequence at once');
    const { observed, ...answer } = await this.#inference.step(frame, { ...record, observed: counts });
    const counted = { ...answer, ...(observed ? { counts: observed } : {}) };
    return this.#withLogits(counted, { logits: answer.outputs, meanLogits: answer.meanOutputs });
  }

  /** The scores of a classifier under names of their own. Of other networks, who reads them gets a GraphError that says what there is. */
  #withLogits<Answer extends object, Name extends string>(
    answer: Answer,
    places: Readonly<Record<Name, Outputs>>,
  ): Answer & Readonly<Record<Name, FieldTensor>> {
    const { graph } = this;
    for (const [name, outputs] of Object.entries<Outputs>(places)) {
      const logits = outputs.get(logitsOutput);
      const property = logits
        ? { value: logits, enumerable: true, writable: true, configurable: true }
        : { get: () => outputOf(graph, logitsOutput) };
      Object.defineProperty(answer, name, property);
    }
    return answer as Answer & Readonly<Record<Name, FieldTensor>>;
  }

  /** Begins a new sequence: membranes go to 0. */
  resetState(): Promise<void> {
    return this.#inference.resetState();
  }

  /**
   * The most probable classes of an image, or of a recording where the model takes these, most probable first.
   *
   * @throws UsageError when it is none or `top` is no number of classes; ImageError or DataError when it cannot be read.
   */
  async classify(image: SampleSource, top = 5): Promise<readonly Prediction[]> {
    checkTop(top);
    const { logits } = await this.run(await this.inputOf([image]));
    return this.rank(logits.data, top);
  }

  /**
   * What the model's task says about an image, or about a recording where the model takes these: of a classifier its classes, of a segmentation a mask, of a detector boxes, in the
   * image's own pixels.
   *
   * @throws UsageError, ImageError or DataError as `classify`, and for a view as `view`.
   */
  async answer(sample: SampleSource, options: AskOptions = {}): Promise<Answer> {
    checkOptionNames<AskOptions>('answer', options, { top: true, threshold: true, view: true });
    const { view, ...read } = options;
    const reading = readingOf('answer', this.labels, read);
    if (view !== undefined) {
      const { outputs, original } = await this.view(sample as ImageSource, view);
      return answersOf(this.task, outputs, [original], reading)[0]!;
    }
    const taken = this.#taken(sample);
    const known = taken instanceof Promise ? await taken : taken;
    const original = this.original(known as Size);
    const { outputs } = await this.run(await this.inputOf([known as SampleSource]));
    return answersOf(this.task, outputs, [original], reading)[0]!;
  }

  /**
   * All of an image, also what the preprocessing would cut off: seen at once at its own size, or in windows. Only of a network that answers for every pixel (segmentation). The
   * outputs are in the image's own pixels, and are for `answers`. Of `whole` what was compiled for other inputs is given up, so that memory holds one size at a time.
   *
   * @throws UsageError for a network of another task, windows that cannot be, and an image that is too large; ImageError or DataError when it cannot be read.
   */
  async view(image: ImageSource, view: ImageView, options: RunOptions = {}): Promise<ViewedImage> {
    checkRunOptions('view', options);
    const { pixelScores: scores } = taskNamed(this.task);
    if (!scores)
      throw new UsageError(
        `view: images of a network for ${this.task} are seen as its preprocessing shows them; leave view out`,
      );
    const { preprocessing, configuration } = this;
    checkView(view, preprocessing.crop);
    const { counts: _nobodyLooksOn, ...record } = structuredClone(options.record ?? {});
    const run = (input: FieldTensor) =>
      view === 'whole' ? this.#inference.runAlone(input, record) : this.#inference.run(input, record);
    const taken = this.#taken(image);
    const known = taken instanceof Promise ? await taken : taken;
    return viewImage(known as RgbImage, view, { preprocessing, classes: configuration.classes, scores, run });
  }

  /** A sample in memory is given back at once: the caller may change it later. Bytes are copied before anything is waited for. */
  #taken(sample: SampleSource): unknown {
    checkSamples([sample], this.#kind);
    if (typeof sample === 'object' && this.#kind.isSample(sample)) return sample;
    return this.#read(sample instanceof Uint8Array || sample instanceof ArrayBuffer ? ownBytes(sample) : sample);
  }

  /**
   * What the model's task says of each sample of a run.
   *
   * @param outputs Of `run`.
   * @param originals One for each sample, as `original` gives them: answers are in their pixels.
   * @throws UsageError for options that cannot be.
   */
  answers(outputs: Outputs, originals: readonly Original[], options: AnswerOptions = {}): readonly Answer[] {
    return answersOf(this.task, outputs, originals, readingOf('answers', this.labels, options));
  }

  /** An image of this size as answers are brought into its pixels: with the place that it has in the network's input. */
  original({ width, height }: Size): Original {
    const { size, preprocessing } = this.input;
    const placement = this.#kind.placed?.({ width, height }, preprocessing);
    return placement ? { width, height, placement } : { width: size[1], height: size[0] };
  }

  /** Reads and preprocesses samples into one batch: images `[B, 3, H, W]`, recordings `[T, B, C, H, W]`. */
  async inputOf(samples: readonly SampleSource[]): Promise<FieldTensor> {
    const [kind, { input }] = [this.#kind, this];
    if (input.places.length !== spaceAxes(this.graph))
      throw new UsageError(
        `${kind.noun}s: this network takes rows of joints [T, B, ${this.graph.inputChannels}, V], not ${kind.noun}s; give it tensors (command run)`,
      );
    checkSamples(samples, kind);
    // The caller's list may change while samples are read.
    const { length: count } = samples;
    const data = new Float32Array(count * sampleLength(input));
    const frame = frameLength(input);
    const put = (sample: unknown, index: number) =>
      kind.write(sample, input.preprocessing, data, index * frame, count * frame);
    await takeSamples(samples, kind, (sample) => this.#read(sample), put);
    return { shape: batchShape(input, count), data };
  }

  async #read(sample: SampleSource): Promise<unknown> {
    const { noun, inMemory } = this.#kind;
    if (this.#decode === undefined)
      throw new UsageError(`${noun}: this model was made without a decoder; pass ${inMemory}`);
    const read = this.#decode[this.modality] as (sample: SampleSource) => Promise<unknown>;
    return read(sample);
  }

  /** The `top` most probable classes of one image's logits, most probable first; ties in the order of the classes. */
  rank(logits: Float32Array, top: number): readonly Prediction[] {
    checkTop(top);
    return rankClasses(logits, top).map(({ index, probability }) => ({
      index,
      label: this.labels[index] ?? `class ${index}`,
      probability,
    }));
  }

  /** Stops the engine's threads and frees its memory. */
  dispose(): Promise<void> {
    return this.#inference.dispose();
  }
}
