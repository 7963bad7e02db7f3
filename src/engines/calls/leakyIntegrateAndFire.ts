/** Leaky integrate-and-fire neurons and their gradient by a surrogate. */
import {
  expectApart,
  expectApartOrSame,
  expectPerChannel,
  expectReal,
  expectRealSize,
  expectSize,
  expectStorage,
  expectWhole,
} from '../checks.js';
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import type { NormalisationTensors } from './batchNorm.js';
import { defineCall } from './call.js';

/**
 * Leaky integrate-and-fire neurons with hard reset to zero, over all time steps:
 * `h = v + (x − v)/τ`, `s = 1 if h ≥ θ else 0`, `v = (1 − s)·h`, with `v = 0` before the first step.
 */
export interface LeakyIntegrateAndFireCall {
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
  /** Nobody else reads the input, so an engine need not write it. */
  readonly isOnlyReader?: boolean;
  readonly tau: number;
  readonly threshold: number;
}

/** Neurons that may stand behind a batch normalisation. */
export interface TrainableLeakyIntegrateAndFireCall extends LeakyIntegrateAndFireCall {
  /** As in `LeakyIntegrateAndFireGradientCall`: `input` is what the normalisation reads; for one time step only. */
  readonly normalisation?: NormalisationTensors;
}

export const leakyIntegrateAndFire = defineCall<TrainableLeakyIntegrateAndFireCall>('leakyIntegrateAndFire', {
  check: (call) => {
    const { name, timeSteps, inputTimeSteps, positions, channels } = call;
    expectWhole(name, { timeSteps, inputTimeSteps, positions, channels });
    if (inputTimeSteps !== timeSteps && inputTimeSteps !== 1) {
      throw new EngineError(`${name}: the input has ${inputTimeSteps} time steps, expected ${timeSteps} or 1`);
    }
    checkConstants(call);
    expectReal(name, call.input);
    expectStorage(name, call.output, 'spikes');
    expectSize(name, 'input', call.input, inputTimeSteps * positions * channels, channels);
    expectSize(name, 'output', call.output, timeSteps * positions * channels, channels);
    if (call.membrane) {
      expectReal(name, call.membrane);
      expectSize(name, 'membrane', call.membrane, positions * channels, channels);
      expectApart(name, call.membrane, [call.input, call.output]);
    }
    expectApart(name, call.output, [call.input]);
    checkNormalisation(call);
  },
  reads: ({ input, membrane, normalisation }) => [input, membrane, ...Object.values(normalisation ?? {})],
  writes: ({ output, membrane }) => [output, membrane],
});

/**
 * The stand-in for the derivative of the step, as a function of u = h − θ:
 * `sigmoid` α·σ(αu)(1 − σ(αu)); `arctangent` (α/2)/(1 + (παu/2)²); `rectangular` α where |u| < 1/(2α), else 0.
 */
export interface Surrogate {
  readonly kind: 'sigmoid' | 'arctangent' | 'rectangular';
  readonly alpha: number;
}

/**
 * Gradient of leaky integrate-and-fire neurons, membranes recomputed from the input. With g'(u) the surrogate:
 * reset detached: `δh[t] = δs[t]·g'(u[t]) + δh[t+1]·(1 − 1/τ)·(1 − s[t])`;
 * reset attached: `δh[t] = (δs[t] − δv[t]·h[t])·g'(u[t]) + δv[t]·(1 − s[t])` with `δv[t] = δh[t+1]·(1 − 1/τ)`;
 * `δx[t] = δh[t]/τ`.
 */
export interface LeakyIntegrateAndFireGradientCall {
  readonly name: string;
  readonly timeSteps: number;
  readonly positions: number;
  readonly channels: number;
  /** The neurons' input, real, `timeSteps` steps. */
  readonly input: Tensor;
  /**
   * With it `input` is what a batch normalisation read, and the neurons' input is what `BatchNormAgainCall` would write: it is made on the way instead of being
   * written and read. For one time step only.
   */
  readonly normalisation?: NormalisationTensors;
  /** Real, `timeSteps` steps. */
  readonly outputGradient: Tensor;
  /** Of the neurons' input, normalised or not. */
  readonly inputGradient: Tensor;
  readonly accumulate: boolean;
  readonly tau: number;
  readonly threshold: number;
  readonly surrogate: Surrogate;
  readonly detachReset: boolean;
}

export const leakyIntegrateAndFireGradient = defineCall<LeakyIntegrateAndFireGradientCall>(
  'leakyIntegrateAndFireGradient',
  {
    check: (call) => {
      const { name, timeSteps, positions, channels, input, outputGradient, inputGradient } = call;
      expectWhole(name, { timeSteps, positions, channels });
      checkConstants(call);
      checkSurrogate(name, call.surrogate);
      for (const [role, tensor] of Object.entries({ input, outputGradient, inputGradient })) {
        expectRealSize(name, role, tensor, timeSteps * positions * channels);
      }
      expectApart(name, inputGradient, [input]);
      expectApartOrSame(name, inputGradient, [outputGradient]);
      checkNormalisation(call);
    },
    reads: ({ input, outputGradient, inputGradient, accumulate, normalisation }) => [
      input,
      outputGradient,
      accumulate ? inputGradient : undefined,
      ...Object.values(normalisation ?? {}),
    ],
    writes: ({ inputGradient }) => [inputGradient],
  },
);

function checkConstants({ name, tau, threshold }: Pick<LeakyIntegrateAndFireCall, 'name' | 'tau' | 'threshold'>): void {
  if (!(tau > 0) || !Number.isFinite(threshold)) {
    throw new EngineError(
      `${name}: tau is ${tau} and the threshold ${threshold}, expected tau > 0, a finite threshold`,
    );
  }
}

/** @throws EngineError unless the stand-in for the derivative has a slope. */
export function checkSurrogate(name: string, { alpha }: Surrogate): void {
  if (!(alpha > 0) || !Number.isFinite(alpha)) {
    throw new EngineError(`${name}: the surrogate's alpha is ${alpha}, expected a finite number above 0`);
  }
}

function checkNormalisation(call: TrainableLeakyIntegrateAndFireCall | LeakyIntegrateAndFireGradientCall): void {
  const { name, timeSteps, channels, normalisation } = call;
  if (!normalisation) return;
  if (timeSteps > 1) throw new EngineError(`${name}: ${timeSteps} time steps, expected 1 with a normalisation`);
  expectPerChannel(name, channels, { ...normalisation });
}
