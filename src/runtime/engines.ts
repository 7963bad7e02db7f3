/** The one place that knows which engines there are. */
import type { Engine } from '../engines/kernels.js';
import { createReferenceEngine } from '../engines/reference/index.js';
import type { TrainingEngine } from '../engines/trainingKernels.js';
import { createWasmEngine } from '../engines/wasm/index.js';
import { UsageError } from '../errors.js';
import { checkOptionNames, described, type OptionNames } from '../optionNames.js';

export type EngineName = 'wasm' | 'reference';

export interface EngineOptions {
  /** `wasm` (default) is the fast one; `reference` is plain loops, the oracle. */
  readonly engine?: EngineName;
  /** Threads that work, the caller's included; by default as many as there are processors. `reference` has one. */
  readonly threads?: number;
  /** `f32` (default) is exact; `i16` is faster: spike-fed layers' weights, and large pointwise convolutions altogether, in 16-bit integers with scales. `wasm` only. */
  readonly precision?: 'f32' | 'i16';
  /** How layers fed by spikes are computed: `table` (default) by adding rows of weights, `dense` by multiplying zeros and ones, for comparison. `wasm` and `f32` only. */
  readonly spikeKernel?: 'table' | 'dense';
  /** False: the same bits on every machine, more slowly; by default products and sums are fused where the machine can. `wasm` only. */
  readonly fusedMultiplyAdd?: boolean;
}

export const engineOptionNames: OptionNames<EngineOptions> = {
  engine: true,
  threads: true,
  precision: true,
  spikeKernel: true,
  fusedMultiplyAdd: true,
};

const choices = {
  engine: ['wasm', 'reference'],
  precision: ['f32', 'i16'],
  spikeKernel: ['table', 'dense'],
  fusedMultiplyAdd: [true, false],
} as const;

/** Threads beyond this bring nothing and cost memory each. */
export const maximumThreads = 64;

/** @throws UsageError for an option that there is not or a value that cannot be; EngineError when the engine cannot start. */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  checkOptionNames<EngineOptions>('engine', options, engineOptionNames);
  checkChoices(options);
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= maximumThreads)) {
    throw new UsageError(`threads: found ${described(threads)}, expected a whole number from 1 to ${maximumThreads}`);
  }
  const { precision = 'f32' } = options;
  if (options.engine === 'reference') {
    if (precision !== 'f32')
      throw new UsageError(`precision: ${precision}, but the reference engine is exact; use f32`);
    if (options.spikeKernel !== undefined)
      throw new UsageError(
        `spikeKernel: ${options.spikeKernel}, but the reference engine has one kernel; leave it out`,
      );
    return createReferenceEngine();
  }
  const { engine: _wasm, ...settings } = options;
  return createWasmEngine(settings);
}

function checkChoices(options: EngineOptions): void {
  for (const [name, expected] of Object.entries(choices)) {
    const found: unknown = options[name as keyof typeof choices];
    if (found === undefined || (expected as readonly unknown[]).includes(found)) continue;
    throw new UsageError(`${name}: found ${described(found)}, expected ${expected.join(' or ')}`);
  }
}

/**
 * An engine that can train as well as run.
 *
 * @throws UsageError when the engine of that name cannot train; else as `createEngine`.
 */
export async function createTrainingEngine(options: EngineOptions = {}): Promise<Engine & TrainingEngine> {
  const engine = await createEngine(options);
  if (canTrain(engine)) return engine;
  await engine.dispose();
  throw new UsageError(`engine ${engine.name}: it cannot train`);
}

function canTrain(engine: Engine): engine is Engine & TrainingEngine {
  return 'recordTraining' in engine;
}
