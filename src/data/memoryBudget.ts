/**
 * How much memory what comes from outside may take: files declare sizes before they deliver bytes, so every reader asks here
 * before it allocates. One budget is shared by all decodes and archives that are open at a time. Node only.
 */
import { totalmem } from 'node:os';
import { DataError } from './errors.js';

/** The share of the machine's (or the container's) memory that data may take when nothing else is said. */
const defaultShare = 1 / 4;

/** Counts what is in use; a request beyond the whole is refused, one beyond what is free waits until others are done. */
export class MemoryBudget {
  readonly bytes: number;
  #used = 0;
  readonly #waiting: { readonly bytes: number; readonly start: () => void }[] = [];

  /** `bytes`: the whole budget. */
  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** Bytes that are in use now. */
  get used(): number {
    return this.#used;
  }

  /**
   * Reserves `bytes` for work that ends soon (a decode), waiting for others where it must. Gives the function that frees them.
   * Throws DataError, naming `what` and the option, when the whole budget would not do.
   */
  async reserve(bytes: number, what: string): Promise<() => void> {
    if (bytes > this.bytes) throw this.#refusal(bytes, what);
    if (this.#waiting.length > 0 || this.#used + bytes > this.bytes) {
      await new Promise<void>((start) => this.#waiting.push({ bytes, start }));
    } else {
      this.#used += bytes;
    }
    return this.#release(bytes);
  }

  /** Reserves `bytes` for what stays (an archive's images); throws DataError at once when they are not free. */
  take(bytes: number, what: string): () => void {
    if (this.#used + bytes > this.bytes) throw this.#refusal(bytes, what);
    this.#used += bytes;
    return this.#release(bytes);
  }

  #refusal(bytes: number, what: string): DataError {
    return new DataError(
      `${what}: needs ${inMebibytes(bytes)} MiB of memory, and ${inMebibytes(this.bytes)} MiB are allowed for data, of which ` +
        `${inMebibytes(this.#used)} are in use; raise the limit with --memory if the file is to be trusted`,
    );
  }

  #release(bytes: number): () => void {
    let done = false;
    return () => {
      if (done) return;
      done = true;
      this.#used -= bytes;
      this.#startWaiting();
    };
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#used + next.bytes > this.bytes) return;
      this.#waiting.shift();
      this.#used += next.bytes;
      next.start();
    }
  }
}

function inMebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}

/** A quarter of the memory that this process may use: of the container's limit where there is one. */
export function defaultMemoryBytes(): number {
  const constrained = process.constrainedMemory?.() ?? 0;
  const whole = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.floor(whole * defaultShare);
}

let shared = new MemoryBudget(defaultMemoryBytes());

/** The budget of this thread. */
export function memoryBudget(): MemoryBudget {
  return shared;
}

/** Replaces the budget of this thread (the option `--memory`); to be called before anything is read. */
export function setMemoryBudget(bytes: number): void {
  shared = new MemoryBudget(bytes);
}
