/**
 * How threads meet. The first kilobyte of memory holds the words below, one cache line each so that a waiting thread
 * does not disturb a working one. A thread that waits spins for some microseconds, then sleeps.
 */

// One cache line each.
const stopped: usize = 64;
const runGeneration: usize = 128;
const runSleepers: usize = 192;
const arrived: usize = 256;
const barrierGeneration: usize = 320;
const barrierSleepers: usize = 384;
/** What to run: program, count, scratch, scratchStride, threads. */
const job: usize = 448;

/** Loads of an atomic word before a waiting thread goes to sleep: about 20 µs, the length of a small kernel. */
const spins: u32 = 20000;

/** The share of `total` tasks that is a thread's own: from `shareStart` of it to `shareStart` of the next thread. */
// @ts-ignore: decorator
@inline
export function shareStart(total: u32, thread: u32, threads: u32): u32 {
  return <u32>((<u64>total * thread) / threads);
}

export namespace current {
  export function program(): usize {
    return load<u32>(job);
  }
  export function count(): u32 {
    return load<u32>(job, 4);
  }
  export function scratch(): usize {
    return load<u32>(job, 8);
  }
  export function scratchStride(): usize {
    return load<u32>(job, 12);
  }
  export function threads(): u32 {
    return load<u32>(job, 16);
  }
}

/** Hands a program to the other threads. They have all passed the last barrier of the program before. */
export function announce(program: usize, count: u32, scratch: usize, scratchStride: usize, threads: u32): void {
  store<u32>(job, <u32>program);
  store<u32>(job, count, 4);
  store<u32>(job, <u32>scratch, 8);
  store<u32>(job, <u32>scratchStride, 12);
  store<u32>(job, threads, 16);
  advance(runGeneration, runSleepers);
}

/** Ends the life of every waiting thread. */
export function stop(): void {
  atomic.store<u32>(stopped, 1);
  advance(runGeneration, runSleepers);
}

export function isStopped(): bool {
  return atomic.load<u32>(stopped) != 0;
}

/** Waits until the run generation is no longer `seen` and returns it. */
export function nextProgram(seen: u32): u32 {
  awaitChange(runGeneration, runSleepers, seen, true);
  return atomic.load<u32>(runGeneration);
}

/** Returns when all threads have called it. The last to arrive opens the next generation. */
export function barrier(threads: u32, maySleep: bool): void {
  const generation = atomic.load<u32>(barrierGeneration);
  if (atomic.add<u32>(arrived, 1) == threads - 1) {
    atomic.store<u32>(arrived, 0);
    advance(barrierGeneration, barrierSleepers);
  } else {
    awaitChange(barrierGeneration, barrierSleepers, generation, maySleep);
  }
}

function advance(generation: usize, sleepers: usize): void {
  atomic.add<u32>(generation, 1);
  // A thread counts itself among the sleepers before it compares the generation for the last time, so none is missed.
  if (atomic.load<u32>(sleepers) != 0) atomic.notify(generation, -1);
}

function awaitChange(generation: usize, sleepers: usize, seen: u32, maySleep: bool): void {
  for (let spin: u32 = 0; spin < spins || !maySleep; spin++) {
    if (atomic.load<u32>(generation) != seen) return;
  }
  atomic.add<u32>(sleepers, 1);
  while (atomic.load<u32>(generation) == seen) atomic.wait<i32>(generation, <i32>seen, -1);
  atomic.sub<u32>(sleepers, 1);
}
