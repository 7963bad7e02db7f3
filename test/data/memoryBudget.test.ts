/** The budget for what comes from outside: what a thread that is gone had is freed, and nothing else. */
import { expect, it } from 'vitest';
import { MemoryBudget } from '../../src/data/memoryBudget.js';

it('keeps what this thread holds, however many other threads come and go', () => {
  const budget = new MemoryBudget(100);
  const release = budget.take(40, 'an archive');
  for (let thread = 0; thread < 2100; thread++) budget.share().free();
  expect(budget.used).toBe(40);
  release();
  expect(budget.used).toBe(0);
});

it('frees what a thread held that ended', () => {
  const budget = new MemoryBudget(100);
  const worker = budget.share();
  new MemoryBudget(worker.budget.bytes, worker.budget).take(60, 'an image');
  expect(budget.used).toBe(60);
  worker.free();
  expect(budget.used).toBe(0);
});
