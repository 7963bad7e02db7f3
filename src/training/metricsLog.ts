/**
 * `metrics.jsonl`: one JSON object a line, appended as training goes. A resumed run drops the lines it will write again. After every epoch
 * `curve.svg` shows them.
 */
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../interop/fileReasons.js';
import { writeNodeFile } from '../interop/nodeFile.js';
import { TrainingError } from './errors.js';
import { type CurveEpoch, learningCurve } from './learningCurve.js';
import { writing } from './runFolder.js';

export type MetricsLine = { readonly step: number } & Readonly<Record<string, unknown>>;

/** What the picture says beside the lines. */
export interface CurveTitle {
  readonly title: string;
  /** Whether the first of two figures is the better one. */
  readonly better: (one: number, other: number) => boolean;
}

export class MetricsLog {
  readonly #path: string;
  readonly #picture: string;
  readonly #curve: CurveTitle;
  readonly #epochs: CurveEpoch[] = [];
  #rate: number | undefined;

  constructor(output: string, curve: CurveTitle) {
    this.#path = join(output, 'metrics.jsonl');
    this.#picture = join(output, 'curve.svg');
    this.#curve = curve;
  }

  /**
   * Keeps the lines up to a step and of epochs that are over; step 0 begins anew. A half-written last line, as a kill leaves it, goes too.
   *
   * @param epoch The epoch that the run is in, whose own line is still to come.
   */
  async rewindTo(step: number, epoch: number): Promise<void> {
    const text = step === 0 ? '' : await this.#read();
    const kept = text.split('\n').filter((line) => isOfThePast(line, step, epoch));
    await writeNodeFile(this.#path, [new TextEncoder().encode(kept.map((line) => `${line}\n`).join(''))]);
    this.#epochs.length = 0;
    for (const line of kept) this.#remember(JSON.parse(line) as MetricsLine);
  }

  async append(line: MetricsLine): Promise<void> {
    await writing(this.#path, () => appendFile(this.#path, `${JSON.stringify(line)}\n`));
    if (!this.#remember(line)) return;
    const { title, better } = this.#curve;
    await writeNodeFile(this.#picture, [new TextEncoder().encode(learningCurve(this.#epochs, title, better))]);
  }

  /** @returns whether an epoch is over with it. */
  #remember(line: MetricsLine): boolean {
    if (typeof line.learningRate === 'number') this.#rate = line.learningRate;
    if (line.kind !== 'epoch' || typeof line.epoch !== 'number') return false;
    this.#epochs.push({ ...line, epoch: line.epoch, learningRate: this.#rate });
    return true;
  }

  async #read(): Promise<string> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw new TrainingError(`${this.#path}: cannot be read: ${reasonOf(cause as Error)}`, { cause });
    }
  }
}

function isOfThePast(text: string, step: number, epoch: number): boolean {
  try {
    const line = JSON.parse(text);
    if (typeof line.step !== 'number' || line.step > step) return false;
    return line.kind !== 'epoch' || line.epoch < epoch;
  } catch {
    return false;
  }
}
