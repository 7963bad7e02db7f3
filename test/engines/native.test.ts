/**
 * The native engine: that it is taken where it can run, and that whatever is wrong with its file leads back to wasm with a reason. What its kernels compute is for the contract
 * test, which runs on it too. Skipped where there is no C++ compiler.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findCompiler, nativeFolder } from '../../scripts/build-native.mjs';
import type { Engine, Program } from '../../src/engines/kernels.js';
import { createNativeEngine, nativeModule } from '../../src/engines/native/index.js';
import { chooseEngine, createEngine } from '../../src/runtime/engines.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const built = join(root, nativeFolder);

let folder: string;
/** Writes a module as if it had been built so: its hash is right. */
function writeModule(copy: string, content: Buffer): void {
  const manifest = JSON.parse(readFileSync(join(built, 'spikeformer.json'), 'utf8'));
  writeFileSync(copy, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  writeFileSync(join(folder, 'spikeformer.json'), JSON.stringify({ ...manifest, sha256 }));
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meta-spikeformer-native-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Many short instructions, natively and in wasm by turns, so that threads meet often. */
async function sums(engine: Engine): Promise<Float32Array> {
  const kernels = engine.record();
  const length = 1001;
  const tensor = () =>
    ({ shape: [length], storage: 'real', block: kernels.allocate(4 * length), byteOffset: 0 }) as const;
  const [a, b, c] = [tensor(), tensor(), tensor()];
  for (let turn = 0; turn < 20; turn++) {
    kernels.add({ name: 'sum', a, b, output: c });
    kernels.repeat({ name: 'copy', times: 1, input: c, output: a });
  }
  const program: Program = kernels.finish();
  await program.write(
    a,
    Float32Array.from({ length }, (_, index) => Math.sin(index)),
  );
  await program.write(
    b,
    Float32Array.from({ length }, (_, index) => Math.cos(index) / 7),
  );
  await program.run();
  // Threads have gone to sleep after some milliseconds, and must wake up.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await program.run();
  const result = await program.read(a);
  program.dispose();
  return result;
}

describe.skipIf(!findCompiler())('the native engine', () => {
  it('is what a program gets that asks for no engine', async () => {
    const { module, reason } = await nativeModule();
    expect(reason).toBeUndefined();
    expect(module!.addon.kernels).toContain('add');
    expect(await chooseEngine()).toEqual({ name: 'native', why: expect.stringContaining(module!.instructionSet) });
    const engine = await createEngine({ threads: 1, precision: 'i16' });
    expect(engine.name).toBe('native i16');
    await engine.dispose();
  });

  it('is not taken where the same bits are asked for on every machine', async () => {
    expect((await chooseEngine({ fusedMultiplyAdd: false })).name).toBe('wasm');
    await expect(createEngine({ engine: 'native', fusedMultiplyAdd: false })).rejects.toThrow(/fuses.*use wasm/);
  });

  it.each(['wasm', 'reference'])('gives way to %s where the environment says so', async (name) => {
    vi.stubEnv('SPIKEFORMER_ENGINE', name);
    expect(await chooseEngine()).toEqual({ name, why: 'as SPIKEFORMER_ENGINE says' });
    expect((await chooseEngine({ engine: 'native' })).name).toBe('native');
  });

  it('computes the same bits with one, two and four threads, on every instruction set, and the bits of wasm', async () => {
    const wasm = await createEngine({ engine: 'wasm', threads: 2 });
    const expected = await sums(wasm);
    await wasm.dispose();
    const { module } = await nativeModule();
    for (const instructionSet of module!.addon.instructionSets) {
      vi.stubEnv('SPIKEFORMER_NATIVE_ISA', instructionSet);
      for (const threads of [1, 2, 4]) {
        const engine = await createNativeEngine({ threads });
        expect([instructionSet, threads, await sums(engine)]).toEqual([instructionSet, threads, expected]);
        await engine.dispose();
      }
    }
  });

  it.each([
    ['is missing', () => {}, /there is no .*spikeformer\.node/],
    [
      'is cut off',
      (copy: string) => {
        copyFileSync(join(built, 'spikeformer.json'), join(folder, 'spikeformer.json'));
        writeFileSync(copy, readFileSync(join(built, 'spikeformer.node')).subarray(0, 20_000));
      },
      /damaged; delete it and run npm run build/,
    ],
    ['is no module', (copy: string) => writeModule(copy, Buffer.from('not a module')), /spikeformer\.node/],
    [
      'is of another processor',
      (copy: string) => {
        const module = readFileSync(join(built, 'spikeformer.node'));
        // The ELF header's machine, or what there is in the same place: nobody's.
        module.writeUInt16LE(0xfefe, 18);
        writeModule(copy, module);
      },
      /spikeformer\.node/,
    ],
    [
      'was built from other sources',
      (copy: string) => {
        copyFileSync(join(built, 'spikeformer.node'), copy);
        const manifest = JSON.parse(readFileSync(join(built, 'spikeformer.json'), 'utf8'));
        writeFileSync(join(folder, 'spikeformer.json'), JSON.stringify({ ...manifest, revision: 'another' }));
      },
      /built from other sources; run npm run build/,
    ],
  ])('leaves the work to wasm when the file %s, and says why in a line', async (_, damage, expected) => {
    damage(join(folder, 'spikeformer.node'));
    vi.stubEnv('SPIKEFORMER_NATIVE_FOLDER', folder);
    const choice = await chooseEngine();
    expect(choice.name).toBe('wasm');
    expect(choice.why).toMatch(expected);
    expect(choice.why).not.toContain('\n');
    await expect(createEngine({ engine: 'native' })).rejects.toThrow(
      /engine: found native, but there is none \(.*wasm$/,
    );
  });

  it('says so when this processor cannot run an instruction set', async () => {
    vi.stubEnv('SPIKEFORMER_NATIVE_ISA', 'mmx');
    expect((await chooseEngine()).why).toMatch(/this processor cannot run mmx/);
  });

  describe('in a process of its own', () => {
    const index = pathToFileURL(join(root, 'dist/engines/native/index.js')).href;
    const start = `
      const { createNativeEngine } = await import(${JSON.stringify(index)});
      const engine = await createNativeEngine({ threads: 3 });
      const kernels = engine.record();
      const tensor = { shape: [64], storage: 'real', block: kernels.allocate(256), byteOffset: 0 };
      kernels.add({ name: 'sum', a: tensor, b: tensor, output: tensor });
      const program = kernels.finish();
      await program.write(tensor, new Float32Array(64).fill(21));
      await program.run();
      const result = (await program.read(tensor))[63];
      await new Promise((resolve) => setTimeout(resolve, 100));`;

    // A thread that slept in native code would keep the process from ending.
    it.each([
      ['ends by itself', `${start} console.log(result);`],
      ['is ended', `${start} console.log(result); process.exit(0);`],
      [
        'ends the thread that holds the engine',
        `import { Worker } from 'node:worker_threads';
        const source = ${JSON.stringify(`import { parentPort } from 'node:worker_threads'; ${start} parentPort.postMessage(result); setInterval(() => {}, 1000);`)};
        const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(source)));
        worker.once('message', async (result) => { await worker.terminate(); console.log(result); });`,
      ],
    ])('its sleeping threads do not hold up a process that %s', async (_, script) => {
      const main = join(folder, 'main.mjs');
      writeFileSync(main, script);
      const { stdout } = await promisify(execFile)(process.execPath, [main], { timeout: 10_000 });
      expect(stdout.trim()).toBe('42');
    });
  });
});
