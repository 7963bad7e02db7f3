import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { openNodeFile } from '../../src/interop/nodeFile.js';
import { openCheckpoint } from '../../src/interop/openCheckpoint.js';
import { pthParts } from '../../src/interop/pthWriter.js';
import { fileFromBlob, fileFromBytes, type RandomAccessFile } from '../../src/interop/randomAccessFile.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { formatFixture, joined } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'meta-spikeformer-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const content = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
const path = join(folder, 'bytes');
writeFileSync(path, content);

describe.each<[string, () => Promise<RandomAccessFile>]>([
  ['a file of Node', () => openNodeFile(path)],
  ['a Blob', async () => fileFromBlob(new Blob([content]))],
  ['bytes in memory', async () => fileFromBytes(content)],
])('%s', (_, open) => {
  it('gives exactly the range that is asked for, as bytes of its own', async () => {
    const file = await open();
    expect(file.size).toBe(1000);
    const range = await file.read(300, 5);
    expect(range).toEqual(content.slice(300, 305));
    range.fill(0);
    expect(await file.read(300, 5)).toEqual(content.slice(300, 305));
    expect(await file.read(1000, 0)).toEqual(new Uint8Array());
    await file.close();
  });

  it.each([
    [999, 2],
    [-1, 1],
    [0, -1],
    [0.5, 1],
    [2 ** 60, 1],
    [0, Number.NaN],
  ])('refuses a range at offset %d with length %d', async (offset, length) => {
    const file = await open();
    await expect(file.read(offset, length)).rejects.toThrow(/damaged or truncated/);
    await file.close();
  });
});

describe('openNodeFile', () => {
  it('says that a directory is a directory', async () => {
    await expect(openCheckpointFile(folder)).rejects.toThrow(`${folder}: is a directory, not a checkpoint`);
  });

  it('says that a file is missing', async () => {
    await expect(openCheckpointFile(join(folder, 'absent.pth'))).rejects.toThrow(
      /absent\.pth: cannot read: no such file or folder/,
    );
  });

  it('notices that a file became shorter while it was open', async () => {
    const shrinking = join(folder, 'shrinking');
    writeFileSync(shrinking, content);
    const file = await openNodeFile(shrinking);
    truncateSync(shrinking, 10);
    await expect(file.read(0, 1000)).rejects.toThrow(/only 10 of 1000 bytes could be read/);
    await file.close();
  });
});

describe('openCheckpoint', () => {
  it('opens a Blob like a file', async () => {
    const checkpoint = await openCheckpoint(
      fileFromBlob(new Blob([readFileSync(formatFixture('float16.pth'))]), 'upload.pth'),
    );
    expect(checkpoint.tensors.size).toBe(825);
  });

  it('reads the directory and the pickle of a large file, then only the tensor that is asked for', async () => {
    const elements = 2_000_000;
    const data = new Float32Array(elements).fill(1);
    const tensors = new Map<string, TensorData>(
      ['a', 'b'].map((name) => [name, { dtype: 'float32', shape: [elements], data }]),
    );
    const file = fileFromBytes(joined(pthParts(tensors)));
    let bytesRead = 0;
    const counting: RandomAccessFile = {
      ...file,
      read: (offset, length) => {
        bytesRead += length;
        return file.read(offset, length);
      },
    };
    const checkpoint = await openCheckpoint(counting);
    expect(bytesRead).toBeLessThan(100_000);
    bytesRead = 0;
    await checkpoint.tensors.get('b')!.readFloat32();
    expect(bytesRead).toBeLessThan(4 * elements + 100);
  });
});
