/**
 * How much memory what comes from outside may take: files declare sizes before they deliver bytes, so every reader asks here
 * before it allocates. One budget is shared by all decodes and archives that are open at a time, in all threads. Node only.
 */
import { totalmem } from 'node:os';
import { DataError } from './errors.js';

/** The share of the machine's (or the container's) memory that data may take when nothing else is said. */
const defaultShare = 1 / 4;

/** Cells of the shared memory, in bytes: in use, of that for what stays, and one for each thread's part of what is in use. */
const usedCell = 0;
const stayingCell = 1;
const firstThreadCell = 2;
const mostThreads = 1024;

/** Other threads cannot wake this one's event loop, so it looks for what they freed, while something waits. */
const millisecondsBetweenLooks = 5;

/** A budget as another thread can join it. Plain data, for a worker. */
export interface SharedMemoryBudget {
  readonly bytes: number;
  readonly cells: BigInt64Array;
  readonly thread: number;
}

interface WaitingRequest {
  readonly bytes: number;
  readonly what: string;
  start(): void;
  refuse(error: DataError): void;
}

/** Counts what is in use; a request beyond the whole is refused, one beyond what is free waits until others are done. */
export class MemoryBudget {
  readonly bytes: number;
  readonly #cells: BigInt64Array;
  readonly #thread: number;
  readonly #waiting: WaitingRequest[] = [];
  #nextThread = 0;
  #looking: ReturnType<typeof setInterval> | undefined;

  /** `bytes`: the whole budget. `shared`: of another thread, to be joined. */
  constructor(bytes: number, shared?: SharedMemoryBudget) {
    this.bytes = bytes;
    this.#cells = shared?.cells ?? new BigInt64Array(new SharedArrayBuffer(8 * (firstThreadCell + mostThreads)));
    this.#thread = shared?.thread ?? 0;
  }

  /** Bytes that are in use now, by all threads. */
  get used(): number {
    return Number(Atomics.load(this.#cells, usedCell));
  }

  /**
   * Reserves `bytes` for work that ends soon (a decode), waiting for others where it must. Gives the function that frees them.
   * Throws DataError, naming `what` and the option, when the budget would not do even then.
   */
  async reserve(bytes: number, what: string): Promise<() => void> {
    if (this.#staying + bytes > this.bytes) throw this.#refusal(bytes, what);
    if (this.#waiting.length > 0 || !this.#add(bytes)) {
      await new Promise<void>((start, refuse) => {
        this.#waiting.push({ bytes, what, start, refuse });
        this.#looking ??= setInterval(() => this.#startWaiting(), millisecondsBetweenLooks);
      });
    }
    return this.#release(bytes, false);
  }

  /** Reserves `bytes` for what stays (an archive's images); throws DataError at once when they are not free. */
  take(bytes: number, what: string): () => void {
    if (!this.#add(bytes)) throw this.#refusal(bytes, what);
    Atomics.add(this.#cells, stayingCell, BigInt(bytes));
    return this.#release(bytes, true);
  }

  /**
   * Runs work that cannot wait for others and is over when it returns: it is counted where there is room, and refused only when the budget
   * would not do with nothing else under way. Throws DataError, naming `what` and the option.
   */
  during<Result>(bytes: number, what: string, work: () => Result): Result {
    if (this.#staying + bytes > this.bytes) throw this.#refusal(bytes, what);
    const free = this.#add(bytes) ? this.#release(bytes, false) : () => {};
    try {
      return work();
    } finally {
      free();
    }
  }

  /** What a new thread needs to join, and what frees the thread's part when it is gone, however it ended. */
  share(): { readonly budget: SharedMemoryBudget; readonly free: () => void } {
    // Never 0, this thread's own: what frees the other's part would free this one's too.
    const thread = 1 + (this.#nextThread++ % (mostThreads - 1));
    const cell = firstThreadCell + thread;
    const free = () => {
      Atomics.sub(this.#cells, usedCell, Atomics.exchange(this.#cells, cell, 0n));
      this.#startWaiting();
    };
    return { budget: { bytes: this.bytes, cells: this.#cells, thread }, free };
  }

  get #staying(): number {
    return Number(Atomics.load(this.#cells, stayingCell));
  }

  /** Adds to what is in use unless the whole would be passed. */
  #add(bytes: number): boolean {
    for (let used = Atomics.load(this.#cells, usedCell); ; ) {
      if (Number(used) + bytes > this.bytes) return false;
      const found = Atomics.compareExchange(this.#cells, usedCell, used, used + BigInt(bytes));
      if (found === used) break;
      used = found;
    }
    Atomics.add(this.#cells, firstThreadCell + this.#thread, BigInt(bytes));
    return true;
  }

  #refusal(bytes: number, what: string): DataError {
    return new DataError(
      `${what}: needs ${inMebibytes(bytes)} MiB of memory, and ${inMebibytes(this.bytes)} MiB are allowed for data, of which ` +
        `${inMebibytes(this.used)} are in use; raise the limit with --memory if you trust the file`,
    );
  }

  #release(bytes: number, stays: boolean): () => void {
    let done = false;
    return () => {
      if (done) return;
      done = true;
      if (stays) Atomics.sub(this.#cells, stayingCell, BigInt(bytes));
      Atomics.sub(this.#cells, usedCell, BigInt(bytes));
      Atomics.sub(this.#cells, firstThreadCell + this.#thread, BigInt(bytes));
      this.#startWaiting();
    };
  }

  /** In the order of their requests, so that a large one is not passed by small ones for ever. */
  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const hopeless = this.#staying + next.bytes > this.bytes;
      if (!hopeless && !this.#add(next.bytes)) return;
      this.#waiting.shift();
      if (hopeless) next.refuse(this.#refusal(next.bytes, next.what));
      else next.start();
    }
    clearInterval(this.#looking);
    this.#looking = undefined;
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

/** The budget of this process. */
export function memoryBudget(): MemoryBudget {
  return shared;
}

/** Replaces the budget (the option `--memory`); to be called before anything is read. */
export function setMemoryBudget(bytes: number): void {
  shared = new MemoryBudget(bytes);
}

/** Makes this thread use the budget of the one that started it. */
export function joinMemoryBudget(budget: SharedMemoryBudget): void {
  shared = new MemoryBudget(budget.bytes, budget);
}
