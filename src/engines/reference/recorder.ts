/**
 * Records calls for the reference engine: each becomes a closure over its views, made by its function in `calls/` once it has been checked. Training records them in named
 * segments.
 */
import { KernelCalls, TrainingCalls } from '../callRecorder.js';
import type { KernelCall, NamedCall } from '../calls/call.js';
import { EngineError } from '../errors.js';
import type { Program } from '../kernels.js';
import type { Counters, MemoryBlock } from '../tensor.js';
import type { TrainingProgram } from '../trainingKernels.js';
import { referenceKernels } from './calls.generated.js';
import { countersOf, ReferenceCounters, type ReferenceKernel } from './context.js';
import { ReferenceBlock } from './memory.js';
import { type Mortal, ReferenceProgram, ReferenceTrainingProgram } from './program.js';

const kernels: Readonly<Record<string, ReferenceKernel<never>>> = referenceKernels;

/** Checks the call and makes what runs it. @throws EngineError */
function stepOf<Call extends NamedCall>(
  { kernel, check }: KernelCall<Call>,
  call: Call,
  counters: readonly ReferenceCounters[],
): () => void {
  const make = kernels[kernel];
  if (!make) throw new EngineError(`${call.name}: the reference engine has no kernel ${kernel}`);
  check(call);
  return make(call as never, { countersOf: (user, asked) => countersOf(user, asked, counters) });
}

export class ReferenceRecorder extends KernelCalls {
  private readonly steps: (() => void)[] = [];
  private readonly allCounters: ReferenceCounters[] = [];
  private finished = false;

  constructor(private readonly engine: Mortal) {
    super();
  }

  allocate(byteLength: number): MemoryBlock {
    this.expectOpen('allocate');
    return new ReferenceBlock(byteLength);
  }

  record<Call extends NamedCall>(kernel: KernelCall<Call>, call: Call): void {
    this.expectOpen(call.name);
    this.steps.push(stepOf(kernel, call, this.allCounters));
  }

  counters(length: number): Counters {
    this.expectOpen('counters');
    const counters = new ReferenceCounters(length);
    this.allCounters.push(counters);
    return counters;
  }

  finish(): Program {
    this.expectOpen('finish');
    this.finished = true;
    return new ReferenceProgram(this.engine, this.steps, this.allCounters);
  }

  private expectOpen(user: string): void {
    this.engine.expectAlive(user);
    if (this.finished) throw new EngineError(`${user}: the recording is finished; start another with engine.record()`);
  }
}

export class ReferenceTrainingRecorder extends TrainingCalls {
  private readonly segments = new Map<string, (() => void)[]>();
  private current: (() => void)[] | undefined;
  private finished = false;

  constructor(private readonly engine: Mortal) {
    super();
  }

  allocate(byteLength: number): MemoryBlock {
    this.expectOpen('allocate');
    return new ReferenceBlock(byteLength);
  }

  segment(name: string): void {
    this.expectOpen(name);
    if (this.segments.has(name)) throw new EngineError(`${name}: the recording has a segment of this name already`);
    this.current = [];
    this.segments.set(name, this.current);
  }

  record<Call extends NamedCall>(kernel: KernelCall<Call>, call: Call): void {
    this.expectOpen(call.name);
    if (!this.current) throw new EngineError(`${call.name}: begin a segment with segment(name) before the first call`);
    this.current.push(stepOf(kernel, call, []));
  }

  finish(): TrainingProgram {
    this.expectOpen('finish');
    this.finished = true;
    return new ReferenceTrainingProgram(this.engine, this.segments);
  }

  private expectOpen(user: string): void {
    this.engine.expectAlive(user);
    if (this.finished) {
      throw new EngineError(`${user}: the recording is finished; start another with engine.recordTraining()`);
    }
  }
}
