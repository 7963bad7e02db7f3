/**
 * The reference engine: plain loops over typed arrays, slow and obvious, the oracle of every kernel test. Not for use at
 * scale, and it has no threads. Formulas are those beside the calls in `engines/kernels.ts` and
 * `engines/trainingKernels.ts`; a recorded call is a closure over its views, checked when it is recorded. Running an
 * inference program allocates nothing; some training kernels allocate room for their float64 sums.
 */
import { EngineError } from '../errors.js';
import type { Engine, Kernels, MemoryBlock, Program } from '../kernels.js';
import type { TrainingEngine, TrainingKernels } from '../trainingKernels.js';
import { spikeAttention } from './attention.js';
import { convolution } from './convolution.js';
import { ReferenceCounting } from './counting.js';
import { add, pad, repeat, scaleShift, spatialMean, timeMean } from './elementwise.js';
import { ReferenceBlock } from './memory.js';
import { leakyIntegrateAndFire } from './neuron.js';
import { type Mortal, ReferenceProgram } from './program.js';
import { ReferenceTrainingRecorder } from './trainingRecorder.js';

/** An engine of one thread that computes in float64 and stores float32; neurons compute in float32 as PyTorch does. */
export async function createReferenceEngine(): Promise<Engine & TrainingEngine> {
  return new ReferenceEngine();
}

class ReferenceEngine implements Engine, TrainingEngine, Mortal {
  readonly name = 'reference';
  readonly threads = 1;
  private disposed = false;

  record(): Kernels {
    this.expectAlive('record');
    return new ReferenceRecorder(this);
  }

  recordTraining(): TrainingKernels {
    this.expectAlive('recordTraining');
    return new ReferenceTrainingRecorder(this);
  }

  async dispose(): Promise<void> {
    this.disposed = true;
  }

  expectAlive(action: string): void {
    if (this.disposed) throw new EngineError(`${action}: the reference engine was disposed of; create a new one`);
  }
}

/** Turns a call into a checked closure. */
type Prepare<Call> = (call: Call) => () => void;

class ReferenceRecorder implements Kernels {
  private readonly steps: (() => void)[] = [];
  private finished = false;

  constructor(private readonly engine: ReferenceEngine) {}

  allocate(byteLength: number): MemoryBlock {
    this.expectOpen('allocate');
    return new ReferenceBlock(byteLength);
  }

  readonly convolution = this.recording(convolution);
  readonly scaleShift = this.recording(scaleShift);
  readonly pad = this.recording(pad);
  readonly leakyIntegrateAndFire = this.recording(leakyIntegrateAndFire);
  readonly spikeAttention = this.recording(spikeAttention);
  readonly add = this.recording(add);
  readonly spatialMean = this.recording(spatialMean);
  readonly timeMean = this.recording(timeMean);
  readonly repeat = this.recording(repeat);
  readonly counting = new ReferenceCounting((name, step) => {
    this.expectOpen(name);
    this.steps.push(step);
  });

  finish(): Program {
    this.expectOpen('finish');
    this.finished = true;
    return new ReferenceProgram(this.engine, this.steps, this.counting.all);
  }

  private recording<Call extends { readonly name: string }>(prepare: Prepare<Call>): (call: Call) => void {
    return (call) => {
      this.expectOpen(call.name);
      this.steps.push(prepare(call));
    };
  }

  private expectOpen(user: string): void {
    this.engine.expectAlive(user);
    if (this.finished) throw new EngineError(`${user}: the recording is finished; start another with engine.record()`);
  }
}
