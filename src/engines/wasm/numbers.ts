/** What instructions need to know of a number. */

/** A float32 as the word that an instruction holds. */
export function bitsOf(value: number): number {
  return new Uint32Array(new Float32Array([value]).buffer)[0]!;
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/** A float64 as two words. */
export function doubleWords(word: number, value: number): Record<number, number> {
  const words = new Uint32Array(new Float64Array([value]).buffer);
  return { [word]: words[0]!, [word + 1]: words[1]! };
}

/** Bytes of the widest register of any engine: the gradient of neurons keeps one in scratch for each time step. */
export const widestRegister = 64;
