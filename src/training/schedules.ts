/**
 * Learning rates over a run, as pure functions of the step: nothing to save, nothing to restore. A step is whatever the caller
 * counts, updates or (fractions of) epochs; the step about to be made is passed, from 0. Cosine follows Loshchilov and
 * Hutter (SGDR, ICLR 2017) without restarts; one-cycle follows Smith and Topin (2017) as `torch.optim.lr_scheduler.OneCycleLR`.
 */
import { TrainingError } from './errors.js';
import { requireRange } from './optimizers/optimizer.js';
import type { Recipe } from './recipe.js';

interface LinearWarmUp {
  /** Steps in which the rate rises along a line from `warmUpStart`. Default 0. */
  readonly warmUpSteps?: number;
  /** The rate at step 0 when there is a warm-up. Default 0. */
  readonly warmUpStart?: number;
}

export interface ConstantSchedule extends LinearWarmUp {
  readonly kind: 'constant';
  readonly learningRate: number;
}

export interface CosineSchedule extends LinearWarmUp {
  readonly kind: 'cosine';
  readonly learningRate: number;
  /** The rate at the end. Default 0. */
  readonly minimum?: number;
  /**
   * Where the cosine begins. `afterWarmUp` (default): at the end of the warm-up, at the full rate. `start`: at step 0, hidden
   * behind the warm-up, so the rate steps down a little when the warm-up ends; timm's `CosineLRScheduler` without `warmup_prefix`.
   */
  readonly cosineFrom?: 'afterWarmUp' | 'start';
}

export interface PolynomialSchedule extends LinearWarmUp {
  readonly kind: 'polynomial';
  readonly learningRate: number;
  /** The rate at the end. Default 0. */
  readonly minimum?: number;
  /** 1, the default, is a straight line. */
  readonly power?: number;
}

/**
 * A constant rate for as long as one likes, and a decay when one decides (Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", NeurIPS
 * 2024): the steps before the decay do not depend on the length of the run.
 */
export interface WarmUpStableDecaySchedule extends LinearWarmUp {
  readonly kind: 'warmUpStableDecay';
  readonly learningRate: number;
  /** Steps of the decay, the last of the run. */
  readonly decaySteps: number;
  /** The rate at the end. Default 0. */
  readonly minimum?: number;
  /** A straight line, half a cosine, or 1 − √s, which that paper found best. Default `linear`. */
  readonly decay?: 'linear' | 'cosine' | 'squareRoot';
}

export interface OneCycleSchedule {
  readonly kind: 'oneCycle';
  /** The highest rate. */
  readonly learningRate: number;
  /** The share of the steps in which the rate rises. Default 0.3. */
  readonly riseShare?: number;
  /** The first rate is the highest divided by this. Default 25. */
  readonly startDivisor?: number;
  /** The rate of the last step. Default: the first divided by 10⁴. */
  readonly minimum?: number;
  /** Default `linear`; PyTorch's default is `cosine`. */
  readonly rise?: 'linear' | 'cosine';
  /** Default `cosine`. */
  readonly fall?: 'linear' | 'cosine';
}

export type Schedule =
  | ConstantSchedule
  | CosineSchedule
  | PolynomialSchedule
  | WarmUpStableDecaySchedule
  | OneCycleSchedule;

/**
 * The learning rate η(t) for step t (0 ≤ t < totalSteps; may be a fraction). With W warm-up steps from η₀ to η₁ and N steps in all:
 *
 * - constant: η₁;  cosine: η_min + ½ (η₁ − η_min)(1 + cos π s), s = (t − W)/(N − W), or t/N with `cosineFrom: 'start'`;
 * - polynomial: η_min + (η₁ − η_min)(1 − s)^power, s = (t − W)/(N − W);
 * - warmUpStableDecay: η₁ until D steps before the end, then η_min + (η₁ − η_min)(1 − s), or (1 − √s), or ½ (1 + cos π s), with s = (t − (N − D))/D;
 *   in all four, η₀ + (η₁ − η₀) t/W while t < W;
 * - one-cycle: from η₁/startDivisor at step 0 to η₁ at step riseShare·N − 1, then to the minimum at step N − 1.
 *
 * After the last step the rate stays at the end's.
 *
 * @throws TrainingError when a setting is out of range.
 */
export function learningRateAt(step: number, totalSteps: number, schedule: Schedule): number {
  requireRange('schedule step', step, 0, Number.MAX_VALUE);
  requireRange('schedule length', totalSteps, Number.MIN_VALUE, Number.MAX_VALUE);
  requireRange('schedule learningRate', schedule.learningRate, 0, Number.MAX_VALUE);
  switch (schedule.kind) {
    case 'constant':
      return warmingUp(step, totalSteps, schedule) ?? schedule.learningRate;
    case 'cosine':
      return warmingUp(step, totalSteps, schedule) ?? cosineRate(step, totalSteps, schedule);
    case 'polynomial':
      return warmingUp(step, totalSteps, schedule) ?? polynomialRate(step, totalSteps, schedule);
    case 'warmUpStableDecay':
      return warmingUp(step, totalSteps, schedule) ?? decayingRate(step, totalSteps, schedule);
    case 'oneCycle':
      return oneCycleRate(step, totalSteps, schedule);
  }
}

function warmingUp(
  step: number,
  totalSteps: number,
  schedule: Exclude<Schedule, OneCycleSchedule>,
): number | undefined {
  const { warmUpSteps = 0, warmUpStart = 0, learningRate } = schedule;
  requireRange('schedule warmUpSteps', warmUpSteps, 0, totalSteps);
  requireRange('schedule warmUpStart', warmUpStart, 0, Number.MAX_VALUE);
  if (step >= warmUpSteps) return undefined;
  return warmUpStart + (learningRate - warmUpStart) * (step / warmUpSteps);
}

function cosineRate(step: number, totalSteps: number, schedule: CosineSchedule): number {
  const { minimum = 0, warmUpSteps = 0, cosineFrom = 'afterWarmUp', learningRate } = schedule;
  requireRange('schedule minimum', minimum, 0, learningRate);
  if (step >= totalSteps) return minimum;
  const start = cosineFrom === 'start' ? 0 : warmUpSteps;
  return between(learningRate, minimum, (step - start) / (totalSteps - start), 'cosine');
}

function polynomialRate(step: number, totalSteps: number, schedule: PolynomialSchedule): number {
  const { minimum = 0, power = 1, warmUpSteps = 0, learningRate } = schedule;
  requireRange('schedule minimum', minimum, 0, learningRate);
  requireRange('schedule power', power, Number.MIN_VALUE, 100);
  if (step >= totalSteps) return minimum;
  return minimum + (learningRate - minimum) * (1 - (step - warmUpSteps) / (totalSteps - warmUpSteps)) ** power;
}

function decayingRate(step: number, totalSteps: number, schedule: WarmUpStableDecaySchedule): number {
  const { minimum = 0, warmUpSteps = 0, decaySteps, decay = 'linear', learningRate } = schedule;
  requireRange('schedule minimum', minimum, 0, learningRate);
  requireRange('schedule decaySteps', decaySteps, 0, totalSteps - warmUpSteps);
  const start = totalSteps - decaySteps;
  if (step <= start) return step === totalSteps ? minimum : learningRate;
  if (step >= totalSteps) return minimum;
  const progress = (step - start) / decaySteps;
  if (decay === 'squareRoot') return minimum + (learningRate - minimum) * (1 - Math.sqrt(progress));
  return between(learningRate, minimum, progress, decay);
}

function oneCycleRate(step: number, totalSteps: number, schedule: OneCycleSchedule): number {
  const { learningRate, riseShare = 0.3, startDivisor = 25, rise = 'linear', fall = 'cosine' } = schedule;
  requireRange('schedule riseShare', riseShare, 0, 1);
  requireRange('schedule startDivisor', startDivisor, 1, Number.MAX_VALUE);
  const start = learningRate / startDivisor;
  const { minimum = start / 1e4 } = schedule;
  requireRange('schedule minimum', minimum, 0, learningRate);
  const top = riseShare * totalSteps - 1;
  const last = totalSteps - 1;
  if (step >= last) return last > top ? minimum : learningRate;
  if (step <= top) return top === 0 ? learningRate : between(start, learningRate, step / top, rise);
  return between(learningRate, minimum, (step - top) / (last - top), fall);
}

function between(from: number, to: number, progress: number, curve: 'linear' | 'cosine'): number {
  if (curve === 'linear') return from + (to - from) * progress;
  return to + 0.5 * (from - to) * (1 + Math.cos(Math.PI * progress));
}

/** @throws TrainingError when any setting is out of range, so that a run fails before it starts. */
export function validateSchedule(totalSteps: number, schedule: Schedule): void {
  if (!Number.isFinite(totalSteps))
    throw new TrainingError(`schedule length: is ${totalSteps}, expected a finite number`);
  const warmUpSteps = schedule.kind === 'oneCycle' ? 0 : (schedule.warmUpSteps ?? 0);
  learningRateAt(0, totalSteps, schedule);
  learningRateAt(warmUpSteps, totalSteps, schedule);
}

/** A recipe's schedule, whose warm-up and decay are in epochs, over a run of so many steps. */
export function scheduleOf(
  { kind, learningRate, minimum, warmUpEpochs, power, decayEpochs, decay }: Recipe['schedule'],
  stepsPerEpoch: number,
  totalSteps: number,
): Schedule {
  const warmUpSteps = Math.min(Math.round(warmUpEpochs * stepsPerEpoch), totalSteps);
  if (kind === 'oneCycle') return { kind, learningRate, minimum, riseShare: Math.max(warmUpSteps / totalSteps, 1e-9) };
  const warmUp = { learningRate, warmUpSteps, warmUpStart: learningRate / 1000 };
  if (kind === 'warmUpStableDecay') {
    const decaySteps = Math.min(Math.round((decayEpochs ?? 0) * stepsPerEpoch), totalSteps - warmUpSteps);
    return { kind, ...warmUp, minimum, decaySteps, decay: decay ?? 'linear' };
  }
  if (kind === 'polynomial') return { kind, ...warmUp, minimum, power: power ?? 1 };
  return kind === 'cosine' ? { kind, ...warmUp, minimum } : { kind, ...warmUp };
}
