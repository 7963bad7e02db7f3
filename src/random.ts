/**
 * A seeded stream of random numbers (xoshiro128**, Blackman and Vigna 2018, seeded through splitmix32): small, fast, the same on
 * every machine, and its state is four integers that a checkpoint can hold. Not for secrets.
 */
export interface Random {
  /** The next 32 random bits, 0 … 2³² − 1. */
  bits(): number;
  /** Uniform in [0, 1), 32 bits fine. */
  uniform(): number;
  /** Standard normal (Box–Muller, one of the pair, so that the state is only the four integers). */
  normal(): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
  /** The state, to continue from later. */
  state(): readonly [number, number, number, number];
}

export function seededRandom(seed: number): Random {
  let mixed = seed >>> 0;
  const next = () => {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  return randomFrom([next(), next(), next(), next()]);
}

/** Continues from a state that `Random.state` gave. */
export function randomFrom(state: readonly [number, number, number, number]): Random {
  let [a, b, c, d] = state;
  const rotate = (x: number, k: number) => ((x << k) | (x >>> (32 - k))) >>> 0;
  const bits = () => {
    const result = Math.imul(rotate(Math.imul(b, 5) >>> 0, 7), 9) >>> 0;
    const t = (b << 9) >>> 0;
    c = (c ^ a) >>> 0;
    d = (d ^ b) >>> 0;
    b = (b ^ c) >>> 0;
    a = (a ^ d) >>> 0;
    c = (c ^ t) >>> 0;
    d = rotate(d, 11);
    return result;
  };
  const uniform = () => bits() / 4294967296;
  return {
    bits,
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    integer: (bound) => Math.floor(uniform() * bound),
    state: () => [a, b, c, d],
  };
}
