/**
 * A network that looks at events as they come: one window, one step, membranes kept, and what it says so far. After T windows the answer is that of an evaluation of these
 * windows, to the bit; from then on it is about the last T. Windows without events need not be steps: then the network sleeps, and they cost nothing.
 */

import type { EnergyConstants } from '../energy/constants.js';
import { StepEnergy } from '../energy/stepEnergy.js';
import { UsageError } from '../errors.js';
import { inTimeOrder } from '../modalities/events/columns.js';
import { type FramePainter, framePainter, frameShape } from '../modalities/events/frames.js';
import type { LiveWindow } from '../modalities/events/liveWindows.js';
import type { EventPreprocessing } from '../modalities/events/settings.js';
import type { Model } from './model.js';
import type { Prediction, RunOptions, StepResult } from './modelTypes.js';

export interface EventDecisionsOptions {
  /** A classifier of one time step (see `Model.reconfigured`); its stream of frames is this object's alone. */
  readonly model: Model;
  /** How a window becomes a frame. */
  readonly preprocessing: EventPreprocessing;
  /** T: how many steps an answer is about. */
  readonly timeSteps: number;
  /** Whether the network takes a step for a window without events. */
  readonly emptyWindows: 'shown' | 'leftOut';
  /** Counts what each window costs; left out, nothing is counted. */
  readonly energy?: EnergyConstants;
  /** The membranes begin anew after every T steps, as an evaluation begins anew with every recording. Default false. */
  readonly resets?: boolean;
  /** What else to keep of each step; `onStep` sees it. */
  readonly record?: RunOptions['record'];
  /** Told of each step of the network, before the window's decision is handed out. */
  readonly onStep?: (result: StepResult) => void;
}

/** What a window brought. */
export interface EventDecision {
  /** Number of the window; of several silent ones the first. */
  readonly window: number;
  readonly windows: number;
  /** In microseconds of the recording. */
  readonly from: number;
  readonly to: number;
  readonly events: number;
  /** Steps that the network has taken; 0 before the first. */
  readonly step: number;
  /** Whether the network slept. */
  readonly skipped: boolean;
  /** All classes, most probable first; empty before the first step. */
  readonly predictions: readonly Prediction[];
  /** Mean of the scores of the steps that the answer is about. */
  readonly meanLogits: Float32Array;
  readonly milliseconds: { readonly frame: number; readonly network: number };
  /** Of the operations that the window caused, as they were counted. */
  readonly millijoules?: number;
}

const asleep = { frame: 0, network: 0 };

export class EventDecisions {
  readonly #options: EventDecisionsOptions;
  readonly #paint: FramePainter;
  readonly #shape: readonly number[];
  readonly #frame: Float32Array;
  /** Scores of the steps that the answer is about, oldest first. */
  readonly #recent: Float32Array[] = [];
  #step = 0;
  #energy: StepEnergy | undefined;
  #mean: Float32Array = new Float32Array(0);
  #predictions: readonly Prediction[] = [];

  /** @throws UsageError when the network does not take what the preprocessing makes, or has several time steps. */
  constructor(options: EventDecisionsOptions) {
    const { model, preprocessing } = options;
    const { channels, height, width } = frameShape(preprocessing);
    const { inputChannels, timeSteps } = model.configuration;
    if (channels !== inputChannels)
      throw new UsageError(
        `events: frames have ${channels} channels, the network takes ${inputChannels}; choose another representation`,
      );
    if (timeSteps !== 1)
      throw new UsageError(
        `events: the network has ${timeSteps} time steps; windows come one by one, reconfigure it to 1`,
      );
    this.#options = options;
    this.#paint = framePainter(preprocessing);
    this.#shape = [1, channels, height, width];
    this.#frame = new Float32Array(channels * height * width);
  }

  /**
   * Takes the next window; windows come in their order.
   *
   * @throws UsageError and GraphError as `Model.step`.
   */
  async decide({ index: window, windows, from, to, events }: LiveWindow): Promise<EventDecision> {
    const { emptyWindows, energy } = this.#options;
    const where = { window, windows, from, to, events: events.length };
    if (events.length === 0 && emptyWindows === 'leftOut') {
      const free = energy ? { millijoules: 0 } : {};
      return { ...where, ...this.#answer(), skipped: true, milliseconds: asleep, ...free };
    }
    let [frame, network, millijoules] = [0, 0, 0];
    // Silence that is shown is shown window by window.
    for (let shown = 0; shown < windows; shown++) {
      const start = performance.now();
      const ordered = inTimeOrder(events);
      this.#paint(ordered, { start: 0, end: ordered.length, from, to }, { target: this.#frame, offset: 0 });
      const painted = performance.now();
      millijoules += await this.#takeStep();
      frame += painted - start;
      network += performance.now() - painted;
    }
    const spent = energy ? { millijoules } : {};
    return { ...where, ...this.#answer(), skipped: false, milliseconds: { frame, network }, ...spent };
  }

  /** Prepares the network before the first window comes, which else would wait for it. */
  async warmUp(): Promise<void> {
    const { model, energy } = this.#options;
    const input = { shape: this.#shape, data: this.#frame };
    await model.step(input, energy ? { record: { counts: true } } : {});
    await model.resetState();
  }

  /** Begins a new recording. */
  async reset(): Promise<void> {
    await this.#options.model.resetState();
    this.#recent.length = 0;
  }

  /** @returns what the step cost, in millijoules; 0 where nothing is counted. */
  async #takeStep(): Promise<number> {
    const { model, timeSteps, energy, resets = false, record, onStep } = this.#options;
    if (resets && this.#recent.length === timeSteps) await this.reset();
    const input = { shape: this.#shape, data: this.#frame };
    const result = await model.step(input, { record: { ...record, ...(energy ? { counts: true } : {}) } });
    const { logits, counts } = result;
    onStep?.(result);
    this.#step++;
    this.#recent.push(logits.data);
    if (this.#recent.length > timeSteps) this.#recent.shift();
    this.#mean = meanOf(this.#recent);
    this.#predictions = model.rank(this.#mean, this.#mean.length);
    if (!energy || !counts) return 0;
    this.#energy ??= new StepEnergy(model.graph, counts.size, energy);
    return this.#energy.of(counts);
  }

  #answer(): Pick<EventDecision, 'step' | 'predictions' | 'meanLogits'> {
    return { step: this.#step, predictions: this.#predictions, meanLogits: this.#mean };
  }
}

/** In the order and precision of the engines' mean over time, so that it has their bits. */
function meanOf(steps: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(steps[0]!.length);
  for (const step of steps) for (let i = 0; i < sum.length; i++) sum[i]! += step[i]!;
  return sum.map((value) => value / steps.length);
}
