/** Exact search against plain loops over all descriptors in float64, on every engine; ties, near ties and odd sizes included. */
import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import { SearchError } from '../../src/search/errors.js';
import { binaryGallery, type FloatGallery, packSigns } from '../../src/search/gallery.js';
import { GallerySearch } from '../../src/search/gallerySearch.js';
import { nativeIsBuilt } from '../engines/nativeSupport.js';

/** The native engine where there is a compiler. */
const engines = ['reference', 'wasm', ...(nativeIsBuilt ? (['native'] as const) : [])] as const;

function galleryOf(descriptors: Float32Array, dimensions: number): FloatGallery {
  const names = Array.from({ length: descriptors.length / dimensions }, (_, index) => `${index}.jpg`);
  return { kind: 'float', dimensions, descriptors, names, model: `sha256:${'0'.repeat(64)}` };
}

function randomRows(count: number, dimensions: number, seed: number, scale = 1): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: count * dimensions }, () => scale * random.normal());
}

/** What is to be found: every product as a sum in float64, sorted, the smaller number first among equals. */
function byHand({ descriptors, dimensions, names }: FloatGallery, query: Float32Array, top: number) {
  const scores = names.map((_, row) => {
    let sum = 0;
    for (let d = 0; d < dimensions; d++) sum += query[d]! * descriptors[row * dimensions + d]!;
    return sum;
  });
  return [...scores.keys()]
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, top)
    .map((index) => ({ index, name: names[index], score: scores[index] }));
}

const opened: GallerySearch[] = [];
async function open(...parameters: Parameters<typeof GallerySearch.open>) {
  const search = await GallerySearch.open(...parameters);
  opened.push(search);
  return search;
}
afterAll(() => Promise.all(opened.map((search) => search.dispose())));

/** Galleries that a first pass in bytes could get wrong. */
const hard: Readonly<Record<string, (dimensions: number) => Float32Array>> = {
  'random descriptors': (dimensions) => randomRows(700, dimensions, 1),
  'descriptors that differ in the last bits': (dimensions) => {
    const rows = randomRows(1, dimensions, 2);
    const noise = randomRows(300, dimensions, 3, 1e-7);
    return noise.map((value, i) => rows[i % dimensions]! + value);
  },
  'every descriptor many times': (dimensions) => {
    const rows = randomRows(7, dimensions, 4);
    return Float32Array.from({ length: 210 * dimensions }, (_, i) => rows[i % rows.length]!);
  },
  'lengths from none to a million, and numbers too small for a scale': (dimensions) =>
    randomRows(200, dimensions, 5).map((value, i) => {
      const row = Math.floor(i / dimensions);
      const scale = [0, 1e-44, 1e-30, 1e-3, 1, 1e5][row % 6]!;
      return value * scale;
    }),
  // Of every sixth descriptor a step of the codes is just too coarse for all that the query [0, 1, 1, …] asks about: it is the best, and its codes are 0.
  'what the codes lose lies along the query': (dimensions) =>
    Float32Array.from({ length: 120 * dimensions }, (_, i) => {
      const isCoarse = Math.floor(i / dimensions) % 6 === 5;
      if (i % dimensions === 0) return isCoarse ? 127 : 10;
      return isCoarse ? 0.499 : 0.45;
    }),
};

describe.each(engines)('exact search, %s', (engine) => {
  it.each(Object.keys(hard))('finds what float64 finds among all: %s', async (title) => {
    for (const dimensions of [1, 3, 16, 33, 72]) {
      const gallery = galleryOf(hard[title]!(dimensions), dimensions);
      const search = await open(gallery, { engine });
      const alongAll = Float32Array.from({ length: dimensions }, (_, d) => (d === 0 ? 0 : 1));
      const queries = [randomRows(1, dimensions, 9), gallery.descriptors.slice(0, dimensions), alongAll];
      for (const query of [...queries, new Float32Array(dimensions), queries[0]!.map((value) => 1e30 * value)])
        for (const top of [1, 5, 1000]) expect(await search.search(query, top)).toEqual(byHand(gallery, query, top));
    }
  });

  it('finds the nearest in bits', async () => {
    for (const dimensions of [8, 40, 64, 136]) {
      const floats = galleryOf(randomRows(300, dimensions, 6), dimensions);
      const signs = galleryOf(
        floats.descriptors.map((value) => (value > 0 ? 1 : -1)),
        dimensions,
      );
      const search = await open(binaryGallery(floats), { engine });
      const query = randomRows(1, dimensions, 7);
      const expected = byHand(
        signs,
        query.map((value) => (value > 0 ? 1 : -1)),
        50,
      ).map(({ score, ...hit }) => ({ ...hit, score: score! / dimensions }));
      const found = await search.search(packSigns(query, dimensions), 50);
      expect(found.map(({ index }) => index)).toEqual(expected.map(({ index }) => index));
      for (const [i, { score }] of found.entries()) expect(score).toBeCloseTo(expected[i]!.score, 12);
    }
  });
});

describe('a search', () => {
  it('is the same on one thread and on two', async () => {
    const gallery = galleryOf(randomRows(5000, 64, 8), 64);
    const query = randomRows(1, 64, 9);
    const [one, two] = [await open(gallery, { threads: 1 }), await open(gallery, { threads: 2 })];
    expect(await one.search(query, 20)).toEqual(await two.search(query, 20));
  });

  it('of an empty gallery finds nothing', async () => {
    const search = await open(galleryOf(new Float32Array(0), 4));
    expect(await search.search(new Float32Array(4))).toEqual([]);
  });

  it('refuses descriptors of another kind, of another length, or without a number', async () => {
    const search = await open(galleryOf(randomRows(3, 8, 1), 8), { engine: 'wasm', threads: 1 });
    await expect(search.search(new Float32Array(7))).rejects.toThrow(/7 numbers for a float gallery of 8 dimensions/);
    await expect(search.search(new Uint8Array(8))).rejects.toThrow(/8 bytes for a float gallery/);
    await expect(search.search(new Float32Array(8).fill(Number.NaN))).rejects.toThrow(SearchError);
    await expect(search.search(new Float32Array(8), 0)).rejects.toThrow(/top is 0/);
  });
});
