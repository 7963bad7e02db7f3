/** `metrics.jsonl`: one JSON object a line, appended as training goes. A resumed run drops the lines it will write again. */
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../interop/fileReasons.js';
import { writeNodeFile } from '../interop/nodeFile.js';
import { TrainingError } from './errors.js';
import { writing } from './runFolder.js';

export type MetricsLine = { readonly step: number } & Readonly<Record<string, unknown>>;

export class MetricsLog {
  readonly #path: string;

  constructor(output: string) {
    this.#path = join(output, 'metrics.jsonl');
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
  }

  async append(line: MetricsLine): Promise<void> {
    await writing(this.#path, () => appendFile(this.#path, `${JSON.stringify(line)}\n`));
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
