import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readAhead } from '../../src/data/readAhead.js';

/** Work that notes how many items are under way, and takes longer for earlier items. */
function watchedWork(count: number) {
  const seen = { started: 0, active: 0, mostActive: 0 };
  const work = async (item: number) => {
    seen.started++;
    seen.active++;
    seen.mostActive = Math.max(seen.mostActive, seen.active);
    await sleep(count - item);
    seen.active--;
    return item * 10;
  };
  return { seen, work };
}

const items = Array.from({ length: 20 }, (_, i) => i);

describe('reading ahead', () => {
  it('keeps the order of the items and never works on more than allowed', async () => {
    const { seen, work } = watchedWork(items.length);
    const results: number[] = [];
    for await (const result of readAhead(items, work, { concurrency: 3, lookAhead: 8 })) results.push(result);
    expect(results).toEqual(items.map((item) => item * 10));
    expect(seen.mostActive).toBe(3);
  });

  it('goes on working while the consumer is busy, up to the look-ahead', async () => {
    const { seen, work } = watchedWork(0);
    const results = readAhead(items, work, { concurrency: 2, lookAhead: 5 });
    await results.next();
    await sleep(100);
    expect(seen.started).toBe(6);
    await results.return();
  });

  it('starts nothing after the consumer has left', async () => {
    const { seen, work } = watchedWork(10);
    const results = readAhead(items, work, { concurrency: 2, lookAhead: 20 });
    await results.next();
    await results.return();
    const { started } = seen;
    await sleep(60);
    expect(seen.started).toBe(started);
  });

  it('reports a failure in its turn, though later items failed before', async () => {
    const work = async (item: number) => {
      if (item === 2) await sleep(20);
      if (item >= 2) throw new Error(`item ${item}`);
      return item;
    };
    const results = readAhead(items, work, { concurrency: 4, lookAhead: 4 });
    expect((await results.next()).value).toBe(0);
    expect((await results.next()).value).toBe(1);
    await expect(results.next()).rejects.toThrow('item 2');
    expect((await results.next()).done).toBe(true);
  });
});
