/**
 * The reference engine: plain loops over typed arrays, slow and obvious, the oracle of every kernel test. Not for use at
 * scale, and it has no threads. Formulas are those beside the calls in `engines/calls/`. Running an inference program allocates nothing; some
 * training kernels allocate room for their float64 sums.
 */
import { EngineError } from '../errors.js';
import type { Engine, Kernels } from '../kernels.js';
import type { TrainingEngine, TrainingKernels } from '../trainingKernels.js';
import type { Mortal } from './program.js';
import { ReferenceRecorder, ReferenceTrainingRecorder } from './recorder.js';

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
