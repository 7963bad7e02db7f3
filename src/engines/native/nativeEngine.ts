/**
 * The native engine: the wasm engine's recorders, packing and memory with another executor. Native kernels carry out what they can on the same memory, and each thread's own
 * wasm instance the rest.
 */
import type { SegmentBytes } from '../wasm/engineParts.js';
import { startThreadWith, type WorkerStart } from '../wasm/platform.js';
import {
  createEngineWith,
  type Executor,
  type ExecutorParts,
  type WasmEngine,
  type WasmEngineOptions,
} from '../wasm/wasmEngine.js';
import { type NativeModule, requireNativeModule } from './nativeModule.js';

/** The memory is shared, and products are fused where the processor can. */
export interface NativeEngineOptions extends Omit<WasmEngineOptions, 'sharedMemory' | 'fusedMultiplyAdd'> {
  /** As in `nativeModule`. */
  readonly instructionSet?: string;
}

interface NativeStart extends WorkerStart {
  readonly path: string;
  readonly instructionSet: string;
}

/**
 * Registers twice as wide read rows faster than the L2 cache brings them, so rows stay in the L1 cache. Measured (AVX2, Zen 3, layers of the 31M at 15 %): the convolutions on
 * spikes 1.22 times as fast as with the segments of wasm. Tables, nearly four times as large, would leave lists too short for it.
 */
const segmentBytes: SegmentBytes = { rows: 24 * 1024, tables: 96 * 1024 };

/** Of the word whose changes threads wait for: `generation` in `kernels/threads.ts`. */
const generationByte = 128;

/** Runs in a worker, as source text. Threads sleep in JavaScript and not in native code, so that they wake up when they are ended. */
const nodeSource = `
const { workerData, parentPort } = require('node:worker_threads');
const { module: compiled, memory, thread, path, instructionSet } = workerData;
const { exports: kernels } = new WebAssembly.Instance(compiled, { env: { memory } });
const addon = require(path);
const generation = new Int32Array(memory.buffer, ${generationByte}, 1);
const sleep = (seen) => { Atomics.wait(generation, 0, seen | 0); };
const wake = () => { Atomics.notify(generation, 0); };
const session = addon.open(new Uint8Array(memory.buffer), instructionSet, kernels.execute, sleep, wake);
parentPort.postMessage('ready');
addon.work(session, thread);`;

/**
 * Starts the native engine.
 *
 * @throws EngineError when there is no native module for this machine, or as `createWasmEngine`.
 */
export async function createNativeEngine({
  instructionSet,
  ...options
}: NativeEngineOptions = {}): Promise<WasmEngine> {
  const native = await requireNativeModule(instructionSet);
  return createEngineWith('native', { ...options, sharedMemory: true }, (parts) => executorOf(native, parts));
}

function executorOf({ addon, path, instructionSet }: NativeModule, parts: ExecutorParts): Executor {
  const { module, memory, exports } = parts;
  const generation = new Int32Array(memory.buffer, generationByte, 1);
  const session = addon.open(
    new Uint8Array(memory.buffer),
    instructionSet,
    exports.execute,
    (seen) => Atomics.wait(generation, 0, seen | 0),
    () => Atomics.notify(generation, 0),
  );
  return {
    segmentBytes,
    run: (program, count, scratch, stride, threads) => addon.run(session, program, count, scratch, stride, threads),
    startThread: (thread) => {
      const start: NativeStart = { module, memory, thread, path, instructionSet };
      return startThreadWith('native', nodeSource, start);
    },
    stop: () => addon.stop(session),
    ...(addon.sanitised && {
      guard: {
        gapBytes: 256,
        protect: (address, length, forbidden) => addon.protect(session, address, length, forbidden),
      },
    }),
  };
}
