/** Where the tests are and how long one may take; everything else is vitest's default. */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // One more than vitest's own choice on two processors: much of a test is one thread that works or waits.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A browser on a busy machine; what is there at once is not waited for.
    expect: { poll: { timeout: 60_000 } },
  },
});
