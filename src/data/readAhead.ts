/**
 * Work done ahead of its consumer: results arrive in the order of the items, while a bounded number of later items is
 * already under way or waiting. It starts no threads; the work must be asynchronous by itself, as decoding by sharp is.
 */

/** How far to run ahead. */
export interface ReadAheadLimits {
  /** At most so many items under way at once. */
  readonly concurrency: number;
  /** At most so many items started but not yet taken by the consumer. */
  readonly lookAhead: number;
}

/**
 * `work(item)` for every item, in order. A failure surfaces when its turn comes and ends the iteration; nothing is
 * started after the consumer stops.
 */
export async function* readAhead<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
  limits: ReadAheadLimits,
): AsyncGenerator<Result, void, undefined> {
  const started: Promise<Result>[] = [];
  let active = 0;
  let next = 0;
  let taken = 0;
  let stopped = false;

  const startMore = () => {
    while (!stopped && next < items.length && active < limits.concurrency && next - taken < limits.lookAhead) {
      active++;
      const result = work(items[next]!);
      started[next++] = result;
      // A rejection is reported to the consumer in its turn; until then nobody else awaits it.
      result.then(finished, finished);
    }
  };
  const finished = () => {
    active--;
    startMore();
  };

  try {
    startMore();
    for (let i = 0; i < items.length; i++) {
      const result = await started[i]!;
      delete started[i];
      taken = i + 1;
      startMore();
      yield result;
    }
  } finally {
    stopped = true;
  }
}
