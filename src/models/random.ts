/** The generator is in src/random.ts, for the whole library; this name stays for those who import it from here. */
export { type Random, randomFrom, seededRandom } from '../random.js';
