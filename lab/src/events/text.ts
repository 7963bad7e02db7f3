/** Times of a recording as people read them. */

/** Of microseconds: in milliseconds, from ten seconds on in seconds. */
export function milliseconds(microseconds: number): string {
  if (microseconds >= 1e7) return `${(microseconds / 1e6).toFixed(1)} s`;
  return `${(microseconds / 1000).toFixed(microseconds < 1e4 ? 1 : 0)} ms`;
}
