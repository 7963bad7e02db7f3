/** Engines on native kernels, for tests that run on every engine. */
import { findCompiler } from '../../scripts/build-native.mjs';
import { createNativeEngine, nativeModule } from '../../src/engines/native/index.js';
import type { WasmEngine } from '../../src/engines/wasm/index.js';

/** Where there is a compiler they must run; whatever else is wrong is a failure. */
export const nativeIsBuilt = findCompiler() !== undefined;
/** For titles. */
export const nativeSuffix = nativeIsBuilt ? '' : ' (skipped: there is no C++ compiler)';

const { module } = await nativeModule();
/** Those that this processor can run, the widest first. */
export const instructionSets = [...(module?.addon.instructionSets ?? [])].reverse();

export type NativeEngineUnderTest = readonly [name: string, create: () => Promise<WasmEngine>];

/** The widest instruction set with each number of threads, and the narrower ones with the last number; none where there is no compiler. */
export function nativeEngines(threads: readonly number[]): readonly NativeEngineUnderTest[] {
  if (!nativeIsBuilt) return [];
  const [, ...narrower] = instructionSets;
  return [
    ...threads.map((count) => [`native, threads: ${count}`, () => createNativeEngine({ threads: count })] as const),
    ...narrower.map(
      (instructionSet) =>
        [`native ${instructionSet}`, () => createNativeEngine({ threads: threads.at(-1)!, instructionSet })] as const,
    ),
  ];
}
