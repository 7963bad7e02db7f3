/** Galleries that grow: added to, interrupted and gone on with, and refused to another model. The descriptors are the names' bytes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SearchError } from '../../src/search/errors.js';
import { readGalleryFile } from '../../src/search/galleryFile.js';
import { type Described, type IndexOptions, indexImages, type Undescribed } from '../../src/search/indexImages.js';

const root = mkdtempSync(join(tmpdir(), 'index-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let files = 0;

const dimensions = 8;
const model = `sha256:${'1'.repeat(64)}`;
const descriptorOf = (name: string) =>
  Float32Array.from({ length: dimensions }, (_, d) => (name.charCodeAt(d % name.length) % 7) - 3);

function optionsWith(changes: Partial<IndexOptions> = {}): IndexOptions {
  return {
    output: join(root, `${files++}.safetensors`),
    model,
    dimensions,
    describe: async function* (names): AsyncGenerator<Described | Undescribed> {
      for (const name of names)
        yield name.startsWith('bad') ? { name, problem: 'damaged' } : { name, descriptor: descriptorOf(name) };
    },
    ...changes,
  };
}

describe('indexing images', () => {
  it('adds what is not in the gallery yet, and says what failed', async () => {
    const options = optionsWith();
    const told: string[] = [];
    const onImage = (done: number, all: number) => told.push(`${done}/${all}`);
    expect(await indexImages(['a', 'bad', 'b', 'a'], { ...options, onImage })).toEqual({
      before: 0,
      added: 2,
      failed: [{ name: 'bad', problem: 'damaged' }],
    });
    expect(told).toEqual(['1/3', '2/3', '3/3']);
    expect(await indexImages(['c', 'a', 'b'], options)).toEqual({ before: 2, added: 1, failed: [] });
    const gallery = await readGalleryFile(options.output);
    expect(gallery.names).toEqual(['a', 'b', 'c']);
    expect([...gallery.descriptors]).toEqual(['a', 'b', 'c'].flatMap((name) => [...descriptorOf(name)]));
  });

  it('goes on where it was interrupted', async () => {
    const asked: string[] = [];
    const interruptedAt = (stop: number) =>
      async function* (names: readonly string[]): AsyncGenerator<Described> {
        for (const [index, name] of names.entries()) {
          if (index === stop) throw new Error('interrupted');
          asked.push(name);
          yield { name, descriptor: descriptorOf(name) };
        }
      };
    const options = optionsWith({ keepEvery: 2, describe: interruptedAt(5) });
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    await expect(indexImages(names, options)).rejects.toThrow('interrupted');
    expect((await readGalleryFile(options.output)).names).toEqual(['a', 'b', 'c', 'd']);
    expect(await indexImages(names, { ...options, describe: interruptedAt(9) })).toMatchObject({ before: 4, added: 2 });
    expect(asked.slice(5)).toEqual(['e', 'f']);
    const once = optionsWith();
    await indexImages(names, once);
    expect(await readGalleryFile(options.output)).toEqual(await readGalleryFile(once.output));
  });

  it('keeps signs where that is asked for', async () => {
    const options = optionsWith({ kind: 'binary' });
    await indexImages(['a', 'b'], options);
    expect(await readGalleryFile(options.output)).toMatchObject({ kind: 'binary', dimensions });
  });

  it('refuses a gallery of another model, kind or size, and descriptors that do not fit', async () => {
    const options = optionsWith();
    await indexImages(['a'], options);
    const again = (changes: Partial<IndexOptions>) => indexImages(['b'], { ...options, ...changes });
    await expect(again({ model: `sha256:${'2'.repeat(64)}` })).rejects.toThrow(/made by another model/);
    await expect(again({ kind: 'binary' })).rejects.toThrow(/is a float gallery of 8 dimensions, not a binary one/);
    await expect(again({ dimensions: 4 })).rejects.toThrow(SearchError);
    const wrong = async function* (): AsyncGenerator<Described> {
      yield { name: 'b', descriptor: new Float32Array(3) };
    };
    await expect(again({ describe: wrong })).rejects.toThrow(/b: a descriptor of 3 numbers, expected 8/);
    const other = async function* (): AsyncGenerator<Described> {
      yield { name: 'x', descriptor: new Float32Array(8) };
    };
    await expect(again({ describe: other })).rejects.toThrow(/x, which was not asked for/);
    expect((await readGalleryFile(options.output)).names).toEqual(['a']);
  });
});
