/** The SIMD engine: wasm kernels on a shared memory, one thread per core. In Node and in a browser. */
export type { InstructionNote, InstructionTiming, WasmProgram } from './program.js';
export { createWasmEngine, type WasmEngine, type WasmEngineOptions } from './wasmEngine.js';
