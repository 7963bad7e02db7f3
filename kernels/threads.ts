/**
 * How threads meet and share work. The start of memory holds the words below, one cache line each so that a waiting thread
 * does not disturb a working one. A thread that waits spins for some microseconds, then sleeps.
 *
 * Every instruction is cut into units, equally many for each thread. A thread claims half of what it has left at a time (contiguous, and of the same
 * rows as in the instruction before, which its caches may still hold); when nothing is left it takes half of what another one has left. So a thread
 * whose core is slow, or was taken away for a while, does not make the others wait. What a kernel computes does not depend on how it is cut.
 */
import { Size } from '../src/engines/wasm/instructionSet';

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

/** By thread, a cache line each: the first unit that nobody has claimed (upper half of the word) and the end of the thread's units (lower half). */
const ranges: usize = 512;
/** Halving leaves a thread at most five claims of its own (kernels prepare something in each), the last a sixteenth of its range. */
const unitsPerThread: u32 = 16;
/** Claims are handed to kernels as fractions of the whole instruction, in units of 1 / 65536. */
const wholeBits: u32 = 16;
export const whole: u32 = 1 << wholeBits;

/** The first of `total` tasks that lies in a claim that begins at `at`; the claim's end is the start of the next one. */
// @ts-ignore: decorator
@inline
export function claimStart(total: u32, at: u32): u32 {
  return <u32>((<u64>total * at) >>> wholeBits);
}

/** Where part `index` of `count` equal parts of `total` begins. */
// @ts-ignore: decorator
@inline
export function shareStart(total: u32, index: u32, count: u32): u32 {
  return <u32>((<u64>total * index) / count);
}

/**
 * Whether this thread has prepared block `block` of the current instruction in its scratch, in an earlier claim; from now on it counts as prepared. The
 * word lies in front of the scratch that kernels are given.
 */
// @ts-ignore: decorator
@inline
export function isPrepared(scratch: usize, block: u32): bool {
  const word = scratch - Size.prepared;
  if (load<u32>(word) == block + 1) return true;
  store<u32>(word, block + 1);
  return false;
}

/** Whether this thread has prepared nothing of the current instruction yet. */
// @ts-ignore: decorator
@inline
export function isFirstClaim(scratch: usize): bool {
  return load<u32>(scratch - Size.prepared) == 0;
}

/** Gives every thread its own units of the next instruction; called while no thread is at work. */
function deal(threads: u32): void {
  for (let thread: u32 = 0; thread < threads; thread++) {
    const first = thread * unitsPerThread;
    atomic.store<u32>(ranges + thread * 64, (first << 16) | (first + unitsPerThread));
  }
}

/** Takes units of one thread's range: half of them (one at least) from its beginning, or from its end. Returns them as a range, or 0. */
function take(thread: u32, fromEnd: bool): u32 {
  const word = ranges + thread * 64;
  while (true) {
    const range = atomic.load<u32>(word);
    const first = range >>> 16;
    const last = range & 0xffff;
    if (first >= last) return 0;
    const cut = fromEnd ? (first + last) >>> 1 : (first + last + 1) >>> 1;
    const taken = fromEnd ? (cut << 16) | last : (first << 16) | cut;
    const left = fromEnd ? (first << 16) | cut : (cut << 16) | last;
    if (atomic.cmpxchg<u32>(word, range, left) == range) return taken;
  }
}

/** A thread's next units of the current instruction as a range, or 0 when all have been claimed. */
export function claim(thread: u32, threads: u32): u32 {
  const own = take(thread, false);
  if (own != 0) return own;
  for (let distance: u32 = 1; distance < threads; distance++) {
    const stolen = take((thread + distance) % threads, true);
    if (stolen == 0) continue;
    // What was stolen is the thief's own now, so that others can take half of it again. Nobody else writes to an empty range.
    atomic.store<u32>(ranges + thread * 64, stolen);
    return claim(thread, threads);
  }
  return 0;
}

/** Where unit `unit` begins, in fractions of the whole instruction. */
// @ts-ignore: decorator
@inline
export function unitStart(unit: u32, threads: u32): u32 {
  return (unit << wholeBits) / (threads * unitsPerThread);
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
  deal(threads);
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

/** Returns when all threads have called it. The last to arrive deals the next instruction and opens the next generation. */
export function barrier(threads: u32, maySleep: bool): void {
  const generation = atomic.load<u32>(barrierGeneration);
  if (atomic.add<u32>(arrived, 1) == threads - 1) {
    atomic.store<u32>(arrived, 0);
    deal(threads);
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
