/**
 * Descriptors as whole numbers of a byte with a scale per descriptor, and how far a product with them can be from the true one: the first pass of an exact search. With
 * g = s·c + r (codes c, scale s, what is left r) and q = b·d + e (numbers d of two bytes), q·g = b·s·(d·c) + s·(e·c) + q·r, so that by Cauchy and Schwarz
 * |q·g − b·s·(d·c)| ≤ ‖e‖ s‖c‖ + ‖q‖ ‖r‖.
 */

/** Codes of a stretch of a gallery. */
export interface QuantisedRows {
  /** Signed bytes, each row filled up with zeros to whole words. */
  readonly codes: Int8Array;
  /** s. */
  readonly scales: Float32Array;
  /** ‖r‖, rounded up. */
  readonly residuals: Float32Array;
  /** s‖c‖ + ‖r‖, rounded up: no shorter than the descriptor. */
  readonly lengths: Float32Array;
}

const largestCode = 127;
/** More than a rounding to float32 can take away. */
const up = 1 + 2 ** -22;

/** Bytes of a row of codes. */
export function codeBytes(dimensions: number): number {
  return 4 * Math.ceil(dimensions / 4);
}

/** @param rows `[count, dimensions]`, finite. */
export function quantiseRows(rows: Float32Array, dimensions: number): QuantisedRows {
  const count = rows.length / dimensions;
  const stride = codeBytes(dimensions);
  const codes = new Int8Array(count * stride);
  const [scales, residuals, lengths] = [0, 1, 2].map(() => new Float32Array(count)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (let row = 0; row < count; row++) {
    const start = row * dimensions;
    let largest = 0;
    for (let d = 0; d < dimensions; d++) largest = Math.max(largest, Math.abs(rows[start + d]!));
    const scale = Math.fround(largest / largestCode);
    // Numbers so small that the scale vanishes stay in what is left.
    const inverse = scale > 0 ? 1 / scale : 0;
    let [residual, length] = [0, 0];
    for (let d = 0; d < dimensions; d++) {
      const code = Math.max(-largestCode, Math.min(largestCode, Math.round(rows[start + d]! * inverse)));
      const left = rows[start + d]! - scale * code;
      residual += left * left;
      length += code * code;
      codes[row * stride + d] = code;
    }
    scales[row] = scale;
    residuals[row] = Math.sqrt(residual) * up;
    lengths[row] = (scale * Math.sqrt(length) + Math.sqrt(residual)) * up;
  }
  return { codes, scales, residuals, lengths };
}

export interface QuantisedQuery {
  /** d, as the words of a tensor. */
  readonly words: Uint32Array;
  /** b. */
  readonly scale: number;
  /** |q·g − b·(s·(d·c))| ≤ perResidual · ‖r‖ + perLength · (s‖c‖ + ‖r‖) + least, roundings of the pass in float32 included. */
  readonly perResidual: number;
  readonly perLength: number;
  readonly least: number;
}

/** @param query `[dimensions]`, finite. */
export function quantiseQuery(query: Float32Array): QuantisedQuery {
  const dimensions = query.length;
  let [largest, sum, squares] = [0, 0, 0];
  for (const value of query) {
    largest = Math.max(largest, Math.abs(value));
    sum += Math.abs(value);
    squares += value * value;
  }
  // As fine as two bytes allow, and so that no sum of products with codes leaves 32 bits.
  const mostTogether = Math.floor((2 ** 31 - 1) / largestCode) - dimensions;
  const scale = Math.max(largest / 32767, sum / mostTogether) || 1;
  const words = new Uint32Array(Math.ceil(dimensions / 2));
  const numbers = new Int16Array(words.buffer);
  let error = 0;
  for (let d = 0; d < dimensions; d++) {
    const number = Math.round(query[d]! / scale);
    const left = query[d]! - scale * number;
    error += left * left;
    numbers[d] = number;
  }
  const length = Math.sqrt(squares) * up;
  return {
    words,
    scale,
    perResidual: length,
    // The sum and its product with the scale are rounded to float32: less than 2⁻²¹ of ‖q‖ ‖g‖, with float64's roundings.
    perLength: Math.sqrt(error) * up + 2 ** -21 * length,
    least: scale * 2 ** -120,
  };
}
