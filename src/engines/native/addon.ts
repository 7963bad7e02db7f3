/** What the native module says to JavaScript and is told by it: `native/addon.cpp` from this side. */

/** One thread's view of an engine; opaque. */
export type Session = object & { readonly native: unique symbol };

/** What native code asks of JavaScript: what it has no kernel for, and to sleep. */
export interface Callbacks {
  /** Part of an instruction, in wasm: `execute` of `kernels/index.ts`. */
  execute(instruction: number, scratch: number, from: number, until: number): void;
  /** Sleeps until the generation is no longer `seen`, or someone wakes all. */
  sleep(seen: number): void;
  /** Wakes all that sleep. */
  wake(): void;
}

/** The module's functions: `native/addon.cpp`. */
export interface Addon {
  /** Of the sources that it was built from. */
  readonly revision: string;
  /** Those that this processor can run, the widest last. */
  readonly instructionSets: readonly string[];
  /** Names of the kernels that it has. */
  readonly kernels: readonly string[];
  /** @param instructionSet The widest that the processor has when it is empty. */
  open(
    memory: Uint8Array,
    instructionSet: string,
    execute: Callbacks['execute'],
    sleep: Callbacks['sleep'],
    wake: Callbacks['wake'],
  ): Session;
  /** Runs a program; returns when every instruction is done. */
  run(session: Session, program: number, count: number, scratch: number, scratchStride: number, threads: number): void;
  /** A worker thread's life: takes part in programs until the engine is stopped. */
  work(session: Session, thread: number): void;
  stop(session: Session): void;
  /** Whether it was built with the address sanitiser. */
  readonly sanitised: boolean;
  /** Whether native code may touch these bytes; heeded where it was built with the address sanitiser, which ends the process. */
  protect(session: Session, address: number, length: number, forbidden: boolean): void;
}
