/**
 * What a recording becomes on the reference engine: closures to call, and access to the memory they work on. Not the
 * recording itself. Blocks belong to whoever holds their tensors, so disposing of a program frees no block.
 */
import { formatShape } from '../../graph/shape.js';
import { expectPart } from '../checks.js';
import { EngineError } from '../errors.js';
import type { Program } from '../kernels.js';
import type { Counters, Tensor } from '../tensor.js';
import type { TrainingProgram } from '../trainingKernels.js';
import { countersOf, type ReferenceCounters } from './context.js';
import { realView, spikeView } from './memory.js';

/** Whatever may have been disposed of; complains in the name of who wanted to use it. */
export interface Mortal {
  expectAlive(user: string): void;
}

/** What inference and training programs have in common. */
abstract class ProgramMemory {
  private disposed = false;

  constructor(private readonly engine: Mortal) {}

  async write(tensor: Tensor, values: Float32Array): Promise<void> {
    this.expectAlive('write');
    const view = realView('write', tensor);
    if (values.length !== view.length) {
      throw new EngineError(
        `write: ${values.length} numbers for the tensor ${formatShape(tensor.shape)}, expected ${view.length}`,
      );
    }
    view.set(values);
  }

  async read(tensor: Tensor): Promise<Float32Array> {
    this.expectAlive('read');
    return realView('read', tensor).slice();
  }

  async readSpikes(tensor: Tensor): Promise<Uint32Array> {
    this.expectAlive('readSpikes');
    return spikeView('readSpikes', tensor).slice();
  }

  async writeSpikes(tensor: Tensor, words: Uint32Array, first = 0): Promise<void> {
    this.expectAlive('writeSpikes');
    const view = spikeView('writeSpikes', tensor);
    expectPart('writeSpikes', tensor, first, words.length, view.length);
    view.set(words, first);
  }

  /** The blocks go when nobody holds their tensors any more. */
  dispose(): void {
    this.disposed = true;
  }

  protected expectAlive(action: string): void {
    this.engine.expectAlive(action);
    if (this.disposed) throw new EngineError(`${action}: the program was disposed of; record it again`);
  }
}

export class ReferenceProgram extends ProgramMemory implements Program {
  constructor(
    engine: Mortal,
    private steps: readonly (() => void)[],
    private readonly counters: readonly ReferenceCounters[],
  ) {
    super(engine);
  }

  async run(): Promise<void> {
    this.expectAlive('run');
    for (const { values } of this.counters) values.fill(0);
    for (const step of this.steps) step();
  }

  async readCounters(counters: Counters): Promise<readonly number[]> {
    this.expectAlive('readCounters');
    return Array.from(countersOf('readCounters', counters, this.counters));
  }

  override dispose(): void {
    super.dispose();
    this.steps = [];
  }
}

export class ReferenceTrainingProgram extends ProgramMemory implements TrainingProgram {
  constructor(
    engine: Mortal,
    private segments: ReadonlyMap<string, readonly (() => void)[]>,
  ) {
    super(engine);
  }

  async run(segment: string): Promise<void> {
    this.expectAlive('run');
    const steps = this.segments.get(segment);
    if (!steps) {
      const known = [...this.segments.keys()].join(', ') || 'none';
      throw new EngineError(`run: there is no segment ${segment}; the recording has: ${known}`);
    }
    for (const step of steps) step();
  }

  view(tensor: Tensor): Float32Array {
    this.expectAlive('view');
    return realView('view', tensor);
  }

  override dispose(): void {
    super.dispose();
    this.segments = new Map();
  }
}
