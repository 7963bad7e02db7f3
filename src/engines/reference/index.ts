/**
 * The reference engine: plain loops over typed arrays, slow and obvious, the oracle of every kernel test. Not for use at
 * scale, and it has no threads. Formulas are those beside the calls in `engines/kernels.ts`; a recorded call is a closure
 * over its views, checked when it is recorded, so that running allocates nothing.
 */
import { formatShape } from '../../graph/shape.js';
import { EngineError } from '../errors.js';
import type { Engine, Kernels, MemoryBlock, Program, Tensor } from '../kernels.js';
import { spikeAttention } from './attention.js';
import { convolution } from './convolution.js';
import { add, pad, repeat, scaleShift, spatialMean, timeMean } from './elementwise.js';
import { ReferenceBlock, realView, spikeView } from './memory.js';
import { leakyIntegrateAndFire } from './neuron.js';

/** An engine of one thread that computes in float64 and stores float32; neurons compute in float32 as PyTorch does. */
export async function createReferenceEngine(): Promise<Engine> {
  return new ReferenceEngine();
}

class ReferenceEngine implements Engine {
  readonly name = 'reference';
  readonly threads = 1;
  disposed = false;

  record(): Kernels {
    this.expectAlive('record');
    return new ReferenceRecorder(this);
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

  finish(): Program {
    this.expectOpen('finish');
    this.finished = true;
    return new ReferenceProgram(this.engine, this.steps);
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

class ReferenceProgram implements Program {
  private disposed = false;

  constructor(
    private readonly engine: ReferenceEngine,
    private steps: readonly (() => void)[],
  ) {}

  async run(): Promise<void> {
    this.expectAlive('run');
    for (const step of this.steps) step();
  }

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

  /** The blocks go when nobody holds their tensors any more. */
  dispose(): void {
    this.disposed = true;
    this.steps = [];
  }

  private expectAlive(action: string): void {
    this.engine.expectAlive(action);
    if (this.disposed) throw new EngineError(`${action}: the program was disposed of; record it again`);
  }
}
