/** Numbers as people read them. */

export function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`;
}

export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0)} ms`;
}

/** In the unit that leaves one to three digits before the point. */
export function energy(millijoules: number): string {
  if (millijoules >= 1) return `${millijoules.toFixed(2)} mJ`;
  const microjoules = 1000 * millijoules;
  if (microjoules < 1) return `${(1000 * microjoules).toFixed(0)} nJ`;
  return `${microjoules.toFixed(microjoules >= 100 ? 0 : 1)} µJ`;
}

/** How many, in millions or thousands. */
export function rounded(count: number): string {
  if (count < 1e5) return count < 1e3 ? String(count) : `${(count / 1e3).toFixed(count < 1e4 ? 1 : 0)} k`;
  return `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} M`;
}

/** Images per second of which one takes so long. */
export function perSecond(milliseconds: number): string {
  const rate = 1000 / milliseconds;
  return rate >= 100 ? rate.toFixed(0) : rate.toFixed(1);
}
