/**
 * Exact search in a gallery: the images with the largest dot products with a descriptor, as float64 sums over all would find them, or the nearest in bits. Of equal scores the
 * smaller number in the gallery comes first.
 *
 * Descriptors of float32 are searched in two passes. The engine multiplies the query with all of them as codes of a byte (`quantised.ts`), a quarter of the memory that must be
 * read. A bound for each says how far the true product may be, so only few can be among the best; of those the true products are computed. When many descriptors are nearly equal, many are
 * computed: that takes longer and finds the same.
 */
import { codeProducts } from '../engines/calls/codeProducts.js';
import { spikeDistances } from '../engines/calls/spikeDistances.js';
import {
  byteLengthOf,
  type Engine,
  type Kernels,
  type Program,
  type Storage,
  spikeWords,
  type Tensor,
} from '../engines/kernels.js';
import { createEngine, type EngineOptions } from '../runtime/engines.js';
import { bestFirst, KeptLargest } from './best.js';
import { SearchError } from './errors.js';
import { type BinaryGallery, type FloatGallery, type Gallery, rowLength } from './gallery.js';
import { checkStrictly } from './galleryChecks.js';
import { codeBytes, type QuantisedQuery, quantiseQuery, quantiseRows } from './quantised.js';

export interface Hit {
  /** The image's number in the gallery. */
  readonly index: number;
  readonly name: string;
  /** Dot product of float descriptors; of binary ones 1 − 2·(bits that differ)/D, the cosine of their signs. */
  readonly score: number;
}

/** The pass of the engine: a number for each image of the gallery. */
interface Pass {
  readonly program: Program;
  readonly query: Tensor;
  readonly output: Tensor;
}

/** What a search needs besides, of float descriptors. */
interface Bounds {
  readonly residuals: Float32Array;
  readonly lengths: Float32Array;
  readonly largestResidual: number;
  readonly largestLength: number;
}

export class GallerySearch {
  private constructor(
    readonly gallery: Gallery,
    private readonly engine: Engine,
    private readonly pass: Pass | undefined,
    private readonly bounds: Bounds | undefined,
  ) {}

  /**
   * Copies a gallery into an engine's memory: a byte for each number, or its bits. The gallery's own numbers are used later and must not change.
   *
   * @throws SearchError when the gallery contradicts itself; EngineError when the memory does not suffice.
   */
  static async open(gallery: Gallery, options: EngineOptions = {}): Promise<GallerySearch> {
    checkStrictly('gallery', gallery);
    const engine = await createEngine(options);
    try {
      // An engine runs nothing on nothing.
      if (gallery.names.length === 0) return new GallerySearch(gallery, engine, undefined, undefined);
      if (gallery.kind === 'binary')
        return new GallerySearch(gallery, engine, await binaryPass(engine, gallery), undefined);
      const { pass, bounds } = await floatPass(engine, gallery);
      return new GallerySearch(gallery, engine, pass, bounds);
    } catch (error) {
      await engine.dispose();
      throw error;
    }
  }

  /** Threads that search. */
  get threads(): number {
    return this.engine.threads;
  }

  /**
   * The best `top` images, best first; all where there are fewer. One search at a time.
   *
   * @param descriptor `[D]` of a float gallery, `[D/8]` bytes of a binary one.
   * @throws SearchError when the descriptor does not fit or is not finite.
   */
  async search(descriptor: Float32Array | Uint8Array, top = 5): Promise<readonly Hit[]> {
    const { gallery, pass } = this;
    if (!Number.isInteger(top) || top < 1)
      throw new SearchError(`search: top is ${top}, expected a whole number of at least 1`);
    const isFloat = descriptor instanceof Float32Array;
    if (isFloat !== (gallery.kind === 'float') || descriptor.length !== rowLength(gallery))
      throw new SearchError(
        `search: a descriptor of ${descriptor.length} ${isFloat ? 'numbers' : 'bytes'} for a ${gallery.kind} gallery of ${gallery.dimensions} dimensions; use the model that made the gallery`,
      );
    if (!pass) return [];
    const most = Math.min(top, gallery.names.length);
    const found =
      gallery.kind === 'float'
        ? await this.searchFloats(pass, gallery, descriptor as Float32Array, most)
        : await this.searchBits(pass, gallery, descriptor as Uint8Array, most);
    return found.map(({ index, score }) => ({ index, name: gallery.names[index]!, score }));
  }

  private async searchFloats(pass: Pass, gallery: FloatGallery, query: Float32Array, top: number) {
    if (!query.every(Number.isFinite)) throw new SearchError('search: the descriptor holds what is no finite number');
    const quantised = quantiseQuery(query);
    const products = await ran(pass, quantised.words);
    return candidates(products, quantised, this.bounds!, top)
      .map((index) => ({ index, score: exactProduct(gallery, query, index) }))
      .sort(bestFirst)
      .slice(0, top);
  }

  private async searchBits(pass: Pass, { dimensions }: BinaryGallery, query: Uint8Array, top: number) {
    const distances = await ran(pass, bitWords(query, dimensions / 8));
    const kept = new KeptLargest(top);
    for (let index = 0; index < distances.length; index++)
      if (-distances[index]! > kept.least) kept.offer(-distances[index]!);
    const farthest = -kept.least;
    const found: { index: number; score: number }[] = [];
    for (let index = 0; index < distances.length; index++)
      if (distances[index]! <= farthest) found.push({ index, score: 1 - (2 * distances[index]!) / dimensions });
    return found.sort(bestFirst).slice(0, top);
  }

  /** Frees the engine's memory and its threads. */
  async dispose(): Promise<void> {
    this.pass?.program.dispose();
    await this.engine.dispose();
  }
}

/** Numbers of all images that can be among the best: the true products of `top` images are at least `threshold`, and those of others cannot be. */
function candidates(products: Float32Array, query: QuantisedQuery, bounds: Bounds, top: number): number[] {
  const { scale, perResidual, perLength, least } = query;
  const { residuals, lengths } = bounds;
  const slack = (index: number) => perResidual * residuals[index]! + perLength * lengths[index]! + least;
  const kept = new KeptLargest(top);
  for (let index = 0; index < products.length; index++) {
    const product = scale * products[index]!;
    if (product > kept.least) kept.offer(product - slack(index));
  }
  const threshold = kept.least;
  const widest = perResidual * bounds.largestResidual + perLength * bounds.largestLength + least;
  const found: number[] = [];
  for (let index = 0; index < products.length; index++) {
    const product = scale * products[index]!;
    if (product + widest >= threshold && product + slack(index) >= threshold) found.push(index);
  }
  return found;
}

/** Products of float32 have no rounding in float64; their sum goes over the dimensions in order. */
function exactProduct({ descriptors, dimensions }: FloatGallery, query: Float32Array, index: number): number {
  const start = index * dimensions;
  let sum = 0;
  for (let d = 0; d < dimensions; d++) sum += query[d]! * descriptors[start + d]!;
  return sum;
}

async function ran({ program, query, output }: Pass, words: Uint32Array): Promise<Float32Array> {
  await program.writeSpikes(query, words);
  await program.run();
  return program.read(output);
}

function tensor(kernels: Kernels, storage: Storage, shape: readonly number[]): Tensor {
  return { storage, shape, block: kernels.allocate(byteLengthOf(shape, storage)), byteOffset: 0 };
}

/** Rows that are made and copied at once. */
const rowsTogether = 4096;

async function floatPass(engine: Engine, gallery: FloatGallery): Promise<{ pass: Pass; bounds: Bounds }> {
  const { descriptors, dimensions, names } = gallery;
  const rows = names.length;
  const kernels = engine.record();
  const codes = tensor(kernels, 'spikes', [rows, 8 * dimensions]);
  const query = tensor(kernels, 'spikes', [16 * dimensions]);
  const scales = tensor(kernels, 'real', [rows]);
  const output = tensor(kernels, 'real', [rows]);
  kernels.record(codeProducts, { name: 'search', rows, channels: dimensions, codes, query, scales, output });
  const program = kernels.finish();
  const allScales = new Float32Array(rows);
  const [residuals, lengths] = [new Float32Array(rows), new Float32Array(rows)];
  const bounds = { residuals, lengths, largestResidual: 0, largestLength: 0 };
  for (let first = 0; first < rows; first += rowsTogether) {
    const end = Math.min(rows, first + rowsTogether);
    const part = quantiseRows(descriptors.subarray(first * dimensions, end * dimensions), dimensions);
    await program.writeSpikes(codes, new Uint32Array(part.codes.buffer), (first * codeBytes(dimensions)) / 4);
    allScales.set(part.scales, first);
    residuals.set(part.residuals, first);
    lengths.set(part.lengths, first);
  }
  for (let row = 0; row < rows; row++) {
    bounds.largestResidual = Math.max(bounds.largestResidual, residuals[row]!);
    bounds.largestLength = Math.max(bounds.largestLength, lengths[row]!);
  }
  await program.write(scales, allScales);
  return { pass: { program, query, output }, bounds };
}

async function binaryPass(engine: Engine, gallery: BinaryGallery): Promise<Pass> {
  const { descriptors, dimensions, names } = gallery;
  const rows = names.length;
  const kernels = engine.record();
  const bits = tensor(kernels, 'spikes', [rows, dimensions]);
  const query = tensor(kernels, 'spikes', [dimensions]);
  const output = tensor(kernels, 'real', [rows]);
  kernels.record(spikeDistances, { name: 'search', rows, channels: dimensions, gallery: bits, query, output });
  const program = kernels.finish();
  const bytes = dimensions / 8;
  for (let first = 0; first < rows; first += rowsTogether) {
    const part = descriptors.subarray(first * bytes, Math.min(rows, first + rowsTogether) * bytes);
    await program.writeSpikes(bits, bitWords(part, bytes), first * spikeWords(dimensions));
  }
  return { program, query, output };
}

/** Rows of bytes as rows of whole words. */
function bitWords(rows: Uint8Array, bytes: number): Uint32Array {
  const stride = 4 * spikeWords(8 * bytes);
  const count = rows.length / bytes;
  const padded = new Uint8Array(count * stride);
  if (stride === bytes) padded.set(rows);
  else for (let row = 0; row < count; row++) padded.set(rows.subarray(row * bytes, (row + 1) * bytes), row * stride);
  return new Uint32Array(padded.buffer);
}
