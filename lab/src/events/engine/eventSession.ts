/**
 * A network that looks at recordings, inside the worker: opens weights, reads recordings, and decides window by window with membranes that stay (`EventDecisions` of the
 * library). What is new makes what is under way stop; a change of focus is answered at once.
 */
import {
  countSpikes,
  defaultEnergyConstants,
  type EventDecision,
  EventDecisions,
  type EventPreprocessing,
  framesOf,
  type LiveWindow,
  loadModel,
  MetaSpikeformerError,
  type Model,
  modelNames,
  type NeuronLayer,
  neuronLayers,
  type PackedSpikes,
  parseEventPreprocessing,
  recordedWindows,
  type StepResult,
} from '../../../../src/index.browser.js';
import type { SpikesView } from '../../engine/messages.js';
import { registeredWeights } from '../../engine/weights.js';
import type {
  EventFocus,
  EventNetwork,
  FrameValues,
  FromEvents,
  NetworkSource,
  ToEvents,
  WindowView,
} from '../messages.js';
import { mostEvents, type ReadRecording, readRecording, Unusable } from './readRecording.js';
import { windowsInWords } from './windowsInWords.js';

/** Networks for recordings that may come with the library, the one to begin with first. */
const wishedNetworks: readonly string[] = ['nmnist', 'dvs-objects'];
/** Of each the spikes of all layers are kept. */
const mostWindows = 1000;
/** How long decisions are collected before the page is told. */
const tellingMilliseconds = 60;
const shownClasses = 5;

type Post = (message: FromEvents, transfer?: Transferable[]) => void;

/** The network as it was opened, and as it steps. */
interface Opened {
  readonly model: Model;
  readonly preprocessing: EventPreprocessing;
  readonly timeSteps: number;
  readonly layers: readonly NeuronLayer[];
}

/** A window that was decided about. */
interface Decided {
  readonly window: LiveWindow;
  readonly spikes: ReadonlyMap<string, PackedSpikes>;
}

export class EventSession {
  readonly #post: Post;
  #queue: Promise<void> = Promise.resolve();
  /** Counts messages that make what is under way worthless. */
  #newest = 0;
  #opened: Opened | undefined;
  #read: ReadRecording | undefined;
  /** How the recording at hand becomes frames. */
  #frames: EventPreprocessing | undefined;
  #decided: Decided[] = [];
  #isComplete = false;
  #focus: EventFocus = { layer: null, window: 0 };

  constructor(post: Post) {
    this.#post = post;
  }

  receive(message: ToEvents): void {
    if (message.kind === 'focus') {
      this.#focus = message.focus;
      this.#tellFocus();
      return;
    }
    const ticket = ++this.#newest;
    this.#queue = this.#queue.then(() => this.#answer(message, ticket));
  }

  /** What cannot be used takes nothing away: then what was stopped for it goes on from its beginning. */
  async #answer(message: Exclude<ToEvents, { readonly kind: 'focus' }>, ticket: number): Promise<void> {
    const what = message.kind === 'open' ? 'model' : 'recording';
    try {
      if (message.kind === 'open') await this.#open(message.source);
      else await this.#take(message.file, message.name);
    } catch (error) {
      this.#fail(what, error);
    }
    await this.#run(() => ticket === this.#newest).catch((error) => this.#fail(what, error));
  }

  #fail(what: 'model' | 'recording', error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    // What the library says is written for people; anything else is a defect, and the console has its trace.
    if (!(error instanceof MetaSpikeformerError || error instanceof Unusable)) console.warn(error);
    this.#post({ kind: 'failed', what, message });
  }

  /** Takes other weights; the network before stays when they cannot be used. */
  async #open(source: NetworkSource): Promise<void> {
    const names = wishedNetworks.filter((name) => modelNames().includes(name));
    this.#post({ kind: 'networks', names });
    const name = source.kind === 'registered' ? (source.name ?? names[0]) : undefined;
    if (source.kind === 'registered' && name === undefined) return;
    const progress = (what: string, share: number | null) => this.#post({ kind: 'progress', what, share });
    const checkpoint = source.kind === 'file' ? source.file : await registeredWeights(name!, progress);
    progress('Laying out the network', null);
    // Windows come one by one and are small: threads would wait for each other.
    const loaded = await loadModel(typeof checkpoint === 'string' ? { model: checkpoint } : { checkpoint }, {
      threads: 1,
    });
    const opened = await steppingOf(loaded);
    const before = this.#opened;
    this.#opened = opened;
    this.#forget();
    await before?.model.dispose();
    this.#post({ kind: 'ready', network: infoOf(opened, loaded.warnings) });
  }

  async #take(file: Blob, name: string): Promise<void> {
    this.#post({ kind: 'progress', what: `Reading ${name}`, share: null });
    const read = await readRecording(file, name);
    this.#read = read;
    this.#forget();
    if (read.isCut)
      this.#post({
        kind: 'note',
        text: `${name}: holds more events than this page keeps; it shows the first ${mostEvents.toLocaleString('en')}`,
      });
    // The page draws from a copy of its own.
    this.#post({ kind: 'recording', recording: read.recording });
  }

  #forget(): void {
    this.#isComplete = false;
    this.#decided = [];
    this.#post({ kind: 'begin' });
  }

  async #run(isCurrent: () => boolean): Promise<void> {
    if (!isCurrent()) return;
    if (this.#opened && this.#read && !this.#isComplete) {
      this.#forget();
      await this.#decide(this.#opened, this.#read, isCurrent);
    }
    if (!isCurrent()) return;
    this.#isComplete = true;
    this.#post({ kind: 'end' });
  }

  async #decide(opened: Opened, read: ReadRecording, isCurrent: () => boolean): Promise<void> {
    const { model, timeSteps } = opened;
    const { recording } = read;
    const frames = this.#preprocessingFor(opened, read);
    this.#frames = frames;
    await warmUp(model, frames);
    let step: StepResult | undefined;
    const decisions = new EventDecisions({
      model,
      preprocessing: frames,
      timeSteps,
      emptyWindows: 'shown',
      energy: defaultEnergyConstants,
      record: { spikeWords: true },
      onStep: (result) => {
        step = result;
      },
    });
    const teller = new Teller((windows) => {
      this.#post({ kind: 'windows', windows });
      this.#tellFocus();
    });
    // One more than is shown tells whether there are more.
    for (const window of recordedWindows(recording, frames.window, { limit: mostWindows + 1 })) {
      if (!isCurrent()) return;
      if (window.index === mostWindows) {
        const text = `${recording.name}: is longer than ${mostWindows} windows; the network looked at the first ${mostWindows}`;
        this.#post({ kind: 'note', text });
        break;
      }
      const decision = await decisions.decide(window);
      this.#decided.push({ window, spikes: step!.spikeWords! });
      await teller.add(viewOf(decision, step!, opened));
    }
    if (isCurrent()) teller.tell();
  }

  /** That of the network, for the sensor at hand where that is larger. */
  #preprocessingFor({ preprocessing }: Opened, { recording, sensorIsKnown }: ReadRecording): EventPreprocessing {
    const [height, width] = preprocessing.sensor;
    const { sensor, name } = recording;
    if (sensor.height <= height && sensor.width <= width) return preprocessing;
    const [newHeight, newWidth] = [Math.max(height, sensor.height), Math.max(width, sensor.width)];
    const adapted = parseEventPreprocessing({ ...preprocessing, sensor: [newHeight, newWidth] }, name);
    const what = sensorIsKnown ? 'was recorded at' : 'reaches over';
    this.#post({
      kind: 'note',
      text: `${name}: ${what} ${sensor.width} × ${sensor.height} pixels, the network learned from ${width} × ${height}; it is fitted to them, and the answers may mean little`,
    });
    return adapted;
  }

  #tellFocus(): void {
    const [spikes, frame] = [this.#spikes(), this.#frame()];
    const transfer = [...(spikes ? [spikes.words.buffer] : []), ...(frame ? [frame.data.buffer] : [])];
    this.#post({ kind: 'looked', spikes, frame }, transfer as Transferable[]);
  }

  #spikes(): SpikesView | null {
    const layers = this.#opened?.layers ?? [];
    const layer = layers.find(({ name }) => name === this.#focus.layer) ?? layers[0];
    const timeSteps = this.#decided.length;
    if (!layer || timeSteps === 0) return null;
    const steps = this.#decided.map(({ spikes }) => spikes.get(layer.name)!.words);
    const words = new Uint32Array(timeSteps * steps[0]!.length);
    for (const [step, own] of steps.entries()) words.set(own, step * own.length);
    const { name, title, channels, size } = layer;
    return { layer: name, title, words, timeSteps, channels, size, neuron: null };
  }

  /** Null where a frame depends on more than the events of its window. */
  #frame(): FrameValues | null {
    const { window } = this.#focus;
    const decided = this.#decided[window];
    const frames = this.#frames;
    if (!decided || !frames || !['polarities', 'signed', 'binary', 'hardvs'].includes(frames.representation.kind))
      return null;
    const whole = parseEventPreprocessing({ ...frames, timeSteps: 1, window: { by: 'bins', bins: 1 } });
    const { channels, height, width, data } = framesOf(decided.window.events, whole);
    return { window, channels, height, width, data };
  }
}

/** Collects decisions, and lets messages in between. */
class Teller {
  readonly #tell: (windows: readonly WindowView[]) => void;
  #waiting: WindowView[] = [];
  #last = performance.now();

  constructor(tell: (windows: readonly WindowView[]) => void) {
    this.#tell = tell;
  }

  async add(window: WindowView): Promise<void> {
    this.#waiting.push(window);
    if (performance.now() - this.#last < tellingMilliseconds) return;
    this.tell();
    await new Promise((resolve) => setTimeout(resolve));
    this.#last = performance.now();
  }

  tell(): void {
    if (this.#waiting.length > 0) this.#tell(this.#waiting);
    this.#waiting = [];
  }
}

/** @throws Unusable for a network that this pane cannot show. */
async function steppingOf(loaded: Model): Promise<Opened> {
  const { name } = loaded.provenance;
  try {
    if (loaded.modality !== 'events')
      throw new Unusable(`${name}: this network looks at ${loaded.modality}s; choose Images above and drop it there`);
    if (loaded.task !== 'classification')
      throw new Unusable(`${name}: this network answers a ${loaded.task}; this page shows classifiers`);
    const preprocessing = loaded.input.preprocessing as EventPreprocessing;
    const model = loaded.reconfigured({ timeSteps: 1 }, loaded.engine);
    const layers = neuronLayers(model.graph, preprocessing.size);
    return { model, preprocessing, timeSteps: loaded.configuration.timeSteps, layers };
  } catch (error) {
    await loaded.dispose();
    throw error;
  }
}

/** The first step of a layout fetches everything into the caches; a person wants to see what a window takes. */
async function warmUp(model: Model, { size: [height, width] }: EventPreprocessing): Promise<void> {
  const channels = model.configuration.inputChannels;
  const data = new Float32Array(channels * height * width);
  await model.resetState();
  await model.step({ shape: [1, channels, height, width], data }, { record: { spikeWords: true, counts: true } });
  await model.resetState();
}

function infoOf({ model, preprocessing, timeSteps, layers }: Opened, warnings: readonly string[]): EventNetwork {
  const statistics = /running_(mean|var)$/;
  const trained = [...model.parameters].filter(([name]) => !statistics.test(name));
  return {
    name: model.provenance.name,
    description: model.provenance.description,
    parameters: trained.reduce((sum, [, values]) => sum + values.length, 0),
    labels: model.labels,
    hasLabels: model.hasLabels,
    layers,
    warnings,
    timeSteps,
    windows: windowsInWords(preprocessing.window),
    size: preprocessing.size,
    threads: model.engine.threads,
  };
}

/** The first step of a sequence lays the network out as well; what is told is the time of the network itself. */
function viewOf(decision: EventDecision, step: StepResult, { model, layers }: Opened): WindowView {
  const { from, to, events, predictions, meanLogits, milliseconds, millijoules = 0 } = decision;
  const probabilities = new Float32Array(model.labels.length);
  for (const { index, probability } of predictions) probabilities[index] = probability;
  const classes = predictions.slice(0, shownClasses).map((prediction) => ({
    ...prediction,
    logit: meanLogits[prediction.index]!,
  }));
  const rates = Float32Array.from(
    layers,
    ({ name, channels, size }) => countSpikes(step.spikeWords!.get(name)!.words) / (channels * size[0] * size[1]),
  );
  const times = { frame: milliseconds.frame, network: step.milliseconds };
  return { from, to, events, classes, probabilities, milliseconds: times, millijoules, rates };
}
