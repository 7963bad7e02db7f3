/**
 * The little that differs between Node and a browser: how a thread is started from source text, how many there should
 * be, and whether the calling thread may sleep. Modules of Node are imported only under Node, and by a name that bundlers
 * do not follow.
 */
import { EngineError } from '../errors.js';

/** What a worker is given. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
}

/** A running thread, already in its loop. */
export interface Thread {
  terminate(): Promise<void>;
}

interface WorkerThreads {
  Worker: typeof import('node:worker_threads').Worker;
}

interface OperatingSystem {
  availableParallelism(): number;
}

interface HeapEngine {
  setFlagsFromString(flags: string): void;
}

const nodeHeapEngine = 'node:v8';
const nodeWorkerThreads = 'node:worker_threads';
const nodeOperatingSystem = 'node:os';

export function isNode(): boolean {
  return typeof process !== 'undefined' && typeof process.versions?.node === 'string';
}

/** Threads that can work at once on this machine. */
export async function availableThreads(): Promise<number> {
  if (!isNode()) return globalThis.navigator?.hardwareConcurrency ?? 1;
  const os: OperatingSystem = await import(/* @vite-ignore */ /* webpackIgnore: true */ nodeOperatingSystem);
  return os.availableParallelism();
}

/** A page without cross-origin isolation has no shared memory. */
export function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  return isNode() || globalThis.crossOriginIsolated === true;
}

/** The main thread of a page must not block, so it spins. */
export function maySleep(): boolean {
  return isNode() || typeof (globalThis as { WorkerGlobalScope?: unknown }).WorkerGlobalScope !== 'undefined';
}

/** One function that returns a · b + c of three vectors: valid where relaxed SIMD is. */
const fusedProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2,
  0xfd, 0x85, 0x02, 11,
]);

/** Whether kernels may use fused multiply-add. V8 has it from version 11.4 on; Node 20, which has 11.3, is told to switch it on. */
export async function canFuseMultiplyAdd(): Promise<boolean> {
  if (WebAssembly.validate(fusedProbe)) return true;
  if (!isNode()) return false;
  const { setFlagsFromString }: HeapEngine = await import(/* @vite-ignore */ /* webpackIgnore: true */ nodeHeapEngine);
  try {
    setFlagsFromString('--experimental-wasm-relaxed-simd');
  } catch {
    // A runtime that only resembles Node.
    return false;
  }
  return WebAssembly.validate(fusedProbe);
}

/** Runs in the worker. `thread` loops inside wasm until the engine is stopped. */
const serve = `
const serve = ({ module, memory, thread }, ready) => {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  ready();
  exports.work(thread);
};`;

const nodeSource = `${serve}
const { workerData, parentPort } = require('node:worker_threads');
serve(workerData, () => parentPort.postMessage('ready'));`;

const browserSource = `${serve}
self.onmessage = ({ data }) => serve(data, () => self.postMessage('ready'));`;

/** Starts a thread; resolves once it is about to enter its loop. @throws EngineError when it cannot be started. */
export function startThread(start: WorkerStart): Promise<Thread> {
  return named('wasm', start, () => (isNode() ? startNodeThread(nodeSource, start) : startBrowserThread(start)));
}

/**
 * Starts a thread in Node that runs other source: it finds `start` in `workerData`, posts a message when it is about to enter its loop, and returns when the engine is stopped.
 *
 * @throws EngineError when it cannot be started.
 */
export function startThreadWith<Start extends WorkerStart>(
  family: string,
  source: string,
  start: Start,
): Promise<Thread> {
  return named(family, start, () => startNodeThread(source, start));
}

/** An error says whose thread did not start. */
async function named(family: string, { thread }: WorkerStart, start: () => Promise<Thread>): Promise<Thread> {
  try {
    return await start();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EngineError(`Thread ${thread} of the ${family} engine did not start (${reason}); try threads: 1.`, {
      cause,
    });
  }
}

async function startNodeThread(source: string, start: WorkerStart): Promise<Thread> {
  const { Worker }: WorkerThreads = await import(/* @vite-ignore */ /* webpackIgnore: true */ nodeWorkerThreads);
  // Without the parent's flags: it may have been started with loaders or an input type that do not fit this source.
  const worker = new Worker(source, { eval: true, execArgv: [], workerData: start });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('it ended at once')));
  });
  worker.removeAllListeners();
  worker.unref();
  return {
    terminate: async () => {
      await worker.terminate();
    },
  };
}

async function startBrowserThread(start: WorkerStart): Promise<Thread> {
  const url = URL.createObjectURL(new Blob([browserSource], { type: 'text/javascript' }));
  try {
    const worker = new Worker(url);
    await new Promise<void>((resolve, reject) => {
      worker.onmessage = () => resolve();
      worker.onerror = (event) => reject(new Error(event.message || 'the page refuses workers from blob: addresses'));
      worker.postMessage(start);
    });
    return { terminate: async () => worker.terminate() };
  } finally {
    URL.revokeObjectURL(url);
  }
}
