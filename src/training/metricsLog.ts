/** `metrics.jsonl`: one JSON object a line, appended as training goes. A resumed run drops the lines it will write again. */
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeNodeFile } from '../interop/nodeFile.js';

export type MetricsLine = { readonly step: number } & Readonly<Record<string, unknown>>;

export class MetricsLog {
  readonly #path: string;

  constructor(output: string) {
    this.#path = join(output, 'metrics.jsonl');
  }

  /** Keeps the lines up to a step; 0 begins anew. A half-written last line, as a kill leaves it, goes too. */
  async rewindTo(step: number): Promise<void> {
    const text = step === 0 ? '' : await readFile(this.#path, 'utf8').catch(() => '');
    const kept = text.split('\n').filter((line) => stepOf(line) <= step);
    await writeNodeFile(this.#path, [new TextEncoder().encode(kept.map((line) => `${line}\n`).join(''))]);
  }

  async append(line: MetricsLine): Promise<void> {
    await appendFile(this.#path, `${JSON.stringify(line)}\n`);
  }
}

function stepOf(line: string): number {
  try {
    const { step } = JSON.parse(line);
    return typeof step === 'number' ? step : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
