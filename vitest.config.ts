/** Where the tests are and how long one may take; everything else is vitest's default. */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    // One more than vitest's own choice on two processors: much of a test is one thread that works or waits.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // The modules of the library are loaded once in each process, not once for each of the files: a fifth of the time. Tests put back what they change of the process.
    isolate: false,
    poolOptions: { forks: { execArgv: ['--expose-gc'] } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A browser on a busy machine; what is there at once is not waited for.
    expect: { poll: { timeout: 60_000 } },
  },
});
