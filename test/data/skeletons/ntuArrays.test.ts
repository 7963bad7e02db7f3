/** Arrays of prepared sequences as NumPy saved them (test/fixtures/skeletons/make.py): valid frames are kept, and what is damaged is refused. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MissingSplitError } from '../../../src/data/errors.js';
import { defaultMemoryBytes, memoryBudget, setMemoryBudget } from '../../../src/data/memoryBudget.js';
import { heldCount, heldFloats, heldName, heldSequence } from '../../../src/data/skeletons/heldSequences.js';
import { readNtuArrays } from '../../../src/data/skeletons/ntuArrays.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/skeletons/${name}`, import.meta.url));
const refusal = (name: string) =>
  readNtuArrays(fixture(name), 'train').then(
    () => 'read',
    (error: Error) => error.message,
  );

/** As the fixture's script says. */
const value = (number: number, frame: number, body: number, joint: number, axis: number) =>
  number + frame + joint / 32 + axis / 128 + 2 * body;

describe('arrays of prepared sequences', () => {
  it('keep the valid frames of each sequence, both bodies, and leave out empty sequences', async () => {
    const { store, labels, classes, notes } = await readNtuArrays(fixture('NTU60_CS.npz'), 'train');
    expect(heldCount(store)).toBe(3);
    expect([...labels]).toEqual([0, 49, 59]);
    expect(classes).toHaveLength(60);
    expect(classes[49]).toBe('punch or slap');
    expect(notes).toEqual([`${fixture('NTU60_CS.npz')}: x_train: 1 sequences are left out: all their frames are 0`]);
    const [first, second, third] = [0, 1, 2].map((position) => heldSequence(store, position));
    expect([first, second, third].map((sequence) => sequence!.frames)).toEqual([3, 5, 1]);
    for (const { bodies, joints } of [first!, second!, third!]) expect([bodies, joints]).toEqual([2, 25]);
    const expected = (number: number, frames: number, bodies: number) =>
      Array.from({ length: frames * 150 }, (_, i) => {
        const [frame, body, joint, axis] = [Math.floor(i / 150), Math.floor(i / 75) % 2, Math.floor(i / 3) % 25, i % 3];
        return body < bodies ? value(number, frame, body, joint, axis) : 0;
      });
    expect([...first!.positions]).toEqual(expected(1, 3, 1));
    expect([...second!.positions]).toEqual(expected(2, 5, 2));
    expect([...third!.positions]).toEqual(expected(4, 1, 2));
  });

  it('hold nothing for a second body that is not there, and count sequences as the file does', async () => {
    const { store } = await readNtuArrays(fixture('NTU60_CS.npz'), 'train');
    expect([0, 1, 2].map((position) => heldFloats(store, position).length)).toEqual([3 * 75, 5 * 150, 150]);
    expect(heldName(store, 2)).toMatch(/NTU60_CS\.npz: x_train 3$/);
  });

  it('may be stored, with numbers for classes, and without a split', async () => {
    const { store, labels, classes } = await readNtuArrays(fixture('stored.npz'), 'test');
    expect(heldSequence(store, 0).positions[0]).toBe(5);
    expect([...labels]).toEqual([7]);
    expect(classes).toHaveLength(60);
    await expect(readNtuArrays(fixture('stored.npz'), 'train')).rejects.toThrow(MissingSplitError);
  });

  it('say how they are divided by their name', async () => {
    await expect(readNtuArrays(fixture('NTU60_CS.npz'), 'test', 'xsub')).resolves.toBeDefined();
    await expect(readNtuArrays(fixture('NTU60_CS.npz'), 'test', 'xview')).rejects.toThrow(
      /NTU60_CS\.npz: is divided as xsub, not as xview; set data\.protocol to xsub/,
    );
  });

  it.each([
    ['other.npz', /other\.npz: has no arrays x_train and y_train \(found image, label\)/],
    ['width.npz', /x_train: has the shape \[4, 5, 99\]; expected \[N, T, 150\]/],
    ['lengths.npz', /x_train: has 4 sequences and 3 classes of sequences; expected as many/],
    ['labels.npz', /y_train: row 0 names no class; expected one 1 among zeros/],
    ['number.npz', /y_train: row 3 names no class; .* a number from 0 to 119/],
    ['nan.npz', /x_train: sequence 0 has values that are no finite numbers; prepare it again/],
    ['fortran.npz', /x_train: is stored in Fortran's order; save numpy\.ascontiguousarray of it/],
    ['objects.npz', /x_train: .*"\|O"/],
  ])('says in one line what is wrong with %s', async (name, message) => {
    const found = await refusal(name);
    expect(found).toMatch(message);
    expect(found).not.toContain('\n');
  });
});

describe('damaged and large archives', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spikeformer-arrays-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
    setMemoryBudget(defaultMemoryBytes());
  });

  it('refuses an archive with any byte of its arrays changed, and one that is cut off', async () => {
    const bytes = readFileSync(fixture('NTU60_CS.npz'));
    const path = join(folder, 'changed.npz');
    // The first array is x_train; its data begins behind a local header of 30 bytes, a name and what zip64 adds.
    for (const at of [80, 150, 300]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 0x55;
      writeFileSync(path, changed);
      await expect(readNtuArrays(path, 'train'), `byte ${at}`).rejects.toThrow(/changed\.npz/);
    }
    writeFileSync(path, bytes.subarray(0, bytes.length / 2));
    await expect(readNtuArrays(path, 'train')).rejects.toThrow(/changed\.npz/);
  });

  it('asks the memory budget, and names the option that raises it', async () => {
    setMemoryBudget(1 << 20);
    await expect(readNtuArrays(fixture('NTU60_CS.npz'), 'train')).rejects.toThrow(
      /x_train: its sequences: needs 32 MiB of memory, and 1 MiB are allowed for data.*--memory/,
    );
    expect(memoryBudget().used).toBe(0);
  });
});
