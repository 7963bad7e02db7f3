/** The best of many scores. */

/** The order of answers: larger scores first, of equal ones the smaller number. */
export function bestFirst(
  a: { readonly index: number; readonly score: number },
  b: { readonly index: number; readonly score: number },
): number {
  return b.score - a.score || a.index - b.index;
}

/** Keeps the `count` largest numbers of those it is offered, in a heap whose root is the least of them. */
export class KeptLargest {
  readonly #heap: Float64Array;
  #size = 0;
  /** The least that is kept; −∞ until `count` are. */
  least = Number.NEGATIVE_INFINITY;

  constructor(count: number) {
    this.#heap = new Float64Array(count);
  }

  offer(value: number): void {
    const heap = this.#heap;
    if (this.#size < heap.length) {
      heap[this.#size++] = value;
      this.#rise(this.#size - 1);
      if (this.#size === heap.length) this.least = heap[0]!;
    } else if (value > this.least) {
      heap[0] = value;
      this.#sink();
      this.least = heap[0]!;
    }
  }

  #rise(from: number): void {
    const heap = this.#heap;
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (heap[parent]! <= heap[at]!) return;
      [heap[parent], heap[at]] = [heap[at]!, heap[parent]!];
      at = parent;
    }
  }

  #sink(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && heap[child]! < heap[least]!) least = child;
      if (least === at) return;
      [heap[least], heap[at]] = [heap[at]!, heap[least]!];
      at = least;
    }
  }
}
