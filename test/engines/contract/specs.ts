/**
 * Calls without an engine: tensors are described by what they hold, so that the same call can be recorded on every engine, and again with one number changed.
 */
import type { NamedCall } from '../../../src/engines/calls/call.js';
import type { Counters, Storage, Tensor } from '../../../src/engines/kernels.js';
import { elementCount, type Shape } from '../../../src/graph/shape.js';
import type { SeededNumbers, Workbench } from '../support.js';

/** A tensor, described. The same object twice in a call is the same memory. */
export class TensorSpec {
  constructor(
    readonly storage: Storage,
    readonly shape: Shape,
    /** What it holds before the call, one number per element; without it nothing that matters. */
    readonly values?: Float32Array,
  ) {}

  /** The same with one element changed. */
  with(index: number, value: number): TensorSpec {
    const values = Float32Array.from(this.values!);
    values[index] = value;
    return new TensorSpec(this.storage, this.shape, values);
  }
}

export class CountersSpec {
  constructor(readonly length: number) {}
}

/** A call whose tensors and counters are described. */
export interface CallSpec {
  readonly [part: string]: unknown;
}

export interface Case {
  readonly title: string;
  readonly call: CallSpec;
}

export function real(numbers: SeededNumbers, shape: Shape, limit = 1): TensorSpec {
  return new TensorSpec('real', shape, numbers.reals(elementCount(shape), limit));
}

export function positive(numbers: SeededNumbers, shape: Shape): TensorSpec {
  return new TensorSpec(
    'real',
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => 0.1 + numbers.uniform()),
  );
}

export function spikes(numbers: SeededNumbers, shape: Shape, rate = 0.3): TensorSpec {
  return new TensorSpec('spikes', shape, numbers.bits(elementCount(shape), rate));
}

/** To be written: holds NaN, or ones, before. */
export function result(shape: Shape, storage: Storage = 'real'): TensorSpec {
  return new TensorSpec(storage, shape);
}

/** Tensors and counters that a description became. */
export class Realised {
  readonly tensors = new Map<TensorSpec, Tensor>();
  readonly counters = new Map<CountersSpec, Counters>();

  constructor(private readonly bench: Workbench) {}

  call(spec: CallSpec, name: string): NamedCall {
    return { ...(this.part(spec) as CallSpec), name };
  }

  private part(value: unknown): unknown {
    if (value instanceof TensorSpec) return this.tensor(value);
    if (value instanceof CountersSpec) return this.countersOf(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, this.part(part)]));
  }

  private tensor(spec: TensorSpec): Tensor {
    const known = this.tensors.get(spec);
    if (known) return known;
    const { storage, shape, values } = spec;
    const filled = values ?? undefined;
    const made =
      storage === 'real'
        ? this.bench.real(shape, filled)
        : filled
          ? this.bench.spikes(shape, filled)
          : this.bench.spikeOutput(shape);
    this.tensors.set(spec, made);
    return made;
  }

  private countersOf(spec: CountersSpec): Counters {
    const known = this.counters.get(spec);
    if (known) return known;
    const made = this.bench.kernels.counting.counters(spec.length);
    this.counters.set(spec, made);
    return made;
  }
}
