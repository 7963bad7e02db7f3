/**
 * What all optimizers share: where each parameter lies in the one vector of parameters, and the state that a resumed run
 * needs to continue bit for bit. No arithmetic here; the rules are in `lamb.ts`, `adamW.ts` and `stochasticGradientDescent.ts`.
 */
import { elementCount, formatShape, type Shape } from '../../graph/shape.js';
import { TrainingError } from '../errors.js';

/** A parameter's place in the vectors of parameters and of gradients; offset and length in elements. */
export interface OptimizedParameter {
  readonly name: string;
  readonly shape: Shape;
  readonly offset: number;
  readonly length: number;
  /** Whether weight decay applies. */
  readonly decay: boolean;
  /** What the learning rate is multiplied by; 1 when not given. */
  readonly rate?: number;
}

/** Changes parameters in place, from their gradients. Elements between parameters are neither read nor written. */
export interface Optimizer {
  readonly name: 'lamb' | 'adamw' | 'sgd';
  /**
   * One step; gradients are not changed and must be finite (`firstNonFiniteGradient` says where they are not). Allocates nothing.
   *
   * @throws TrainingError when a vector is shorter than the layout or the learning rate is not a number ≥ 0.
   */
  step(parameters: Float32Array, gradients: Float32Array, learningRate: number): void;
  /** Views (not copies) of what the optimizer remembers, under `<quantity>.<parameter>`, in the order of the parameters. */
  state(): Map<string, Float32Array>;
  /** The plain numbers of the state. */
  counters(): { readonly steps: number };
  /**
   * Continues from what `state` and `counters` gave; entries with other names are ignored.
   *
   * @throws TrainingError, before anything is changed, when an entry is missing or has another length.
   */
  restore(state: ReadonlyMap<string, Float32Array>, counters: { readonly steps: number }): void;
}

/**
 * Slots as a training plan lays them, with the usual groups: matrices and kernels decay, 1-D parameters (biases, BN) do not.
 *
 * @param rateOf What the learning rate is multiplied by, by the name of the parameter.
 */
export function optimizedParameters(
  slots: readonly {
    readonly spec: { readonly name: string; readonly shape: Shape };
    readonly offset: number;
    readonly length: number;
  }[],
  rateOf: (name: string) => number = () => 1,
): OptimizedParameter[] {
  return slots.map(({ spec, offset, length }) => {
    const { name, shape } = spec;
    const rate = rateOf(name);
    return { name, shape, offset, length, decay: shape.length > 1, ...(rate === 1 ? {} : { rate }) };
  });
}

/**
 * The number of elements that a vector must have to hold all parameters.
 *
 * @throws TrainingError when a parameter's length is not its shape's, or two parameters overlap or share a name.
 */
export function layoutLength(parameters: readonly OptimizedParameter[]): number {
  const names = new Set<string>();
  let end = 0;
  for (const { name, shape, offset, length, rate = 1 } of [...parameters].sort((a, b) => a.offset - b.offset)) {
    if (names.has(name)) throw new TrainingError(`parameter ${name}: appears twice; give every parameter its own name`);
    names.add(name);
    requireRange(`parameter ${name}: rate`, rate, 0, Number.MAX_VALUE);
    if (length !== elementCount(shape))
      throw new TrainingError(
        `parameter ${name}: has length ${length}, expected ${elementCount(shape)} for shape ${formatShape(shape)}`,
      );
    if (!Number.isInteger(offset) || offset < end)
      throw new TrainingError(`parameter ${name}: begins at ${offset}, expected ${end} or later; parameters overlap`);
    end = offset + length;
  }
  return end;
}

/** One remembered number per parameter element: a vector as long as the layout, seen parameter by parameter. */
export interface RememberedQuantity {
  readonly name: string;
  readonly values: Float32Array;
}

/** The vector of a quantity, all of it, as long as the layout or longer. Asked anew at each use: memory of an engine moves when it grows. */
export type VectorOf = (quantity: string) => Float32Array;

/** The layout, the count of steps and the remembered vectors of one optimizer. */
export class OptimizerMemory {
  readonly parameters: readonly OptimizedParameter[];
  readonly quantities: readonly RememberedQuantity[];
  readonly #length: number;
  steps = 0;

  /** @param vectors Where quantities lie that an engine changes; by default they are arrays of their own. */
  constructor(parameters: readonly OptimizedParameter[], quantities: readonly string[], vectors?: VectorOf) {
    this.#length = layoutLength(parameters);
    this.parameters = parameters;
    this.quantities = quantities.map((name) => {
      if (!vectors) return { name, values: new Float32Array(this.#length) };
      return {
        name,
        get values() {
          return vectors(name);
        },
      };
    });
  }

  /** Refuses vectors that are too short and learning rates that make no sense. */
  check(parameters: Float32Array, gradients: Float32Array, learningRate: number): void {
    const shorter = Math.min(parameters.length, gradients.length);
    if (shorter < this.#length)
      throw new TrainingError(
        `optimizer: got ${parameters.length} parameters and ${gradients.length} gradients, expected at least ${this.#length} of each; give the vectors that the layout was made for`,
      );
    requireRange('learning rate', learningRate, 0, Number.MAX_VALUE);
  }

  state(): Map<string, Float32Array> {
    const views = new Map<string, Float32Array>();
    for (const quantity of this.quantities)
      for (const { name, offset, length } of this.parameters)
        views.set(`${quantity.name}.${name}`, quantity.values.subarray(offset, offset + length));
    return views;
  }

  restore(state: ReadonlyMap<string, Float32Array>, steps: number): void {
    if (!Number.isInteger(steps) || steps < 0)
      throw new TrainingError(`optimizer state: has ${steps} steps, expected a whole number ≥ 0`);
    const views = this.state();
    for (const [name, view] of views) requireEntry(state, name, view.length);
    for (const [name, view] of views) view.set(state.get(name)!);
    this.steps = steps;
  }
}

/** @throws TrainingError when the entry is missing or has another length. */
export function requireEntry(state: ReadonlyMap<string, Float32Array>, name: string, length: number): Float32Array {
  const entry = state.get(name);
  if (entry === undefined)
    throw new TrainingError(`training state: has no entry ${name}; resume with the same network and settings`);
  if (entry.length !== length)
    throw new TrainingError(
      `training state: ${name} has ${entry.length} elements, expected ${length}; resume with the same network and settings`,
    );
  return entry;
}

/** @throws TrainingError when the value is not a number within [least, most]. */
export function requireRange(what: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  const range = most === Number.MAX_VALUE ? `a finite number ≥ ${least}` : `a number from ${least} to ${most}`;
  throw new TrainingError(`${what}: is ${value}, expected ${range}`);
}
