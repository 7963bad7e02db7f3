/**
 * What is done to gradients between the backward pass and the optimizer: norms, clipping, and finding what is not finite. Sums
 * are float64 in the order of the parameters, so they do not depend on anything but the gradients.
 */
import { type OptimizedParameter, requireRange } from './optimizer.js';

type Range = Pick<OptimizedParameter, 'offset' | 'length'>;

/** ‖g‖₂ over all parameters; finite exactly if every gradient is (squares of float32 cannot overflow a float64). */
export function globalNorm(gradients: Float32Array, parameters: readonly Range[]): number {
  let sum = 0;
  for (const { offset, length } of parameters) sum += sumOfSquares(gradients, offset, offset + length);
  return Math.sqrt(sum);
}

/**
 * Scales all gradients by min(1, maximum / (‖g‖₂ + 10⁻⁶)), as `torch.nn.utils.clip_grad_norm_`, and returns ‖g‖₂ from before. When
 * that is not finite the gradients stay as they are.
 */
export function clipByGlobalNorm(gradients: Float32Array, parameters: readonly Range[], maximum: number): number {
  const norm = globalNorm(gradients, parameters);
  scaleGradients(gradients, parameters, clippingScale(norm, maximum));
  return norm;
}

/** What clipping by the global norm multiplies gradients of that norm by; 1 where it leaves them as they are. */
export function clippingScale(norm: number, maximum: number): number {
  requireRange('gradient clipping: largest norm', maximum, 0, Number.MAX_VALUE);
  return Number.isFinite(norm) ? Math.min(1, maximum / (norm + 1e-6)) : 1;
}

/** Multiplies all gradients by a scale; one of 1 or more is none. */
export function scaleGradients(gradients: Float32Array, parameters: readonly Range[], scale: number): void {
  if (scale < 1) for (const { offset, length } of parameters) scaleRange(gradients, offset, offset + length, scale);
}

/** Limits every gradient to [−maximum, maximum], as `torch.nn.utils.clip_grad_value_`; NaN stays NaN. */
export function clipByValue(gradients: Float32Array, parameters: readonly Range[], maximum: number): void {
  requireRange('gradient clipping: largest value', maximum, 0, Number.MAX_VALUE);
  for (const { offset, length } of parameters) limitRange(gradients, offset, offset + length, maximum);
}

/** The name of the first parameter, in the order given, whose gradient has a NaN or an infinity; undefined if none has. */
export function firstNonFiniteGradient(
  gradients: Float32Array,
  parameters: readonly Pick<OptimizedParameter, 'name' | 'offset' | 'length'>[],
): string | undefined {
  for (const { name, offset, length } of parameters)
    if (!Number.isFinite(sumOfSquares(gradients, offset, offset + length))) return name;
  return undefined;
}

function sumOfSquares(values: Float32Array, start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += values[i]! * values[i]!;
  return sum;
}

function scaleRange(values: Float32Array, start: number, end: number, scale: number): void {
  for (let i = start; i < end; i++) values[i] = scale * values[i]!;
}

function limitRange(values: Float32Array, start: number, end: number, maximum: number): void {
  for (let i = start; i < end; i++) {
    const value = values[i]!;
    if (value > maximum) values[i] = maximum;
    else if (value < -maximum) values[i] = -maximum;
  }
}
