/**
 * What losses on pairs of views share: descriptors `[B, D]` of two views, row b of both showing the same place, brought to length 1 before anything is compared
 * (as `torch.nn.functional.normalize` does), and the way back through that. Everything is float64; only what is written is float32.
 */
import { TrainingError } from '../errors.js';

/** Descriptors are `[batch, dimensions]`. */
export interface PairsShape {
  readonly batch: number;
  readonly dimensions: number;
}

/** Descriptors of both views, and where their gradients are written; none may be another's memory. */
export interface PairedDescriptors {
  /** `[B, D]`, of any length. */
  readonly query: Float32Array;
  /** `[B, D]`: row b shows what row b of `query` shows. */
  readonly gallery: Float32Array;
  readonly queryGradient: Float32Array;
  readonly galleryGradient: Float32Array;
}

/** Rows of length 1, and the lengths that they had. */
export interface UnitRows extends PairsShape {
  readonly values: Float64Array;
  readonly lengths: Float64Array;
}

const smallestLength = 1e-12;

/** Each row over its length, or over 10⁻¹² where it is shorter. */
export function unitRows(rows: Float32Array, { batch, dimensions }: PairsShape): UnitRows {
  const values = Float64Array.from(rows);
  const lengths = new Float64Array(batch);
  for (let b = 0; b < batch; b++) {
    const row = values.subarray(b * dimensions, (b + 1) * dimensions);
    let squares = 0;
    for (const value of row) squares += value * value;
    lengths[b] = Math.sqrt(squares);
    const divisor = Math.max(lengths[b]!, smallestLength);
    for (let d = 0; d < dimensions; d++) row[d]! /= divisor;
  }
  return { batch, dimensions, values, lengths };
}

/** From the gradient of rows of length 1 to that of the rows as they came: (δu − u (u·δu)) / length. */
export function throughUnitRows(unit: UnitRows, gradient: Float64Array, output: Float32Array): void {
  const { batch, dimensions, values, lengths } = unit;
  for (let b = 0; b < batch; b++) {
    const start = b * dimensions;
    const isLong = lengths[b]! > smallestLength;
    let along = 0;
    // A row that was divided by a constant has not lost its length.
    if (isLong) for (let d = 0; d < dimensions; d++) along += values[start + d]! * gradient[start + d]!;
    const divisor = isLong ? lengths[b]! : smallestLength;
    for (let d = 0; d < dimensions; d++)
      output[start + d] = (gradient[start + d]! - values[start + d]! * along) / divisor;
  }
}

/** `[B, B]`: products of every row of one with every row of the other. */
export function products(one: UnitRows, other: UnitRows): Float64Array {
  const { batch, dimensions } = one;
  const output = new Float64Array(batch * batch);
  for (let i = 0; i < batch; i++)
    for (let j = 0; j < batch; j++) {
      let sum = 0;
      for (let d = 0; d < dimensions; d++) sum += one.values[i * dimensions + d]! * other.values[j * dimensions + d]!;
      output[i * batch + j] = sum;
    }
  return output;
}

/** `gradient[row] += factor · rows[other]`. */
export function addRow(gradient: Float64Array, row: number, factor: number, rows: UnitRows, other: number): void {
  const { dimensions, values } = rows;
  for (let d = 0; d < dimensions; d++) gradient[row * dimensions + d]! += factor * values[other * dimensions + d]!;
}

/** @throws TrainingError when sizes are no whole numbers ≥ 1 or an array has not exactly B · D elements. */
export function requirePairs(loss: string, shape: PairsShape, arrays: PairedDescriptors): void {
  for (const what of ['batch', 'dimensions'] as const)
    if (!Number.isInteger(shape[what]) || shape[what] < 1)
      throw new TrainingError(`${loss} loss: ${what} is ${shape[what]}, expected a whole number ≥ 1`);
  const expected = shape.batch * shape.dimensions;
  for (const what of ['query', 'gallery', 'queryGradient', 'galleryGradient'] as const)
    if (arrays[what].length !== expected)
      throw new TrainingError(
        `${loss} loss: ${what} has ${arrays[what].length} elements, expected ${expected} for ${shape.batch} descriptors of ${shape.dimensions}`,
      );
}

/** @throws TrainingError when there is not one place for each pair. */
export function requirePlaces(loss: string, { batch }: PairsShape, places: ArrayLike<number> | undefined): void {
  if (places && places.length !== batch)
    throw new TrainingError(`${loss} loss: got ${places.length} places, expected ${batch}, one for each pair`);
}
