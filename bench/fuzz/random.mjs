// @ts-check
/** Reproducible random numbers for the fuzzer: the same seed gives the same inputs on every machine (mulberry32). */

/**
 * @typedef {object} Random
 * @property {(below: number) => number} below a whole number from 0 to `below` − 1
 * @property {<T>(values: readonly T[]) => T} pick
 * @property {(probability: number) => boolean} chance
 */

/** @param {number} seed @returns {Random} */
export function seededRandom(seed) {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (/** @type {number} */ bound) => (bound <= 1 ? 0 : next() % bound);
  return {
    below,
    pick: (values) => /** @type {any} */ (values[below(values.length)]),
    chance: (probability) => next() / 2 ** 32 < probability,
  };
}
