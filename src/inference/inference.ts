/**
 * The one way in which a network is asked: prepared by passes, compiled once per input shape, run with its calls one after the other, recorded, and continued frame by frame.
 * It speaks the field's layout (`[B, C, H, W]`) and answers by the names of the outputs; what they mean is its callers' business.
 */
import type { Engine } from '../engines/kernels.js';
import type { Shape } from '../graph/shape.js';
import type { Between, Follow } from '../models/later.js';
import { type CompileOptions, compile, type Executable } from '../runtime/compile.js';
import { mergeByEngine } from '../runtime/mergeByEngine.js';
import { foldBatchNorm } from '../runtime/passes/foldBatchNorm.js';
import type { RepConvForm } from '../runtime/passes/mergeRepConv.js';
import type { Network } from '../runtime/passes/pass.js';
import { type PrepareOptions, prepareNetwork } from '../runtime/prepare.js';
import { readOutputs } from './answer.js';
import { checkForms, checkRates } from './forms.js';
import { joined, laterNamed, recordOfFirst, recordOfLater } from './later.js';
import { type MeasuredCall, measuredCalls } from './measuring.js';
import type { TimedNetwork } from './network.js';
import type { Observer } from './observer.js';
import { readRecorded, valuesToKeep, wantsSpikes } from './recording.js';
import { type Recording, Recordings } from './recordings.js';
import { cutRegions } from './regions.js';
import { Stream } from './stream.js';
import { type TakenInput, takeInput } from './takenInput.js';
import type { Answer, FieldTensor, FrameAnswer, FrameRecordOptions, RecordOptions } from './types.js';

export interface InferenceParts<Observed> {
  /** What messages call the network. */
  readonly name: string;
  readonly network: TimedNetwork;
  /** Where it runs. `dispose` ends it. */
  readonly engine: Engine;
  /** How the network is rewritten before it runs. */
  readonly prepare?: Omit<PrepareOptions, 'input'>;
  /** Looks on in runs with `record.observed`. */
  readonly observer?: Observer<Observed>;
}

export class Inference<Observed = never> {
  readonly network: TimedNetwork;
  readonly engine: Engine;
  readonly #name: string;
  readonly #observer: Observer<Observed> | undefined;
  #prepare: Omit<PrepareOptions, 'input'>;
  #firingRates: ReadonlyMap<string, number> = new Map();
  readonly #prepared = new Map<'image' | 'frames', Network>();
  readonly #recordings = new Recordings<Observed>();
  /** Runs one after the other: they share the executable's memory. */
  #queue: Promise<unknown> = Promise.resolve();
  /** Room for the input of the next call, unless another call's waits in it: new memory for every run costs about as much as filling it. */
  #room: Float32Array | undefined;
  #stream: Stream<Observed> | undefined;
  /** The graphs behind this one, by name: on the same engine, asked within a turn. */
  readonly #later: ReadonlyMap<string, Inference<Observed>>;

  constructor({ name, network, engine, prepare = {}, observer }: InferenceParts<Observed>) {
    this.#name = name;
    this.network = network;
    this.engine = engine;
    this.#prepare = prepare;
    this.#observer = observer;
    const later = [...(network.graph.later ?? [])].map(([key, { graph }]): [string, Inference<Observed>] => {
      const part = { ...network, graph, oneStep: () => graph };
      const behind = observer?.behind?.(part);
      return [key, new Inference({ name, network: part, engine, prepare, ...(behind ? { observer: behind } : {}) })];
    });
    this.#later = new Map(later);
  }

  /** How the network is rewritten; changes with `chooseForms`. */
  get prepare(): Omit<PrepareOptions, 'input'> {
    return this.#prepare;
  }

  /**
   * Runs a batch of images, or of sequences of frames. The input is taken before anything is waited for, so that its buffer can be filled again.
   *
   * @param input `[B, C, H, W]` for images (each shown for T steps) or `[T, B, C, H, W]` for frames; of a network over a row of places `[B, C, V]` or `[T, B, C, V]`.
   * @param follow Asks the graphs behind the first one; without it the answer is the first one's.
   * @throws UsageError for numbers that are not finite (in the input or in the outputs), a length that does not fit, or a neuron layer to be recorded that there is not;
   *   GraphError for a shape that does not fit the network.
   */
  async run(input: FieldTensor, record: RecordOptions = {}, follow?: Follow): Promise<Answer<Observed>> {
    const taken = this.#take(input, this.network.timeSteps);
    const wanted = structuredClone(record);
    return this.#inTurn(() => (follow ? this.#followed(taken, wanted, follow) : this.#run(taken, wanted, true)));
  }

  /**
   * As `run` without graphs behind the first, for inputs that are large and of many sizes: what was compiled for others is given up before one is compiled for this size, so that
   * memory holds one at a time.
   */
  async runAlone(input: FieldTensor, record: RecordOptions = {}): Promise<Answer<Observed>> {
    const taken = this.#take(input, this.network.timeSteps);
    const wanted = structuredClone(record);
    return this.#inTurn(() => this.#run(taken, wanted, true, true));
  }

  /** As `run`, for an input that was taken already, and that nobody changes until the promise is kept. It stays the caller's. */
  async runTaken(input: TakenInput, record: RecordOptions = {}): Promise<Answer<Observed>> {
    const wanted = structuredClone(record);
    return this.#inTurn(() => this.#run(input, wanted, false));
  }

  /**
   * Runs one frame of a sequence, such as a video or an event stream; neurons keep their membranes for the next. T frames give the spikes of `run` on the T frames at once,
   * whatever the network's own time steps.
   *
   * @param frame `[B, C, H, W]`.
   * @throws UsageError when the frame has another shape than the one before it, or something is to be recorded in the middle of a sequence: call `resetState` first; else as
   *   `run`.
   */
  async step(frame: FieldTensor, record: FrameRecordOptions = {}): Promise<FrameAnswer<Observed>> {
    const taken = this.#take(frame, 1);
    const wanted = structuredClone(record);
    return this.#inTurn(() => this.#step(taken, wanted));
  }

  /** Begins a new sequence: membranes go to 0. */
  resetState(): Promise<void> {
    return this.#inTurn(() => this.#stream?.restart());
  }

  /**
   * Runs the network's kernel calls one at a time, and answers with their times instead of the outputs.
   *
   * @param input As `runTaken`'s.
   * @returns undefined when the engine cannot measure its calls.
   */
  async measure(input: TakenInput): Promise<readonly MeasuredCall[] | undefined> {
    return this.#inTurn(async () => {
      const { executable } = this.#recording(input.shape, {});
      await writeInput(executable, input);
      return measuredCalls(executable.program);
    });
  }

  /**
   * From the next run on RepConvs have these forms, by name; others have what suits their shape.
   *
   * @param firingRates Share of neurons that fire, by the name of their layer: engines may choose kernels by it.
   * @throws UsageError for a name that no RepConv or no neuron layer has, a form that there is not, or a rate that is no share; then everything stays as it was.
   */
  async chooseForms(forms: ReadonlyMap<string, RepConvForm>, firingRates: ReadonlyMap<string, number>): Promise<void> {
    const [ownForms, ownRates] = [new Map(forms), new Map(firingRates)];
    return this.#inTurn(async () => {
      checkForms(this.network.graph, ownForms);
      checkRates(this.network.graph, ownRates);
      const full = new Set([...ownForms].filter(([, form]) => form === 'full').map(([name]) => name));
      // Folding a network of the paper's size takes half a second.
      const merged = full.size > 0 ? await mergeByEngine(this.engine, foldBatchNorm(this.network), full) : new Map();
      this.#forgetRecordings();
      this.#prepared.clear();
      this.#prepare = { ...this.#prepare, repConv: ownForms, merged };
      this.#firingRates = ownRates;
    });
  }

  /** As `chooseForms`, while forms stay as they are. */
  async chooseRates(firingRates: ReadonlyMap<string, number>): Promise<void> {
    const own = new Map(firingRates);
    return this.#inTurn(() => {
      checkRates(this.network.graph, own);
      this.#forgetRecordings();
      this.#firingRates = own;
    });
  }

  /** Gives back the memory of everything that was compiled; the next run compiles anew. The engine goes on. */
  release(): Promise<void> {
    return this.#inTurn(async () => {
      this.#forgetRecordings();
      for (const later of this.#later.values()) await later.release();
    });
  }

  /** Waits for the runs that were asked for, then stops the engine's threads and frees its memory. */
  async dispose(): Promise<void> {
    await this.#queue.catch(() => undefined);
    await this.engine.dispose();
  }

  #inTurn<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #take(input: FieldTensor, timeSteps: number): TakenInput {
    const room = this.#room;
    this.#room = undefined;
    return takeInput(input, { ...this.network.graph, timeSteps }, room);
  }

  /**
   * @param isOurs Whether the input's memory may hold the next one as soon as the engine has this.
   * @param alone Whether what was compiled for other inputs is given up first.
   */
  async #run(input: TakenInput, record: RecordOptions, isOurs: boolean, alone = false): Promise<Answer<Observed>> {
    const recording = this.#recording(input.shape, record, alone);
    await writeInput(recording.executable, input);
    if (isOurs) this.#room = input.data;
    return this.#answer(recording, record, this.network.timeSteps);
  }

  async #followed(input: TakenInput, record: RecordOptions, follow: Follow): Promise<Answer<Observed>> {
    const [, batch, height, width] = input.shape as [number, number, number, number];
    const first = await this.#run(input, recordOfFirst(this.network.graph, record), true);
    const rest: Answer<Observed>[] = [];
    const seen: [graph: string, observed: Observed][] = [];
    const kept = new Map<string, FieldTensor>();
    const between: Between = {
      ...{ size: [height, width], batch },
      cut: (request) => cutRegions(this.engine, request),
      run: async (graph, regions) => {
        const later = laterNamed(this.#later, graph);
        const answer = await later.run(regions, recordOfLater(later.network.graph, record));
        rest.push(answer);
        if (answer.observed !== undefined) seen.push([graph, answer.observed]);
        return answer.outputs;
      },
      keep: (name, activation) => kept.set(name, activation),
    };
    const outputs = await follow(first.outputs, between);
    const answer = joined(first, [{ milliseconds: 0, activations: kept }, ...rest], outputs);
    if (first.observed === undefined || !this.#observer?.together) return answer;
    return { ...answer, observed: this.#observer.together(first.observed, seen) };
  }

  async #step(frame: TakenInput, record: FrameRecordOptions): Promise<FrameAnswer<Observed>> {
    const stream = await this.#streamOf(frame.shape, record);
    await writeInput(stream.executable, frame);
    this.#room = frame.data;
    const answer = await this.#answer(stream, record, 1);
    return { ...answer, ...stream.add(answer.outputs) };
  }

  async #answer(
    { executable, observation }: Recording<Observed>,
    record: RecordOptions,
    timeSteps: number,
  ): Promise<Answer<Observed>> {
    const start = performance.now();
    await executable.program.run();
    const milliseconds = performance.now() - start;
    const outputs = await readOutputs(executable, this.#name);
    const recorded = await readRecorded(executable, record, timeSteps);
    const observed = await observation?.read(executable.program);
    return { outputs, ...recorded, ...(observed === undefined ? {} : { observed }), milliseconds };
  }

  #recording(shape: Shape, record: RecordOptions, alone = false): Recording<Observed> {
    const { activations = false, observed = false, inputCurrents = [] } = record;
    const key = `${shape.join('x')} ${wantsSpikes(record)} ${activations} ${observed} ${inputCurrents.join(' ')}`;
    return this.#recordings.get(key, alone, () => {
      const network = this.#network(shape[0]! > 1 ? 'frames' : 'image');
      const observation = observed ? this.#observer?.begin(shape, network.graph.input, 'all') : undefined;
      const options = observation ? { observe: observation.observe } : {};
      const executable = this.#compiled(network, shape, record, options);
      return { executable, ...(observation ? { observation } : {}) };
    });
  }

  #compiled(network: Network, shape: Shape, record: RecordOptions, options: CompileOptions): Executable {
    const keep = valuesToKeep(network.graph, record);
    return compile(this.engine, network, shape, keep, { firingRates: this.#firingRates, ...options });
  }

  #network(input: 'image' | 'frames'): Network {
    const known = this.#prepared.get(input);
    if (known) return known;
    const network = prepareNetwork(this.network, { ...this.#prepare, input });
    this.#prepared.set(input, network);
    return network;
  }

  async #streamOf(shape: Shape, record: FrameRecordOptions): Promise<Stream<Observed>> {
    if (this.#stream && !this.#stream.fits(shape, record)) this.#endStream();
    if (this.#stream) {
      this.#stream.check(shape, record);
      return this.#stream;
    }
    const source = { graph: this.network.oneStep(), parameters: this.network.parameters };
    const network = prepareNetwork(source, { ...this.#prepare, input: 'frames' });
    const observation = record.observed ? this.#observer?.begin(shape, network.graph.input, 'one') : undefined;
    const observe = observation ? { observe: observation.observe } : {};
    const executable = this.#compiled(network, shape, record, { membranes: true, ...observe });
    await executable.resetMembranes();
    this.#stream = new Stream({ executable, ...(observation ? { observation } : {}) }, shape, record);
    return this.#stream;
  }

  #endStream(): void {
    this.#stream?.executable.dispose();
    this.#stream = undefined;
  }

  #forgetRecordings(): void {
    this.#endStream();
    this.#recordings.clear();
  }
}

function writeInput({ program, graph, tensor }: Executable, { data }: TakenInput): Promise<void> {
  return program.write(tensor(graph.input), data);
}
