/** `scripts/widen-model.mjs`: the wider network answers as the one that it was made of, as Net2Net promises. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, openCheckpointFile } from '../../src/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const model = join(root, 'models', 'cifar10.safetensors');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'widen-model-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function widen(...more: readonly string[]) {
  const target = join(folder, `${more.join('-')}.safetensors`);
  const script = join(root, 'scripts', 'widen-model.mjs');
  return { target, ...spawnSync(process.execPath, [script, model, target, ...more], { encoding: 'utf8' }) };
}

const input = {
  shape: [2, 3, 32, 32],
  data: Float32Array.from({ length: 2 * 3 * 32 * 32 }, (_, i) => Math.sin(i * 0.37) + Math.cos(i * 0.011)),
} as const;

async function logitsOf(checkpoint: string): Promise<readonly number[]> {
  const network = await loadModel({ checkpoint }, { threads: 1 });
  try {
    return [...(await network.run(input)).logits.data];
  } finally {
    await network.dispose();
  }
}

describe('a widened model', () => {
  it.each([['48,96'], ['32,150', '7']])('answers as before with %j', async (...more) => {
    const { target, status, stderr } = widen(...more);
    expect(status, stderr).toBe(0);
    const [before, after] = [await logitsOf(model), await logitsOf(target)];
    for (const [i, value] of before.entries()) expect(after[i]).toBeCloseTo(value, 4);
    const [first, second] = more[0]!.split(',').map(Number) as [number, number];
    const checkpoint = await openCheckpointFile(target);
    expect(checkpoint.tensors.get('ConvBlock1_1.0.conv1.weight')!.shape).toEqual([2 * first, first / 2, 3, 3]);
    expect(checkpoint.tensors.get('ConvBlock2_2.0.Conv.dwconv.weight')!.shape).toEqual([2 * second, 1, 7, 7]);
    await checkpoint.close();
  });

  it('has no fewer channels than it had', () => {
    expect(widen('16,64').stderr).toMatch(/its stages have 32, 64, 128, 160 channels; give as many or more/);
  });
});
