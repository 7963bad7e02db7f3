/** Where the tests are and how long one may take; everything else is vitest's default. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A browser on a busy machine; what is there at once is not waited for.
    expect: { poll: { timeout: 60_000 } },
  },
});
