// @ts-check
/** Which of our own code has run, by V8's counters of blocks. An input that reaches a new place is worth changing further. */
import { Session } from 'node:inspector/promises';

/** @typedef {Map<string, Uint8Array>} Places of each script, one byte a character of its source: 1 where it ran */

export class Coverage {
  #session = new Session();
  /** @type {Places} */
  #seen = new Map();

  /** To be called before the code is loaded: what was compiled earlier is counted by function alone. */
  async start() {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Characters of source that have ever run. */
  get characters() {
    let sum = 0;
    for (const places of this.#seen.values()) for (const place of places) sum += place;
    return sum;
  }

  /** What ran since the last call. @returns {Promise<Places>} */
  async take() {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    /** @type {Places} */
    const taken = new Map();
    for (const { url, functions } of result) {
      if (!url.includes('/dist/')) continue;
      const length = Math.max(...functions.flatMap(({ ranges }) => ranges.map(({ endOffset }) => endOffset)));
      const places = new Uint8Array(length);
      // Outer ranges come first, and inner ones say what differs.
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) places.fill(count > 0 ? 1 : 0, startOffset, endOffset);
      }
      taken.set(url, places);
    }
    return taken;
  }

  /** Remembers places and gives those that are new. @param {Places} taken @returns {Places} */
  remember(taken) {
    /** @type {Places} */
    const fresh = new Map();
    for (const [url, places] of taken) {
      const seen = this.#grown(url, places.length);
      const unseen = places.map((place, at) => (place > (seen[at] ?? 0) ? 1 : 0));
      if (unseen.includes(1)) fresh.set(url, unseen);
      for (let at = 0; at < places.length; at++) if (places[at]) seen[at] = 1;
    }
    return fresh;
  }

  /** @param {string} url @param {number} length */
  #grown(url, length) {
    const seen = this.#seen.get(url) ?? new Uint8Array(0);
    if (seen.length >= length) return seen;
    const grown = new Uint8Array(length);
    grown.set(seen);
    this.#seen.set(url, grown);
    return grown;
  }
}

/** @param {Places} taken @param {Places} wanted @returns {boolean} whether a wanted place ran */
export function reaches(taken, wanted) {
  for (const [url, places] of wanted) {
    const ran = taken.get(url);
    if (ran && places.some((place, at) => place === 1 && ran[at] === 1)) return true;
  }
  return false;
}
