/**
 * Moments with the precision of bfloat16, so that a state holds two bytes for each. They are rounded after every step, so that a run in pieces is the run in one piece, and
 * stochastically (Gupta et al., "Deep Learning with Limited Numerical Precision", ICML 2015): up or down with the probability that makes the mean right. Rounded to the nearest, a second moment
 * that changes by less than a thousandth in a step would never change.
 */

/**
 * Rounds every number in place to one whose lower 16 bits are zero. What chance decides depends on the step and the number's place alone.
 *
 * @param state Vectors in an order that does not change.
 * @param step Counted from 1.
 */
export function roundMoments(state: ReadonlyMap<string, Float32Array>, step: number): void {
  const salt = scrambled(Math.imul(step, 0x9e3779b1));
  let place = 0;
  for (const values of state.values()) {
    roundRange(new Uint32Array(values.buffer, values.byteOffset, values.length), place, salt);
    place += values.length;
  }
}

function roundRange(words: Uint32Array, first: number, salt: number): void {
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    // What is rounded already stays, zeros too.
    if ((word & 0xffff) === 0) continue;
    words[i] = (word + (scrambled((first + i) ^ salt) >>> 16)) & 0xffff0000;
  }
}

/** The finaliser of MurmurHash3 (Appleby): every bit of the result depends on every bit of the word. */
function scrambled(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** The upper halves of rounded numbers: bfloat16. */
export function upperHalves(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(words, (word) => word >>> 16);
}
