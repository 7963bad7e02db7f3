// @ts-check
/**
 * Builds the native kernels with the address and undefined-behaviour sanitisers and runs the tests that are named (by default those of engines that run on native kernels) on
 * them: `node scripts/sanitise.mjs [TEST FILES]`. Every byte of the engine's memory that belongs to no tensor or scratch is forbidden meanwhile. Says so and succeeds where there is no GCC.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { findCompiler, nativeFolder } from './build-native.mjs';
import { show } from './processes.mjs';
import { root, setUpOrExit } from './setup.mjs';

const defaultTests = ['test/engines/contract.test.ts'];

/** @param {string} compiler @returns {string | undefined} what has to be loaded before Node */
function sanitiserLibrary(compiler) {
  const { stdout = '' } = spawnSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  const path = stdout.trim();
  return path.includes('/') ? path : undefined;
}

/** The instruction sets that can be tested here: those of this processor. */
function setsOfProcessor() {
  const { instructionSets } = createRequire(import.meta.url)(join(root, nativeFolder, 'spikeformer.node'));
  return `--sets=${instructionSets.join(',')}`;
}

const compiler = findCompiler();
const library = compiler && sanitiserLibrary(compiler);
if (!library) {
  console.log(`sanitised native kernels: skipped, ${compiler ? `${compiler} has no libasan.so` : 'no C++ compiler'}`);
} else {
  await setUpOrExit((text) => process.stdout.write(text));
  process.exitCode = await show(root, [process.execPath, 'scripts/build-native.mjs', '--sanitise', setsOfProcessor()]);
  if (process.exitCode === 0) {
    process.env.SPIKEFORMER_ENGINE = 'native';
    process.env.SPIKEFORMER_NATIVE_FOLDER = join(root, 'dist', 'native', 'sanitised');
    // Node itself frees little at its end; a fault ends the process.
    process.env.ASAN_OPTIONS = 'detect_leaks=0:handle_segv=0:allocator_may_return_null=1';
    process.env.UBSAN_OPTIONS = 'print_stacktrace=1:halt_on_error=1';
    process.env.LD_PRELOAD = library;
    const tests = process.argv.length > 2 ? process.argv.slice(2) : defaultTests;
    process.exitCode = await show(root, [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', ...tests]);
  }
}
