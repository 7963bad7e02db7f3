/**
 * Seeds for everything random about training data, each made from the seed of the run and the place in it (epoch, sample, batch)
 * and from nothing else: neither the number of worker threads nor what was drawn before has an influence. The mixing is the
 * finaliser of MurmurHash3 (Appleby 2011), absorbing one 32-bit word at a time.
 */
import { type Random, seededRandom } from '../random.js';

/** What random numbers are for; the same place draws different numbers for different purposes. */
export type RandomPurpose = 'order' | 'sample' | 'mix' | 'holdOut';

const purposeWords: Record<RandomPurpose, number> = { order: 1, sample: 2, mix: 3, holdOut: 4 };

/** The generator that belongs to a purpose and a place, for example `('sample', runSeed, epoch, sampleInEpoch)`. */
export function randomFor(purpose: RandomPurpose, ...place: readonly number[]): Random {
  let hash = purposeWords[purpose];
  for (const value of place) {
    hash = absorb(hash, value >>> 0);
    // Safe integers have up to 53 bits.
    hash = absorb(hash, Math.floor(value / 4294967296) >>> 0);
  }
  return seededRandom(hash);
}

/** Shuffles in place (Fisher and Yates): every order is equally likely. */
export function shuffle(values: Int32Array, random: Random): void {
  for (let last = values.length - 1; last > 0; last--) {
    const other = random.integer(last + 1);
    const value = values[last]!;
    values[last] = values[other]!;
    values[other] = value;
  }
}

function absorb(hash: number, word: number): number {
  let mixed = (Math.imul(hash, 0x9e3779b1) ^ word) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
