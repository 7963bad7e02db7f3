/**
 * What the module exports: run a program as the caller's thread, or serve as one of the other threads. Memory is laid
 * out by JavaScript (`src/engines/wasm/memory.ts`); nothing here allocates, and there is no static data, so that every
 * thread can instantiate the module on the same memory.
 */
import { Opcode, Size } from '../src/engines/wasm/instructionSet';
import { leakyIntegrateAndFire } from './neuron';
import { spikeAttention } from './attention';
import { spikeConvolution } from './spikeConvolution';
import { denseConvolution } from './denseConvolution';
import { integerConvolution } from './integerConvolution';
import { depthwiseConvolution } from './depthwiseConvolution';
import { plainConvolution } from './plainConvolution';
import { add, pad, repeat, scaleShift, spatialMean, timeMean } from './elements';
import { train1 } from './training';
import { announce, barrier, current, isStopped, nextProgram } from './threads';

export { stop } from './threads';

/** Runs a program; returns when every thread is done. `maySleep` is 0 where waiting is forbidden (a page's main thread). */
export function run(program: usize, count: u32, scratch: usize, scratchStride: usize, threads: u32, maySleep: u32): void {
  if (threads > 1) announce(program, count, scratch, scratchStride, threads);
  execute(program, count, scratch, 0, threads, maySleep != 0);
}

/** A worker thread's life: waits for programs and runs its share of each until the engine is stopped. */
export function work(thread: u32): void {
  let seen: u32 = 0;
  while (true) {
    seen = nextProgram(seen);
    if (isStopped()) return;
    const stride = current.scratchStride();
    execute(current.program(), current.count(), current.scratch() + thread * stride, thread, current.threads(), true);
  }
}

function execute(program: usize, count: u32, scratch: usize, thread: u32, threads: u32, maySleep: bool): void {
  for (let index: u32 = 0; index < count; index++) {
    execute1(program + index * Size.instruction, scratch, thread, threads);
    if (threads > 1) barrier(threads, maySleep);
  }
}

function execute1(instruction: usize, scratch: usize, thread: u32, threads: u32): void {
  switch (load<u32>(instruction)) {
    case Opcode.spikeConvolution:
      return spikeConvolution(instruction, scratch, thread, threads);
    case Opcode.depthwiseConvolution:
      return depthwiseConvolution(instruction, scratch, thread, threads);
    case Opcode.denseConvolution:
      return denseConvolution(instruction, scratch, thread, threads);
    case Opcode.integerConvolution:
      return integerConvolution(instruction, scratch, thread, threads);
    case Opcode.plainConvolution:
      return plainConvolution(instruction, thread, threads);
    case Opcode.leakyIntegrateAndFire:
      return leakyIntegrateAndFire(instruction, thread, threads);
    case Opcode.spikeAttention:
      return spikeAttention(instruction, scratch, thread, threads);
    case Opcode.add:
      return add(instruction, thread, threads);
    case Opcode.scaleShift:
      return scaleShift(instruction, thread, threads);
    case Opcode.pad:
      return pad(instruction, thread, threads);
    case Opcode.spatialMean:
      return spatialMean(instruction, thread, threads);
    case Opcode.timeMean:
      return timeMean(instruction, thread, threads);
    case Opcode.repeat:
      return repeat(instruction, thread, threads);
    default:
      return train1(instruction, scratch, thread, threads);
  }
}
