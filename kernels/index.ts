/**
 * What the module exports: run a program as the caller's thread, or serve as one of the other threads. Memory is laid
 * out by JavaScript (`src/engines/wasm/memory.ts`); nothing here allocates, and there is no static data, so that every
 * thread can instantiate the module on the same memory.
 */
import { Size } from '../src/engines/wasm/instructionSet';
import { execute1 } from './dispatch.generated';
import { announce, awaitNext, claim, complete, current, currentGeneration, isStopped, unitStart, whole } from './threads';

export { stop } from './threads';

/** Runs a program; returns when every instruction is done. `maySleep` is 0 where waiting is forbidden (a page's main thread). */
export function run(program: usize, count: u32, scratch: usize, scratchStride: usize, threads: u32, maySleep: u32): void {
  if (threads > 1) {
    announce(program, count, scratch, scratchStride, threads);
    takePart(0, maySleep != 0);
    return;
  }
  for (let index: u32 = 0; index < count; index++) {
    store<u32>(scratch, 0);
    execute1(program + index * Size.instruction, scratch + Size.prepared, 0, whole);
  }
}

/** The part of one instruction that lies between two fractions of it, for an engine that shares the work out itself; `scratch` as kernels get it, behind its first word. */
export function execute(instruction: usize, scratch: usize, from: u32, until: u32): void {
  execute1(instruction, scratch, from, until);
}

/** A worker thread's life: takes part in programs until the engine is stopped. */
export function work(thread: u32): void {
  while (!isStopped()) awaitNext(takePart(thread, true), true, true);
}

/** Does a share of every instruction until the program is over; returns the generation at which it was. */
function takePart(thread: u32, maySleep: bool): u32 {
  // For which generation the scratch is ready: none of those to come.
  let prepared = currentGeneration() - 1;
  while (true) {
    const generation = currentGeneration();
    const index = generation - current.firstGeneration();
    if (index >= current.count() || isStopped()) return generation;
    const threads = current.threads();
    const instruction = current.program() + index * Size.instruction;
    const scratch = current.scratch() + thread * current.scratchStride();
    for (let units = claim(thread, threads, generation); units != 0; units = claim(thread, threads, generation)) {
      if (prepared != generation) store<u32>(scratch, 0);
      prepared = generation;
      execute1(instruction, scratch + Size.prepared, unitStart(units >>> 16, threads), unitStart(units & 0xffff, threads));
      complete(units, threads, generation);
    }
    awaitNext(generation, thread != 0, maySleep);
  }
}
