/** The one place that knows which engines there are. */
import type { Engine } from '../engines/kernels.js';
import { createNativeEngine, nativeModule } from '../engines/native/index.js';
import { createReferenceEngine } from '../engines/reference/index.js';
import type { TrainingEngine } from '../engines/trainingKernels.js';
import { createWasmEngine } from '../engines/wasm/index.js';
import { UsageError } from '../errors.js';
import { checkOptionNames, described, type OptionNames } from '../optionNames.js';

/** The engines, the preferred first. */
export const engineNames = ['native', 'wasm', 'reference'] as const;
export type EngineName = (typeof engineNames)[number];

export interface EngineOptions {
  /**
   * `native` and `wasm` are the fast ones: native runs kernels of C++ as wide as the processor, where they were built, on the same memory. `reference` is plain loops, the oracle.
   * Default: what the environment variable SPIKEFORMER_ENGINE says; else `native` where it runs with AVX2 or AVX-512, else `wasm`, and always `wasm` in a page.
   */
  readonly engine?: EngineName;
  /** Threads that work, the caller's included; by default as many as there are processors. `reference` has one. */
  readonly threads?: number;
  /** `f32` (default) is exact; `i16` is faster: spike-fed layers' weights, and large pointwise convolutions altogether, in 16-bit integers with scales. Not of `reference`. */
  readonly precision?: 'f32' | 'i16';
  /** How layers fed by spikes are computed: `table` (default) by adding rows of weights, `dense` by multiplying zeros and ones, for comparison. `f32` only, not of `reference`. */
  readonly spikeKernel?: 'table' | 'dense';
  /** False: the same bits on every machine, more slowly; by default products and sums are fused where the machine can. `wasm` only, which it chooses. */
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
  engine: engineNames,
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
  const { engine: _name, fusedMultiplyAdd, ...settings } = options;
  const { name } = await chooseEngine(options);
  if (name === 'reference') return createReference(options);
  if (name === 'wasm')
    return createWasmEngine({ ...settings, ...(fusedMultiplyAdd === false && { fusedMultiplyAdd }) });
  if (fusedMultiplyAdd === false)
    throw new UsageError('fusedMultiplyAdd: false, but the native engine fuses where the processor can; use wasm');
  return createNativeEngine(settings);
}

function createReference({ precision = 'f32', spikeKernel }: EngineOptions): Promise<Engine> {
  if (precision !== 'f32') throw new UsageError(`precision: ${precision}, but the reference engine is exact; use f32`);
  if (spikeKernel !== undefined)
    throw new UsageError(`spikeKernel: ${spikeKernel}, but the reference engine has one kernel; leave it out`);
  return createReferenceEngine();
}

/** Which engine runs, and why: half a sentence for people. */
export interface EngineChoice {
  readonly name: EngineName;
  readonly why: string;
}

/**
 * The engine that `createEngine` would take.
 *
 * @throws UsageError when SPIKEFORMER_ENGINE is no engine's name, or the native engine was asked for and there is none.
 */
export async function chooseEngine(
  options: Pick<EngineOptions, 'engine' | 'fusedMultiplyAdd'> = {},
): Promise<EngineChoice> {
  const fromEnvironment = options.engine === undefined ? engineOfEnvironment() : undefined;
  const asked = options.engine ?? fromEnvironment;
  const asker = fromEnvironment === undefined ? 'as asked' : 'as SPIKEFORMER_ENGINE says';
  if (asked !== undefined && asked !== 'native') return { name: asked, why: asker };
  if (asked === undefined && options.fusedMultiplyAdd === false) return { name: 'wasm', why: 'no fused multiply-add' };
  const { module, reason } = await nativeModule();
  if (module && asked === undefined && !module.preferred)
    return { name: 'wasm', why: `native kernels of ${module.instructionSet} would be no faster` };
  if (module) return { name: 'native', why: `${module.instructionSet}, ${module.addon.kernels.length} kernels` };
  if (asked === undefined) return { name: 'wasm', why: `no native engine: ${reason}` };
  throw new UsageError(`engine: found native, but there is none (${reason}); use wasm`);
}

function engineOfEnvironment(): EngineName | undefined {
  const value = typeof process === 'undefined' ? undefined : process.env?.SPIKEFORMER_ENGINE;
  if (value === undefined || value === '') return undefined;
  const name = engineNames.find((known) => known === value);
  if (name) return name;
  throw new UsageError(`SPIKEFORMER_ENGINE: found ${described(value)}, expected ${engineNames.join(' or ')}`);
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
