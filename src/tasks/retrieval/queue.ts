/**
 * Descriptors of batches before, as further negatives (Wang et al., "Cross-Batch Memory for Embedding Learning", CVPR 2020): while weights change slowly, they are nearly what the
 * network would say now, and a batch need not be large to hold hard ones. What is kept is part of the run's state.
 */
import type { QueuedViews } from '../../training/losses/infoNce.js';

export class DescriptorQueue {
  readonly #length: number;
  readonly #dimensions: number;
  /** `[2, K, D]`: of the first view and of the second. */
  readonly #descriptors: Float32Array;
  /** `[2, K]`; −1 where there is none yet. */
  readonly #places: Float32Array;
  /** `[1]`: where the next pair goes; the oldest is there. */
  readonly #next = new Float32Array(1);

  /** @param length K, of each view. */
  constructor(length: number, dimensions: number) {
    this.#length = length;
    this.#dimensions = dimensions;
    this.#descriptors = new Float32Array(2 * length * dimensions);
    this.#places = new Float32Array(2 * length).fill(-1);
  }

  get memory(): ReadonlyMap<string, Float32Array> {
    return new Map([
      ['queue.descriptors', this.#descriptors],
      ['queue.places', this.#places],
      ['queue.next', this.#next],
    ]);
  }

  views(): { readonly query: QueuedViews; readonly gallery: QueuedViews } {
    const of = (view: number): QueuedViews => {
      const [from, until] = [view * this.#length, (view + 1) * this.#length];
      return {
        descriptors: this.#descriptors.subarray(from * this.#dimensions, until * this.#dimensions),
        places: this.#places.subarray(from, until),
      };
    };
    return { query: of(0), gallery: of(1) };
  }

  /**
   * @param scaled `[2B, D]`, rows of one length.
   * @param length Of a row.
   * @param places `[2B]`, the second half as the first.
   */
  take(scaled: Float32Array, length: number, places: ArrayLike<number>): void {
    const batch = places.length / 2;
    for (let pair = 0; pair < batch; pair++) {
      const slot = this.#next[0]!;
      for (const view of [0, 1]) {
        const target = (view * this.#length + slot) * this.#dimensions;
        const source = (view * batch + pair) * this.#dimensions;
        for (let d = 0; d < this.#dimensions; d++) this.#descriptors[target + d] = scaled[source + d]! / length;
        this.#places[view * this.#length + slot] = places[pair]!;
      }
      this.#next[0] = (slot + 1) % this.#length;
    }
  }
}
