/** Words of spikes that are written into a program's tensors come back as they are, and nothing is written beside them. */
import { describe, expect, it } from 'vitest';
import { spikeDistances } from '../../src/engines/calls/spikeDistances.js';
import { EngineError } from '../../src/engines/errors.js';
import type { Engine, Kernels, Storage, Tensor } from '../../src/engines/kernels.js';
import { byteLengthOf } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';

const engines: Readonly<Record<string, () => Promise<Engine>>> = {
  reference: () => createReferenceEngine(),
  wasm: () => createWasmEngine({ threads: 1 }),
};

function tensor(kernels: Kernels, storage: Storage, shape: readonly number[]): Tensor {
  return { storage, shape, block: kernels.allocate(byteLengthOf(shape, storage)), byteOffset: 0 };
}

describe.each(Object.keys(engines))('writing spikes, %s', (name) => {
  it('copies words to where they are asked for, and refuses those that reach beyond the tensor', async () => {
    const engine = await engines[name]!();
    try {
      const kernels = engine.record();
      const [gallery, query] = [tensor(kernels, 'spikes', [3, 40]), tensor(kernels, 'spikes', [40])];
      const output = tensor(kernels, 'real', [3]);
      kernels.record(spikeDistances, { name: 'search', rows: 3, channels: 40, gallery, query, output });
      const program = kernels.finish();
      await program.writeSpikes(gallery, new Uint32Array(6));
      await program.writeSpikes(gallery, Uint32Array.of(7, 1), 2);
      await program.writeSpikes(query, Uint32Array.of(1, 0));
      expect([...(await program.readSpikes(gallery))]).toEqual([0, 0, 7, 1, 0, 0]);
      await program.run();
      expect([...(await program.read(output))]).toEqual([1, 3, 1]);
      for (const [words, first] of [
        [7, 0],
        [2, 5],
        [1, -1],
        [1, 0.5],
      ] as const)
        await expect(program.writeSpikes(gallery, new Uint32Array(words), first)).rejects.toThrow(EngineError);
      await expect(program.writeSpikes(output, new Uint32Array(3))).rejects.toThrow(/expected spikes/);
      expect([...(await program.readSpikes(gallery))]).toEqual([0, 0, 7, 1, 0, 0]);
    } finally {
      await engine.dispose();
    }
  });
});
