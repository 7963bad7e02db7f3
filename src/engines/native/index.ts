/** The native engine: C++ kernels on the wasm engine's memory, as wide as the processor. In Node, where a compiler has built it. */

export { createNativeEngine, type NativeEngineOptions } from './nativeEngine.js';
export { type Availability, type NativeModule, nativeModule } from './nativeModule.js';
