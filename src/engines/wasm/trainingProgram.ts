/** A recorded training step in wasm memory: a program whose segments are ranges of its instructions. */
import { expectStorage } from '../checks.js';
import { EngineError } from '../errors.js';
import { byteLengthOf, type Tensor } from '../kernels.js';
import type { TrainingProgram } from '../trainingKernels.js';
import { addressOf, type WasmMemory } from './memory.js';
import type { InstructionTiming, WasmProgram } from './program.js';

/** Instructions `[first, last)`. */
export interface SegmentRange {
  readonly first: number;
  last: number;
}

export class WasmTrainingProgram implements TrainingProgram {
  constructor(
    private readonly program: WasmProgram,
    private readonly memory: WasmMemory,
    private readonly segments: ReadonlyMap<string, SegmentRange>,
  ) {}

  async run(segment: string): Promise<void> {
    const { first, last } = this.range('run', segment);
    this.program.runRange(first, last - first);
  }

  /** Runs a segment once, each instruction by itself, and says how long each took. */
  async profile(segment: string): Promise<InstructionTiming[]> {
    const { first, last } = this.range('profile', segment);
    return this.program.instructions.slice(first, last).map((note, index) => {
      const start = performance.now();
      this.program.runRange(first + index, 1);
      return { ...note, milliseconds: performance.now() - start };
    });
  }

  view(tensor: Tensor): Float32Array {
    this.program.expectAlive('view');
    expectStorage('view', tensor, 'real');
    return this.memory.float32(addressOf('view', tensor, this.memory), byteLengthOf(tensor.shape, 'real') / 4);
  }

  write(tensor: Tensor, values: Float32Array): Promise<void> {
    return this.program.write(tensor, values);
  }

  read(tensor: Tensor): Promise<Float32Array> {
    return this.program.read(tensor);
  }

  readSpikes(tensor: Tensor): Promise<Uint32Array> {
    return this.program.readSpikes(tensor);
  }

  dispose(): void {
    this.program.dispose();
  }

  private range(action: string, segment: string): SegmentRange {
    this.program.expectAlive(action);
    const range = this.segments.get(segment);
    if (range) return range;
    const known = [...this.segments.keys()].join(', ') || 'none';
    throw new EngineError(`${action}: there is no segment ${segment}; the recording has: ${known}`);
  }
}
