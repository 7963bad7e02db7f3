/** What a recorder and its programs use of the engine; the engine itself is in `wasmEngine.ts`. */
import type { Constants } from './constants.js';
import type { WasmMemory } from './memory.js';

/** Exact, or in integers with scales: the weights of spike-fed layers in 8 bits, both factors of large pointwise convolutions in 16. */
export type Precision = 'f32' | 'i16';

/** How convolutions fed by spikes are done: rows of weights (and of precomputed sums) added up, or zeros and ones multiplied. */
export type SpikeKernel = 'table' | 'dense';

/** How many bytes of rows in float32 a spike-fed convolution passes over before it goes on to the next: of rows alone, and of rows with their tables. */
export interface SegmentBytes {
  readonly rows: number;
  readonly tables: number;
}

export interface EngineParts {
  readonly memory: WasmMemory;
  readonly constants: Constants;
  readonly threads: number;
  readonly precision: Precision;
  readonly spikeKernel: SpikeKernel;
  readonly segmentBytes: SegmentBytes;
  /** Runs `count` instructions at `code` to the end. */
  execute(code: number, count: number, scratch: number, scratchStride: number): void;
  /** @throws EngineError naming the action when the engine was disposed of. */
  expectAlive(action: string): void;
}
