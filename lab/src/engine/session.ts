/**
 * The network inside the worker: opens weights, changes settings, runs images, and picks out of each run what the page looks at. It knows
 * nothing of pages or messages; `worker.ts` does.
 */
import {
  attentionHeads,
  countSpikes,
  createEngine,
  decodeImage,
  defaultEnergyConstants,
  EnergyMeter,
  type FieldTensor,
  loadModel,
  type Model,
  membraneTrace,
  type NeuronLayer,
  neuronLayers,
  type RgbImage,
  type RunOptions,
  type RunResult,
  rgbFromRgba,
} from '../../../src/index.browser.js';
import { denseViewOf, placed } from '../dense/denseView.js';
import { describedPicture, descriptorOf } from '../neighbours/describing.js';
import type {
  AttentionView,
  DescribedView,
  EnergyView,
  EngineSettings,
  Focus,
  FocusView,
  Frame,
  FrameView,
  ModelInfo,
  ModelSource,
} from './messages.js';
import { receivedPixels } from './receivedPixels.js';
import { type Progress, registeredWeights } from './weights.js';

/** A run that is still being looked at. */
interface Run {
  readonly image: number;
  readonly input: FieldTensor;
  /** The image's size in pixels. */
  readonly size: FrameView['size'];
  readonly result: RunResult;
  readonly currentOf: string | null;
  /** Milliseconds that the network takes. */
  readonly network: number;
}

/** Beyond this many, threads of a small network wait for each other more than they work. */
const mostThreadsByDefault = 8;
/** Runs of a photograph whose median is shown, and when to stop before. */
const measuredRuns = 7;
const measuringMilliseconds = 150;
/**
 * Frames of a camera are scaled down by the browser until their shorter side is this many times what the network's own resize makes of it, and
 * at most so many pixels: reading back and resizing a whole frame takes ten times as long as a small network.
 */
const frameSurplus = 3;
const longestFrameSide = 480;

/** Whose answers have a place. */
const shownTasks = ['classification', 'segmentation', 'detection', 'retrieval'];

export class Session {
  #model: Model | undefined;
  #own: ModelInfo['own'] | undefined;
  #layers: readonly NeuronLayer[] = [];
  #settings: EngineSettings | undefined;
  #focus: Focus = { layer: null, neuron: { channel: 0, position: null }, attention: null };
  #configuration = 0;
  #images = 0;
  #last: Run | undefined;
  #photograph: Blob | undefined;
  #frames: OffscreenCanvasRenderingContext2D | undefined;

  get configuration(): number {
    return this.#configuration;
  }

  /** Takes other weights; the network before stays when they cannot be used. */
  async open(source: ModelSource, settings: EngineSettings, progress: Progress): Promise<ModelInfo> {
    const start = performance.now();
    const { threads, precision, kernel } = settings;
    const engineOptions = { threads: threadsOf(threads), precision, spikeKernel: kernel };
    const weights = source.kind === 'file' ? source.file : await registeredWeights(source.name, progress);
    progress('Laying out the network', null);
    const loaded =
      typeof weights === 'string'
        ? await loadModel({ model: weights }, engineOptions)
        : await loadModel(
            { checkpoint: weights },
            { ...engineOptions, ...(source.kind === 'file' ? source.unseen : {}) },
          );
    if (loaded.modality !== 'image') {
      await loaded.dispose();
      throw new Error(
        `${loaded.provenance.name}: this network looks at ${loaded.modality}; choose Events above and drop it there`,
      );
    }
    if (!shownTasks.includes(loaded.task)) {
      await loaded.dispose();
      throw new Error(
        `${loaded.provenance.name}: this network is for ${loaded.task}; the page shows answers of ${shownTasks.join(', ')}`,
      );
    }
    const { timeSteps, threshold = 1 } = loaded.configuration;
    await this.#adopt(this.#configured(loaded, settings), settings);
    this.#own = { timeSteps, threshold };
    this.#last = undefined;
    return this.#info(performance.now() - start);
  }

  /** The same weights under other settings; the image shown last is to be run again. */
  async configure(settings: EngineSettings, progress: Progress): Promise<ModelInfo | undefined> {
    if (!this.#model || !this.#own) return undefined;
    progress('Laying out the network', null);
    const start = performance.now();
    const { threads, precision, kernel } = settings;
    const engine = await createEngine({ threads: threadsOf(threads), precision, spikeKernel: kernel });
    await this.#adopt(this.#configured(this.#model, settings, engine), settings);
    return this.#info(performance.now() - start);
  }

  #configured(model: Model, settings: EngineSettings, engine = model.engine): Model {
    const own = this.#model === model && this.#own ? this.#own : model.configuration;
    const timeSteps = settings.timeSteps ?? own.timeSteps;
    const threshold = settings.threshold ?? own.threshold;
    return model.reconfigured({ timeSteps, ...(threshold === undefined ? {} : { threshold }) }, engine);
  }

  async #adopt(model: Model, settings: EngineSettings): Promise<void> {
    const before = this.#model;
    this.#model = model;
    this.#settings = settings;
    this.#layers = neuronLayers(model.graph, model.preprocessing.crop);
    this.#configuration++;
    await before?.dispose();
  }

  #info(loadMilliseconds: number): ModelInfo {
    const model = this.#model!;
    const { precision, kernel } = this.#settings!;
    // Networks without attention and without strides of their own have neither to show.
    const { timeSteps, threshold = 1, heads = 0, strides = [] } = model.configuration;
    const { crop, resize } = model.preprocessing;
    const centredSquare = crop[0] === crop[1] && typeof resize === 'number';
    const shared = globalThis.crossOriginIsolated === true;
    const statistics = /running_(mean|var)$/;
    const trained = [...model.parameters].filter(([name]) => !statistics.test(name));
    return {
      name: model.provenance.name,
      description: model.provenance.description,
      randomWeights: model.provenance.randomWeights,
      parameters: trained.reduce((sum, [, values]) => sum + values.length, 0),
      labels: model.labels,
      hasLabels: model.hasLabels,
      heads,
      strides,
      layers: this.#layers,
      inputSize: crop,
      field: typeof resize === 'number' ? Math.min(1, Math.max(...crop) / resize) : 1,
      whole: !centredSquare || model.task !== 'classification',
      describes: model.task === 'retrieval',
      own: this.#own!,
      timeSteps,
      threshold,
      warnings: model.warnings,
      precision,
      kernel,
      threads: model.engine.threads,
      availableThreads: shared ? (navigator.hardwareConcurrency ?? 1) : 1,
      sharedMemory: shared,
      loadMilliseconds,
    };
  }

  look(focus: Focus): void {
    this.#focus = focus;
  }

  /** A picture of a gallery. */
  describe(id: number, image: Blob): Promise<DescribedView> {
    return describedPicture(this.#model, this.#configuration, { id, image });
  }

  /** Decodes an image and runs it. */
  async show(image: Blob | Frame, live: boolean): Promise<FrameView | undefined> {
    if (image instanceof Blob) this.#photograph = image;
    if (!this.#model) return undefined;
    const start = performance.now();
    const pixels = image instanceof Blob ? await decodeImage(image) : this.#pixelsOf(image);
    const input = await this.#model.inputOf([pixels]);
    return this.#run({ input, size: sizeOf(pixels), image: ++this.#images }, live, performance.now() - start);
  }

  #pixelsOf(frame: Frame): RgbImage {
    const [fullWidth, fullHeight] =
      'displayWidth' in frame ? [frame.displayWidth, frame.displayHeight] : [frame.width, frame.height];
    const { resize, crop } = this.#model!.preprocessing;
    // Where nothing is resized, the network sees pixels as they are.
    const enough =
      resize === null
        ? Number.POSITIVE_INFINITY
        : Math.min(longestFrameSide, frameSurplus * (typeof resize === 'number' ? resize : Math.max(...crop)));
    const shrink = Math.max(1, Math.min(fullWidth, fullHeight) / enough);
    const width = Math.max(1, Math.round(fullWidth / shrink));
    const height = Math.max(1, Math.round(fullHeight / shrink));
    try {
      const context = this.#canvas(width, height);
      context.drawImage(frame, 0, 0, width, height);
      return rgbFromRgba(width, height, context.getImageData(0, 0, width, height).data);
    } finally {
      frame.close();
    }
  }

  #canvas(width: number, height: number): OffscreenCanvasRenderingContext2D {
    const known = this.#frames;
    if (known?.canvas.width === width && known.canvas.height === height) return known;
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
    context.imageSmoothingQuality = 'medium';
    this.#frames = context;
    return context;
  }

  /** The photograph that was shown last, by weights that have not seen it. */
  async showPhotograph(): Promise<FrameView | undefined> {
    return this.#photograph && this.show(this.#photograph, false);
  }

  /** What was run last, once more, after a change of settings. */
  async showAgain(): Promise<FrameView | undefined> {
    const last = this.#last;
    return last && this.#run(last, false, 0);
  }

  /** What was run last, once more, for the currents of another layer: its time is known. */
  async lookAgain(): Promise<FrameView | undefined> {
    const last = this.#last;
    return last && this.#run(last, false, 0, last.network);
  }

  /** Whether a change of focus needs no run: the currents of the layer are there. */
  get seesFocus(): boolean {
    return this.#last !== undefined && this.#last.currentOf === (this.#layer()?.name ?? null);
  }

  async #run(
    { input, size, image }: Pick<Run, 'input' | 'size' | 'image'>,
    live: boolean,
    decode: number,
    knownTime?: number,
  ): Promise<FrameView> {
    const model = this.#model!;
    const layer = this.#layer()?.name ?? null;
    const record = { spikeWords: true, counts: true, inputCurrents: layer === null ? [] : [layer] };
    const result = await model.run(input, { record });
    const network =
      knownTime ?? (live ? result.milliseconds : await this.#usualTime(input, record, result.milliseconds));
    this.#last = { image, input, size, result, currentOf: layer, network };
    const { place, part } = placed(model.original(size));
    return {
      live,
      configuration: this.#configuration,
      image,
      size,
      place,
      dense: denseViewOf(model, result.outputs, part),
      descriptor: descriptorOf(model, result),
      classes: model.task === 'classification' ? scored(model, result.logits.data) : [],
      milliseconds: { decode, network },
      rates: this.#rates(result),
      input: receivedPixels(input, model),
      ...this.view(),
    };
  }

  /** The first run of a new layout fetches everything into the caches; what a person wants to compare is the median of a few. */
  async #usualTime(input: FieldTensor, record: RunOptions['record'] & object, first: number): Promise<number> {
    const times = [first];
    const start = performance.now();
    while (times.length < measuredRuns && performance.now() - start < measuringMilliseconds)
      times.push((await this.#model!.run(input, { record })).milliseconds);
    return times.sort((a, b) => a - b)[times.length >> 1]!;
  }

  /** What the page looks at, of the last run. */
  view(): { readonly focus: FocusView | null; readonly attention: AttentionView | null } {
    return { focus: this.#focusView(), attention: this.#attentionView() };
  }

  #layer(): NeuronLayer | undefined {
    return this.#layers.find(({ name }) => name === this.#focus.layer) ?? this.#layers[0];
  }

  #rates({ spikeWords }: RunResult): Float32Array {
    const { timeSteps } = this.#model!.configuration;
    // A head behind the mean over time fires once, whatever T is: that is its rate at every step.
    const rates = new Float32Array(this.#layers.length * timeSteps);
    this.#layers.forEach(({ name, channels, size }, index) => {
      const { words, shape } = spikeWords!.get(name)!;
      const steps = shape[0]!;
      const perStep = words.length / steps;
      const neurons = channels * size[0] * size[1];
      for (let t = 0; t < timeSteps; t++) {
        const from = Math.min(t, steps - 1) * perStep;
        rates[index * timeSteps + t] = countSpikes(words.subarray(from, from + perStep)) / neurons;
      }
    });
    return rates;
  }

  #focusView(): FocusView | null {
    const layer = this.#layer();
    const current = layer && this.#last?.result.inputCurrents?.get(layer.name);
    const spikes = layer && this.#last?.result.spikeWords?.get(layer.name);
    if (!layer || !current || !spikes) return null;
    const { channels, size } = layer;
    const middle = (size[0] >> 1) * size[1] + (size[1] >> 1);
    // Another layer may be smaller than the one in which this neuron was chosen.
    const neuron = {
      channel: Math.min(this.#focus.neuron.channel, channels - 1),
      position: Math.min(this.#focus.neuron.position ?? middle, size[0] * size[1] - 1),
    };
    return {
      layer: layer.name,
      title: layer.title,
      // The run keeps its own: messages give arrays away.
      words: spikes.words.slice(),
      timeSteps: spikes.shape[0]!,
      channels,
      size,
      neuron,
      trace: membraneTrace(current, neuron),
    };
  }

  #attentionView(): AttentionView | null {
    const wanted = this.#focus.attention;
    const queries = this.#layers.filter(({ role }) => role === 'query');
    const query = queries.find(({ attention }) => attention === wanted) ?? queries[0];
    const spikes = this.#last?.result.spikeWords;
    if (!query?.attention || !spikes) return null;
    const name = query.attention;
    const of = (wantedRole: NeuronLayer['role']) => {
      const layer = this.#layers.find(({ attention, role }) => attention === name && role === wantedRole);
      return spikes.get(layer!.name)!;
    };
    const { timeSteps, heads = 1 } = this.#model!.configuration;
    const three = { query: of('query'), key: of('key'), value: of('value') };
    const steps = Array.from({ length: timeSteps }, (_, timeStep) => attentionHeads(three, heads, { timeStep }));
    return { name, size: query.size, steps };
  }

  /** What the last run caused, counted while it ran. */
  energy(): EnergyView | undefined {
    const last = this.#last;
    if (!last) return undefined;
    const meter = new EnergyMeter(this.#model!, defaultEnergyConstants);
    meter.count(last.result.counts!);
    const { paper, exactMillijoules, memory } = meter.result();
    return {
      configuration: this.#configuration,
      image: last.image,
      paper: paper.millijoules,
      exact: exactMillijoules,
      ann: paper.annMillijoules,
      memory: memory.accessMillijoules,
      constants: defaultEnergyConstants,
    };
  }
}

function sizeOf({ width, height }: RgbImage): FrameView['size'] {
  return { width, height };
}

function scored(model: Model, logits: Float32Array): FrameView['classes'] {
  return model
    .rank(logits, 5)
    .map(({ index, label, probability }) => ({ index, label, probability, logit: logits[index]! }));
}

function threadsOf(wanted: number | null): number {
  const available = globalThis.crossOriginIsolated === true ? (navigator.hardwareConcurrency ?? 1) : 1;
  return wanted === null ? Math.min(available, mostThreadsByDefault) : Math.min(available, wanted);
}
