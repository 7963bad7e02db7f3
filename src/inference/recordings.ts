/** Recordings of a network by the shape of their input and by what they keep: a bounded number, the least recently used given up first. */
import type { Executable } from '../runtime/compile.js';
import type { Observation } from './observer.js';

/** A person who varies the image size should not pay for all of them. */
const most = 4;

/** A network compiled for one shape, and who looks on. */
export interface Recording<Observed> {
  readonly executable: Executable;
  readonly observation?: Observation<Observed>;
}

export class Recordings<Observed> {
  /** Most recently used last. */
  readonly #recordings = new Map<string, Recording<Observed>>();

  /**
   * The recording of that key, or the one that `record` makes.
   *
   * @param alone Whether all others are given up before a new one is made: of inputs that are large, each of another size, four would not fit into memory.
   */
  get(key: string, alone: boolean, record: () => Recording<Observed>): Recording<Observed> {
    const known = this.#recordings.get(key);
    if (known) {
      this.#recordings.delete(key);
      this.#recordings.set(key, known);
      return known;
    }
    if (alone) this.clear();
    const recording = record();
    for (const [oldest, { executable }] of this.#recordings) {
      if (this.#recordings.size < most) break;
      executable.dispose();
      this.#recordings.delete(oldest);
    }
    this.#recordings.set(key, recording);
    return recording;
  }

  clear(): void {
    for (const { executable } of this.#recordings.values()) executable.dispose();
    this.#recordings.clear();
  }
}
