/** What runs before every test file. vitest runs this file anew for each; what it imports, once in each process. */
import './support/equality.js';

/** Memories of engines that earlier files have disposed of: V8 does not see how large they are, and leaves gigabytes of them. */
const muchMemory = 1e9;

if (process.memoryUsage.rss() > muchMemory) globalThis.gc?.();
