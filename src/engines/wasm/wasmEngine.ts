/**
 * The engine itself: one memory, one compiled module, its threads and its constants. Threads wait inside wasm for the
 * next program, so that a run sends no messages.
 */
import { EngineError } from '../errors.js';
import type { Engine } from '../kernels.js';
import type { TrainingEngine } from '../trainingKernels.js';
import { Constants } from './constants.js';
import type { EngineParts, Precision, SegmentBytes, SpikeKernel } from './engineParts.js';
import { fusedPlainKernels, fusedSharedKernels, plainKernels, sharedKernels } from './kernels.generated.js';
import { type MemoryGuard, WasmMemory } from './memory.js';
import {
  availableThreads,
  canFuseMultiplyAdd,
  canShareMemory,
  maySleep,
  startThread,
  type Thread,
} from './platform.js';
import { WasmRecorder, WasmTrainingRecorder } from './recorder.js';
import { wasmSegmentBytes } from './spikePlan.js';

export interface WasmEngineOptions {
  /** Threads that work on a program, the caller's included; all of the machine's when not given. */
  readonly threads?: number;
  /** False forces plain memory and one thread, as in a page without cross-origin isolation. */
  readonly sharedMemory?: boolean;
  /** The most that the wasm memory may grow to; 4 GiB when not given. */
  readonly maximumMemoryBytes?: number;
  /**
   * The most that tables of precomputed sums may take, over all programs (384 MiB when not given). A layer whose tables
   * do not fit any more adds single rows of weights instead: a quarter of the memory, more additions.
   */
  readonly tableBudgetBytes?: number;
  /**
   * `i16` rounds the weights of spike-fed layers to 8-bit integers with a scale per output channel and adds them up in 16 bits: a quarter of the memory, more
   * additions at a time, and nearly the same answers. Large pointwise convolutions on real numbers are multiplied in 16-bit integers altogether. Training ignores it. Default `f32`, exact.
   */
  readonly precision?: Precision;
  /**
   * `table` (default) adds rows of weights where spikes are; `dense` writes spikes out as zeros and ones and multiplies, as an engine does that
   * knows no spikes: for comparison. Sums are taken in another order, so the last bits differ. `f32` only; training ignores it.
   */
  readonly spikeKernel?: SpikeKernel;
  /**
   * Fused multiply-add on real numbers, which rounds once instead of twice; default: where the machine has it. False gives the same bits on every machine.
   */
  readonly fusedMultiplyAdd?: boolean;
}

const defaultTableBudgetBytes = 384 * 2 ** 20;
/** More threads than this were never measured, and a program's changes of instruction cost more with each. */
const mostThreads = 64;

/** Of the wasm module; `kernels/index.ts` says more. */
export interface Exports {
  run(program: number, count: number, scratch: number, stride: number, threads: number, maySleep: number): void;
  execute(instruction: number, scratch: number, from: number, until: number): void;
  stop(): void;
}

/** Who carries programs out on the engine's memory. */
export interface Executor {
  /** What the threads' kernels are fastest with. */
  readonly segmentBytes: SegmentBytes;
  /** Runs `count` instructions to the end, together with the threads that were started. */
  run(program: number, count: number, scratch: number, scratchStride: number, threads: number): void;
  startThread(thread: number): Promise<Thread>;
  /** Ends the life of every thread. */
  stop(): void;
  /** For finding kernels that touch what is not theirs. */
  readonly guard?: MemoryGuard;
}

/** What an executor has to work with. */
export interface ExecutorParts {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Of the calling thread's instance. */
  readonly exports: Exports;
}

export class WasmEngine implements Engine, TrainingEngine, EngineParts {
  /** Results of another precision are another engine's. */
  readonly name: string;
  private disposed = false;

  constructor(
    private readonly family: string,
    readonly memory: WasmMemory,
    readonly constants: Constants,
    private readonly executor: Executor,
    readonly precision: Precision,
    readonly spikeKernel: SpikeKernel,
    private readonly workers: readonly Thread[],
  ) {
    this.name = [
      family,
      ...(precision === 'f32' ? [] : [precision]),
      ...(spikeKernel === 'table' ? [] : [spikeKernel]),
    ].join(' ');
  }

  get segmentBytes(): SegmentBytes {
    return this.executor.segmentBytes;
  }

  get threads(): number {
    return this.workers.length + 1;
  }

  record(): WasmRecorder {
    this.expectAlive('record');
    return new WasmRecorder(this);
  }

  recordTraining(): WasmTrainingRecorder {
    this.expectAlive('recordTraining');
    return new WasmTrainingRecorder(this);
  }

  execute(code: number, count: number, scratch: number, scratchStride: number): void {
    if (count > 0) this.executor.run(code, count, scratch, scratchStride, this.threads);
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    if (this.workers.length > 0) this.executor.stop();
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  expectAlive(action: string): void {
    if (this.disposed) throw new EngineError(`${action}: the ${this.family} engine was disposed of; create a new one`);
  }
}

/**
 * Starts the SIMD engine.
 *
 * @throws EngineError when the options contradict each other, WebAssembly SIMD is missing, or a thread does not start.
 */
export function createWasmEngine(options: WasmEngineOptions = {}): Promise<WasmEngine> {
  return createEngineWith('wasm', options, ({ module, memory, exports }) => {
    const sleeps = maySleep() ? 1 : 0;
    return {
      segmentBytes: wasmSegmentBytes,
      run: (program, count, scratch, stride, threads) => exports.run(program, count, scratch, stride, threads, sleeps),
      startThread: (thread) => startThread({ module, memory, thread }),
      stop: () => exports.stop(),
    };
  });
}

/**
 * An engine with this memory and these instructions.
 *
 * @param family Its name, apart from what the options add.
 * @param executorOf Who carries them out.
 * @throws EngineError as `createWasmEngine`.
 */
export async function createEngineWith(
  family: string,
  options: WasmEngineOptions,
  executorOf: (parts: ExecutorParts) => Executor,
): Promise<WasmEngine> {
  const { precision = 'f32', spikeKernel = 'table' } = options;
  if (spikeKernel === 'dense' && precision !== 'f32') {
    throw new EngineError(`the dense kernel has no ${precision}: use f32, or the table kernel`);
  }
  const shared = options.sharedMemory ?? canShareMemory();
  const threads = await chooseThreads(options.threads, shared);
  const memory = new WasmMemory(shared, options.maximumMemoryBytes);
  const fused = (options.fusedMultiplyAdd ?? true) && (await canFuseMultiplyAdd());
  const module = await compiledOnce(kernelsFor(shared, fused));
  const instance = await WebAssembly.instantiate(module, { env: { memory: memory.memory } });
  const constants = new Constants(memory, options.tableBudgetBytes ?? defaultTableBudgetBytes);
  const exports = instance.exports as unknown as Exports;
  const executor = executorOf({ module, memory: memory.memory, exports });
  if (executor.guard) memory.guardWith(executor.guard);
  const workers = await startThreads(executor, threads);
  return new WasmEngine(family, memory, constants, executor, precision, spikeKernel, workers);
}

function kernelsFor(shared: boolean, fused: boolean): string {
  if (fused) return shared ? fusedSharedKernels : fusedPlainKernels;
  return shared ? sharedKernels : plainKernels;
}

async function chooseThreads(wanted: number | undefined, shared: boolean): Promise<number> {
  if (wanted === undefined) return shared ? Math.min(mostThreads, await availableThreads()) : 1;
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > mostThreads) {
    throw new EngineError(`threads is ${wanted}; expected a whole number from 1 to ${mostThreads}.`);
  }
  if (wanted > 1 && !shared) {
    throw new EngineError(
      `threads is ${wanted}, but there is no shared memory; use threads: 1, or serve the page with cross-origin isolation.`,
    );
  }
  return wanted;
}

/** By their text: a second engine of the same kernels need not decode and compile them again. */
const compiled = new Map<string, Promise<WebAssembly.Module>>();

function compiledOnce(base64: string): Promise<WebAssembly.Module> {
  const module = compiled.get(base64) ?? compile(base64);
  compiled.set(base64, module);
  return module;
}

async function compile(base64: string): Promise<WebAssembly.Module> {
  const binary = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  try {
    return await WebAssembly.compile(binary);
  } catch (cause) {
    throw new EngineError(
      'This JavaScript engine cannot compile the wasm kernels; WebAssembly with SIMD and threads is needed (Node 20, a browser of 2023 or later).',
      { cause },
    );
  }
}

/** Starts all but the caller's thread. When one fails, the others are stopped before the error is thrown. */
async function startThreads(executor: Executor, threads: number): Promise<Thread[]> {
  const starts = Array.from({ length: threads - 1 }, (_, index) => executor.startThread(index + 1));
  const results = await Promise.allSettled(starts);
  const workers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failure = results.find((result) => result.status === 'rejected');
  if (!failure) return workers;
  executor.stop();
  await Promise.all(workers.map((worker) => worker.terminate()));
  throw failure.reason;
}
