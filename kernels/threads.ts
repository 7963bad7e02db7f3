/**
 * How threads share work. The start of memory holds the words below, one cache line each so that a waiting thread does not disturb a working one.
 *
 * Every instruction is cut into units, equally many for each thread. A thread claims half of what it has left at a time (contiguous, and of the same
 * rows as in the instruction before, which its caches may still hold); when nothing is left it takes half of what another one has left. So a thread
 * whose core is slow, or was taken away for a while, does not make the others wait. What a kernel computes does not depend on how it is cut.
 *
 * An instruction is over when all its units are done, whoever did them: whoever does the last one opens the next instruction. A thread that has claimed nothing is not waited
 * for. Operating systems like to wake a thread on the processor of the one that wakes it (in virtual machines above all, where an idle processor looks like one that
 * was taken away), and then the two share it for a while: with a barrier each of their instructions cost two changes of threads, which took longer than the work.
 *
 * Each instruction that is run has a number, its generation. Ranges carry it, so that a thread that was away does not claim what belongs to another instruction.
 */
import { Size } from '../src/engines/wasm/instructionSet';

// One cache line each.
const stopped: usize = 64;
const generation: usize = 128;
const sleepers: usize = 192;
/** Units of the current instruction that are done. */
const completed: usize = 256;
/** What to run: program, count, scratch, scratchStride, threads, generation of the first instruction. */
const job: usize = 320;

/**
 * Loads of an atomic word before a waiting thread goes to sleep. A worker: some 200 µs, longer than what is left of most instructions when there is nothing to claim any more,
 * since a thread that sleeps will be woken on a busy processor. (Five times as long costs a fifth where there is only one processor; a quarter of it, and the two share a
 * processor again for several passes of a small network.) The thread that runs programs: a tenth; it waits for what others have claimed, perhaps on its own processor.
 */
const workerSpins: u32 = 200000;
const callerSpins: u32 = 20000;

/** By thread, a cache line each: the generation (upper half of 64 bits), the first unit that nobody has claimed and the end of the thread's units (16 bits each). */
const ranges: usize = 512;
/** Halving leaves a thread at most seven claims of its own (kernels prepare something in each), the last a sixty-fourth of its range: nobody waits for longer. */
const unitsPerThread: u32 = 64;
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

function rangeOf(current: u32, first: u32, end: u32): u64 {
  return (<u64>current << 32) | (first << 16) | end;
}

/** Gives every thread its own units of an instruction; called while nobody holds a claim. */
function deal(current: u32, threads: u32): void {
  for (let thread: u32 = 0; thread < threads; thread++) {
    const first = thread * unitsPerThread;
    atomic.store<u64>(ranges + thread * 64, rangeOf(current, first, first + unitsPerThread));
  }
}

/** Takes units of one thread's range, if it is of this generation: half of them (one at least) from its beginning, or from its end. Returns first and end, or 0. */
function take(thread: u32, current: u32, fromEnd: bool): u32 {
  const word = ranges + thread * 64;
  while (true) {
    const range = atomic.load<u64>(word);
    if (<u32>(range >>> 32) != current) return 0;
    const first = <u32>(range >>> 16) & 0xffff;
    const end = <u32>range & 0xffff;
    if (first >= end) return 0;
    const cut = fromEnd ? (first + end) >>> 1 : (first + end + 1) >>> 1;
    const left = fromEnd ? rangeOf(current, first, cut) : rangeOf(current, cut, end);
    if (atomic.cmpxchg<u64>(word, range, left) == range) return fromEnd ? (cut << 16) | end : (first << 16) | cut;
  }
}

/** A thread's next units of an instruction (first in the upper half, end in the lower), or 0 when all have been claimed or the instruction is over. */
export function claim(thread: u32, threads: u32, current: u32): u32 {
  const own = take(thread, current, false);
  if (own != 0) return own;
  for (let distance: u32 = 1; distance < threads; distance++) {
    const stolen = take((thread + distance) % threads, current, true);
    if (stolen == 0) continue;
    // What was stolen is the thief's own now, so that others can take half of it again. The instruction is not over before it is done, so the range is still of this generation.
    atomic.store<u64>(ranges + thread * 64, rangeOf(current, stolen >>> 16, stolen & 0xffff));
    return claim(thread, threads, current);
  }
  return 0;
}

/** Tells that claimed units are done. Whoever does the last of an instruction opens the next. */
export function complete(units: u32, threads: u32, current: u32): void {
  const count = (units & 0xffff) - (units >>> 16);
  if (atomic.add<u32>(completed, count) + count != threads * unitsPerThread) return;
  atomic.store<u32>(completed, 0);
  deal(current + 1, threads);
  advance(current + 1);
}

/** Where unit `unit` begins, in fractions of the whole instruction. */
// @ts-ignore: decorator
@inline
export function unitStart(unit: u32, threads: u32): u32 {
  return (unit << wholeBits) / (threads * unitsPerThread);
}

/**
 * What the generation in force runs. A thread that was away may read the words of two programs here; it finds out when it claims: a claim is granted only to the generation
 * that was read before them, and while it is held no other program begins.
 */
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
  export function firstGeneration(): u32 {
    return load<u32>(job, 20);
  }
}

export function currentGeneration(): u32 {
  return atomic.load<u32>(generation);
}

/** Hands a program to all threads; the one before is over. */
export function announce(program: usize, count: u32, scratch: usize, scratchStride: usize, threads: u32): void {
  const first = atomic.load<u32>(generation) + 1;
  store<u32>(job, <u32>program);
  store<u32>(job, count, 4);
  store<u32>(job, <u32>scratch, 8);
  store<u32>(job, <u32>scratchStride, 12);
  store<u32>(job, threads, 16);
  store<u32>(job, first, 20);
  deal(first, threads);
  advance(first);
}

/** Ends the life of every waiting thread. */
export function stop(): void {
  atomic.store<u32>(stopped, 1);
  advance(atomic.load<u32>(generation) + 1);
}

export function isStopped(): bool {
  return atomic.load<u32>(stopped) != 0;
}

function advance(next: u32): void {
  atomic.store<u32>(generation, next);
  // A thread counts itself among the sleepers before it compares the generation for the last time and until it is awake, so none is missed.
  if (atomic.load<u32>(sleepers) != 0) atomic.notify(generation, -1);
}

/** Waits until the generation is no longer `seen`. */
export function awaitNext(seen: u32, isWorker: bool, maySleep: bool): void {
  const spins = isWorker ? workerSpins : callerSpins;
  for (let spin: u32 = 0; spin < spins || !maySleep; spin++) {
    if (atomic.load<u32>(generation) != seen) return;
  }
  atomic.add<u32>(sleepers, 1);
  while (atomic.load<u32>(generation) == seen) atomic.wait<i32>(generation, <i32>seen, -1);
  atomic.sub<u32>(sleepers, 1);
}
