/** Integrate-and-fire neurons, which do not leak, and their gradient by a surrogate. */
import {
  expectApart,
  expectApartOrSame,
  expectReal,
  expectRealSize,
  expectSize,
  expectStorage,
  expectWhole,
} from '../checks.js';
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { defineCall } from './call.js';
import { checkSurrogate, type Surrogate } from './leakyIntegrateAndFire.js';

/** With hard reset to zero, over all time steps: `h = v + x`, `s = 1 if h ≥ θ else 0`, `v = (1 − s)·h`, with `v = 0` before the first step. */
export interface IntegrateAndFireCall {
  readonly name: string;
  readonly timeSteps: number;
  /** Positions per time step (B·H·W or B·N or B). */
  readonly positions: number;
  readonly channels: number;
  /** Real; `timeSteps` steps long, or one step that is the same at every time. */
  readonly input: Tensor;
  readonly inputTimeSteps: number;
  /** Spikes, `timeSteps` steps long. */
  readonly output: Tensor;
  /** Real, one step long: holds v before the first step, and after the run v behind the last. Without it v begins at 0. */
  readonly membrane?: Tensor;
  readonly threshold: number;
}

export const integrateAndFire = defineCall<IntegrateAndFireCall>('integrateAndFire', {
  check: ({ name, timeSteps, inputTimeSteps, positions, channels, input, output, membrane, threshold }) => {
    expectWhole(name, { timeSteps, inputTimeSteps, positions, channels });
    if (inputTimeSteps !== timeSteps && inputTimeSteps !== 1)
      throw new EngineError(`${name}: the input has ${inputTimeSteps} time steps, expected ${timeSteps} or 1`);
    checkThreshold(name, threshold);
    expectReal(name, input);
    expectStorage(name, output, 'spikes');
    expectSize(name, 'input', input, inputTimeSteps * positions * channels, channels);
    expectSize(name, 'output', output, timeSteps * positions * channels, channels);
    if (membrane) {
      expectRealSize(name, 'membrane', membrane, positions * channels);
      expectApart(name, membrane, [input, output]);
    }
    expectApart(name, output, [input]);
  },
  reads: ({ input, membrane }) => [input, membrane],
  writes: ({ output, membrane }) => [output, membrane],
});

/**
 * Gradient of integrate-and-fire neurons, membranes recomputed from the input. With g'(u) the surrogate, u = h − θ:
 * reset detached: `δh[t] = δs[t]·g'(u[t]) + δh[t+1]·(1 − s[t])`;
 * reset attached: `δh[t] = (δs[t] − δh[t+1]·h[t])·g'(u[t]) + δh[t+1]·(1 − s[t])`;
 * `δx[t] = δh[t]`.
 */
export interface IntegrateAndFireGradientCall {
  readonly name: string;
  readonly timeSteps: number;
  readonly positions: number;
  readonly channels: number;
  /** The neurons' input, real, `timeSteps` steps. */
  readonly input: Tensor;
  /** Real, `timeSteps` steps. */
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
  readonly accumulate: boolean;
  readonly threshold: number;
  readonly surrogate: Surrogate;
  readonly detachReset: boolean;
}

export const integrateAndFireGradient = defineCall<IntegrateAndFireGradientCall>('integrateAndFireGradient', {
  check: (call) => {
    const { name, timeSteps, positions, channels, input, outputGradient, inputGradient } = call;
    expectWhole(name, { timeSteps, positions, channels });
    checkThreshold(name, call.threshold);
    checkSurrogate(name, call.surrogate);
    for (const [role, tensor] of Object.entries({ input, outputGradient, inputGradient }))
      expectRealSize(name, role, tensor, timeSteps * positions * channels);
    expectApart(name, inputGradient, [input]);
    expectApartOrSame(name, inputGradient, [outputGradient]);
  },
  reads: ({ input, outputGradient, inputGradient, accumulate }) => [
    input,
    outputGradient,
    accumulate ? inputGradient : undefined,
  ],
  writes: ({ inputGradient }) => [inputGradient],
});

function checkThreshold(name: string, threshold: number): void {
  if (!Number.isFinite(threshold))
    throw new EngineError(`${name}: the threshold is ${threshold}, expected a finite one`);
}
