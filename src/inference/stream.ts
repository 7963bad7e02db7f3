/** A sequence that is run frame by frame: a network of one time step whose membranes stay, and the sums of what it answered so far. */
import { UsageError } from '../errors.js';
import { formatShape, type Shape } from '../graph/shape.js';
import type { Executable } from '../runtime/compile.js';
import type { Observation } from './observer.js';
import { wantsSpikes } from './recording.js';
import type { Recording } from './recordings.js';
import type { FieldTensor, FrameRecordOptions, Outputs } from './types.js';

export class Stream<Observed> implements Recording<Observed> {
  readonly executable: Executable;
  readonly observation?: Observation<Observed>;
  readonly #shape: Shape;
  readonly #records: readonly string[];
  /** In the engines' precision, so that the mean has the bits of theirs. */
  readonly #sums = new Map<string, Float32Array>();
  #steps = 0;

  /** @param shape Of every frame, `[1, B, H, W, C]`. @param record What the executable keeps. */
  constructor({ executable, observation }: Recording<Observed>, shape: Shape, record: FrameRecordOptions) {
    this.executable = executable;
    if (observation) this.observation = observation;
    this.#shape = shape;
    this.#records = kept(record);
  }

  /** Begins a new sequence with what was compiled for the last: membranes go to 0. */
  async restart(): Promise<void> {
    if (this.#steps === 0) return;
    this.#steps = 0;
    this.#sums.clear();
    await this.executable.resetMembranes();
  }

  /** Whether a sequence can begin with such a frame. */
  fits(shape: Shape, record: FrameRecordOptions): boolean {
    if (this.#steps > 0) return true;
    const alike = formatShape(this.#shape) === formatShape(shape);
    return alike && kept(record).join() === this.#records.join();
  }

  /** @throws UsageError when the frame cannot follow those before it: another shape, or something to be recorded that was not. */
  check(shape: Shape, record: FrameRecordOptions): void {
    if (formatShape(this.#shape) !== formatShape(shape)) {
      throw new UsageError(
        `frame: its shape differs from that of the frames before it; call resetState to begin another sequence`,
      );
    }
    const late = kept(record).filter((what) => !this.#records.includes(what));
    if (late.length > 0) {
      throw new UsageError(
        `record: ${late.join(' and ')} can be recorded from the first frame of a sequence on; call resetState first`,
      );
    }
  }

  /** Counts a frame. @returns which it is, from 1, and the mean of each output over all of them. */
  add(outputs: Outputs): { readonly step: number; readonly meanOutputs: Outputs } {
    const step = ++this.#steps;
    const means = new Map<string, FieldTensor>();
    for (const [name, { shape, data }] of outputs) {
      const sum = this.#sums.get(name) ?? new Float32Array(data.length);
      this.#sums.set(name, sum);
      for (let i = 0; i < sum.length; i++) sum[i]! += data[i]!;
      means.set(name, { shape, data: Float32Array.from(sum, (value) => value / step) });
    }
    return { step, meanOutputs: means };
  }
}

function kept(record: FrameRecordOptions): readonly string[] {
  return [
    ...(wantsSpikes(record) ? ['spikes'] : []),
    ...(record.activations ? ['activations'] : []),
    ...(record.observed ? ['counts'] : []),
  ];
}
