// @ts-check
/**
 * Exact search in galleries of random descriptors of length 1: time of a search, of opening a gallery, and memory, beside a plain loop over a Float32Array and, where it is
 * installed, usearch (exact, and by its graph). Ways take turns within a size. Every answer of ours is compared with the loop's.
 *
 * Usage: npm run build, then node bench/search.mjs [--sizes 10000,100000,1000000] [--dimensions 256] [--top 10] [--queries 20] [--usearch FOLDER] [--graph 100000]
 *
 * `--usearch` is a folder in whose node_modules usearch lies; a graph is built up to `--graph` images, which takes long.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { medianOf } from '../dist/runtime/median.js';
import { binaryGallery, packSigns } from '../dist/search/gallery.js';
import { GallerySearch } from '../dist/search/gallerySearch.js';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10000,100000,1000000' },
    dimensions: { type: 'string', default: '256' },
    top: { type: 'string', default: '10' },
    queries: { type: 'string', default: '20' },
    usearch: { type: 'string' },
    graph: { type: 'string', default: '0' },
  },
});
const [dimensions, top, queries] = [values.dimensions, values.top, values.queries].map(Number);

/** Random directions. @param {number} count @param {number} seed */
function unitRows(count, seed) {
  let state = seed;
  const rows = new Float32Array(count * dimensions);
  for (let row = 0; row < count; row++) {
    let squares = 0;
    for (let i = row * dimensions; i < (row + 1) * dimensions; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      rows[i] = state / 2 ** 31;
      squares += rows[i] * rows[i];
    }
    for (let i = row * dimensions; i < (row + 1) * dimensions; i++) rows[i] /= Math.sqrt(squares);
  }
  return rows;
}

/** What one writes without a library. @param {Float32Array} rows @param {Float32Array} query */
function loop(rows, query) {
  /** @type {{ index: number, score: number }[]} */
  const best = [];
  for (let row = 0, start = 0; start < rows.length; row++, start += dimensions) {
    let score = 0;
    for (let d = 0; d < dimensions; d++) score += query[d] * rows[start + d];
    if (best.length === top && score <= best[top - 1].score) continue;
    const place = best.findIndex((other) => other.score < score);
    best.splice(place < 0 ? best.length : place, 0, { index: row, score });
    best.length = Math.min(best.length, top);
  }
  return best.map(({ index }) => index);
}

const mebibytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
const resident = () => process.memoryUsage().rss;

/** @param {number} count */
async function measure(count) {
  const descriptors = unitRows(count, 1);
  const names = Array.from({ length: count }, (_, index) => `${index}.jpg`);
  const asked = unitRows(queries, 99);
  const query = (/** @type {number} */ i) => asked.subarray(i * dimensions, (i + 1) * dimensions);
  /** @type {import('../dist/search/gallery.js').FloatGallery} */
  const gallery = { kind: 'float', dimensions, descriptors, names, model: `sha256:${'0'.repeat(64)}` };
  const bits = binaryGallery(gallery);
  /** @type {{ name: string, find: (i: number) => Promise<number[]> | number[], isExact?: boolean, note: string, times: number[], share: number, dispose?: () => Promise<void> }[]} */
  const ways = [{ name: 'plain loop', find: (i) => loop(descriptors, query(i)), note: '', times: [], share: 0 }];
  for (const threads of [1, 2])
    for (const kind of /** @type {const} */ (['float', 'binary'])) {
      const before = resident();
      const started = performance.now();
      const search = await GallerySearch.open(kind === 'float' ? gallery : bits, { threads });
      const note = `opened in ${Math.round(performance.now() - started)} ms, ${mebibytes(Math.max(0, resident() - before))} more`;
      const descriptor = (/** @type {number} */ i) => (kind === 'float' ? query(i) : packSigns(query(i), dimensions));
      ways.push({
        name: `${kind}, ${threads} thread${threads > 1 ? 's' : ''}`,
        find: async (i) => (await search.search(descriptor(i), top)).map(({ index }) => index),
        isExact: kind === 'float',
        note,
        times: [],
        share: 0,
        dispose: () => search.dispose(),
      });
    }
  if (values.usearch) addUsearch(ways, descriptors, count, query);
  for (let i = 0; i < queries; i++) {
    /** @type {number[]} */
    let truth = [];
    for (const way of ways) {
      const started = performance.now();
      const found = await way.find(i);
      way.times.push(performance.now() - started);
      if (way === ways[0]) truth = found;
      const shared = found.filter((index) => truth.includes(index)).length / top;
      way.share += shared / queries;
      if (way.isExact && found.join() !== truth.join()) throw new Error(`${way.name}: ${found} instead of ${truth}`);
    }
  }
  console.log(`\n${count} descriptors of ${dimensions}, the best ${top}; fastest, median and slowest of ${queries}`);
  for (const { name, times, note, share } of ways)
    console.log(
      `  ${name.padEnd(22)} ${Math.min(...times)
        .toFixed(2)
        .padStart(8)} ms ${medianOf(times).toFixed(2).padStart(8)} ms ${Math.max(...times)
        .toFixed(2)
        .padStart(8)} ms  ${(100 * share).toFixed(0).padStart(3)} % of the best  ${note}`,
    );
  for (const { dispose } of ways) await dispose?.();
}

/** @param {any[]} ways @param {Float32Array} descriptors @param {number} count @param {(i: number) => Float32Array} query */
function addUsearch(ways, descriptors, count, query) {
  const { Index, MetricKind, exactSearch } = createRequire(join(String(values.usearch), 'x.js'))('usearch');
  const numbers = (/** @type {{ keys: BigUint64Array }} */ { keys }) => Array.from(keys, Number);
  ways.push({
    name: 'usearch, exact',
    find: (/** @type {number} */ i) =>
      numbers(exactSearch(descriptors, query(i).slice(), dimensions, top, MetricKind.IP, 2)),
    note: '',
    times: [],
    share: 0,
  });
  if (count > Number(values.graph)) return;
  const before = resident();
  const started = performance.now();
  const index = new Index({ metric: MetricKind.IP, dimensions });
  index.add(
    BigUint64Array.from({ length: count }, (_, i) => BigInt(i)),
    descriptors,
    2,
  );
  const note = `built in ${Math.round(performance.now() - started)} ms, ${mebibytes(resident() - before)} more`;
  ways.push({
    name: 'usearch, graph',
    find: (/** @type {number} */ i) => numbers(index.search(query(i).slice(), top, 1)),
    note,
    times: [],
    share: 0,
  });
}

for (const size of values.sizes.split(',')) await measure(Number(size));
