/** What a stream of decisions came to: times, energy, and a plot of both against the events of a window. */
import type { EventDecision } from '../api/eventDecisions.js';
import { writeNodeFile } from '../interop/nodeFile.js';
import { medianOf } from '../runtime/median.js';
import { streamPlot, type WindowCost } from './streamPlot.js';
import { counted, grouped, milliseconds } from './text.js';

/** Of a stream that goes on for days only the newest are kept, for medians and the plot. */
const most = 100_000;

export class StreamSummary {
  #costs: WindowCost[] = [];
  #windows = 0;
  #steps = 0;
  #events = 0;
  #millijoules = 0;
  #counts = false;
  #last: EventDecision | undefined;

  add(decision: EventDecision): void {
    const { windows, from, to, events, skipped, milliseconds: took, millijoules } = decision;
    this.#windows += windows;
    this.#steps = decision.step;
    this.#events += events;
    this.#millijoules += millijoules ?? 0;
    this.#counts ||= millijoules !== undefined;
    this.#last = decision;
    this.#costs.push({
      eventsPerSecond: (events / (to - from)) * 1e6,
      milliseconds: (took.frame + took.network) / windows,
      ...(millijoules === undefined ? {} : { microjoules: (millijoules / windows) * 1000 }),
      skipped,
    });
    if (this.#costs.length >= 2 * most) this.#costs = this.#costs.slice(-most);
  }

  /** The last line of `--json`. */
  document(about: object): object {
    const times = this.#times();
    return {
      command: 'stream',
      ...about,
      windows: this.#windows,
      steps: this.#steps,
      events: this.#events,
      predictions: this.#last?.predictions.slice(0, 5) ?? [],
      milliseconds:
        times.length === 0
          ? null
          : { median: medianOf(times), most: times.reduce((most, time) => Math.max(most, time), 0) },
      millijoules: this.#counts ? this.#millijoules : null,
    };
  }

  lines(): readonly string[] {
    const times = this.#times();
    const steps = `${counted(this.#windows, 'window')}, ${counted(this.#steps, 'step')}, ${grouped(this.#events)} events`;
    if (times.length === 0) return [steps];
    const energy = this.#counts ? `, ${(this.#millijoules * 1000).toPrecision(3)} µJ in all` : '';
    return [`${steps}; a step took ${milliseconds(medianOf(times))} (median)${energy}`];
  }

  writePlot(path: string, title: string): Promise<void> {
    return writeNodeFile(path, [new TextEncoder().encode(streamPlot(this.#costs.slice(-most), title))]);
  }

  #times(): number[] {
    return this.#costs.filter(({ skipped }) => !skipped).map((cost) => cost.milliseconds);
  }
}
