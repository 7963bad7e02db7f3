/** Rounding as other languages do it. */

/** Python's `round`. */
export function roundHalfEven(value: number): number {
  const nearest = Math.round(value);
  return value - Math.floor(value) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}
