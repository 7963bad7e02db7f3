/** What we write as .pth is read by PyTorch itself where that is installed, and by our reader everywhere. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCheckpointFile, writePth, writeSafetensors } from '../../src/interop/checkpointFiles.js';
import type { TensorData } from '../../src/interop/tensorData.js';

const python = process.env.META_SPIKEFORMER_PYTHON ?? '/usr/bin/python3';
const hasTorch = spawnSync(python, ['-c', 'import torch']).status === 0;

const folder = mkdtempSync(join(tmpdir(), 'meta-spikeformer-pth-'));
afterAll(() => rmSync(folder, { recursive: true }));

const tensors = new Map<string, TensorData>([
  ['head.weight', { dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 1e-40, 5, 6) }],
  ['bn.num_batches_tracked', { dtype: 'int64', shape: [], data: BigInt64Array.of(2n ** 40n) }],
  ['double', { dtype: 'float64', shape: [1], data: Float64Array.of(Math.PI) }],
  ['half', { dtype: 'float16', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) }],
  ['brain', { dtype: 'bfloat16', shape: [2], data: Uint16Array.of(0x3f80, 0xc000) }],
  ['int', { dtype: 'int32', shape: [1, 1], data: Int32Array.of(-5) }],
  ['short', { dtype: 'int16', shape: [1], data: Int16Array.of(-6) }],
  ['char', { dtype: 'int8', shape: [1], data: Int8Array.of(-7) }],
  ['byte', { dtype: 'uint8', shape: [3], data: Uint8Array.of(1, 2, 255) }],
  ['flag', { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) }],
  ['none', { dtype: 'float32', shape: [0, 2], data: new Float32Array(0) }],
  ['gewöhnlich', { dtype: 'float32', shape: [1], data: Float32Array.of(8) }],
]);
const values: Record<string, number[]> = {
  'head.weight': [1, -2, 3.5, Math.fround(1e-40), 5, 6],
  'bn.num_batches_tracked': [2 ** 40],
  double: [Math.PI],
  half: [1, -2],
  brain: [1, -2],
  int: [-5],
  short: [-6],
  char: [-7],
  byte: [1, 2, 255],
  flag: [1, 0],
  none: [],
  gewöhnlich: [8],
};

describe('writePth', () => {
  it.each(['model', 'state_dict', 'bare'] as const)('writes under %s what the reader reads back', async (wrap) => {
    const path = join(folder, `${wrap}.pth`);
    await writePth(path, tensors, { wrap });
    const checkpoint = await openCheckpointFile(path);
    expect(checkpoint.format).toBe('pth-zip');
    expect([...checkpoint.tensors.keys()]).toEqual([...tensors.keys()]);
    for (const [name, { dtype, shape, data }] of tensors) {
      const tensor = checkpoint.tensors.get(name)!;
      expect({ dtype: tensor.dtype, shape: tensor.shape }).toEqual({ dtype, shape });
      expect(await tensor.readBytes()).toEqual(new Uint8Array(data.buffer));
    }
    await checkpoint.close();
  });

  it('writes the same bytes for the same weights', async () => {
    await writePth(join(folder, 'first.pth'), tensors);
    await writePth(join(folder, 'second.pth'), tensors);
    expect(readFileSync(join(folder, 'first.pth')).equals(readFileSync(join(folder, 'second.pth')))).toBe(true);
  });

  it('leaves an older file alone and no temporary file behind when the data is wrong', async () => {
    const path = join(folder, 'kept.pth');
    writeFileSync(path, 'precious');
    const wrong = new Map<string, TensorData>([['w', { dtype: 'float32', shape: [9], data: Float32Array.of(1) }]]);
    await expect(writePth(path, wrong)).rejects.toThrow(`${path}: cannot write w: float32 of shape [9] takes 36 bytes`);
    expect(readFileSync(path, 'utf8')).toBe('precious');
    await expect(writeSafetensors(join(folder, 'absent', 'x.safetensors'), tensors)).rejects.toThrow(
      /cannot write: no such file or folder/,
    );
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it.skipIf(!hasTorch)(
    'is read by torch.load, with and without weights_only (skipped when PyTorch is not installed)',
    async () => {
      const script = `
import collections, json, sys, torch, zipfile
assert zipfile.ZipFile(sys.argv[1]).testzip() is None
plain, safe = torch.load(sys.argv[1]), torch.load(sys.argv[1], weights_only=True)
assert list(plain) == list(safe) == ['model', 'note'] and plain['note'] == safe['note'] == 'café'
assert type(plain['model']) is collections.OrderedDict
assert all(torch.equal(plain['model'][k], safe['model'][k]) for k in safe['model'])
print(json.dumps({k: [str(t.dtype)[6:], list(t.shape), t.double().flatten().tolist(), t.is_contiguous()] for k, t in plain['model'].items()}))`;
      const path = join(folder, 'for-torch.pth');
      await writePth(path, tensors, { metadata: { note: 'café' } });
      const result = spawnSync(python, ['-c', script, path], { encoding: 'utf8' });
      expect(result.stderr).toBe('');
      const expected = [...tensors].map(([name, { dtype, shape }]) => [name, [dtype, shape, values[name], true]]);
      expect(JSON.parse(result.stdout)).toEqual(Object.fromEntries(expected));
    },
  );
});
