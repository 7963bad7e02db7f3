/** Descriptors as they come from a network, and how well those of one view find those of another: by their products, and by their bits alone. */

import { asks, isSearched, type PlaceBatch } from '../../data/targets/places.js';
import { mostReranked, rerankedScores } from '../../metrics/reranking.js';
import { dotScores, RetrievalCounter, type RetrievalCounts } from '../../metrics/retrieval.js';
import { descriptorsOutput } from '../../models/descriptorHead.js';
import type { Outputs } from '../task.js';

/** How one view finds another. */
export interface Direction {
  /** The number of the view that asks, and of the one that is searched. */
  readonly query: number;
  readonly gallery: number;
  /** By University-1652's conventions. */
  readonly floats: RetrievalCounts;
  /** The same with average precision as SpikeViMFormer has it. */
  readonly plain: RetrievalCounts;
  /** Of the descriptors' signs alone: the more bits are equal, the nearer. */
  readonly bits: RetrievalCounts;
  /** By k-reciprocal neighbours, where that is asked for; null where there are too many images to compare each with each. */
  readonly reranked?: RetrievalCounts | null;
}

export class DescribedImages {
  readonly #descriptors: Float32Array[] = [];
  readonly #places: number[] = [];
  readonly #views: number[] = [];
  readonly #roles: number[] = [];

  add(outputs: Outputs, { places, views, roles }: PlaceBatch): void {
    const { data } = outputs.get(descriptorsOutput)!;
    const dimensions = data.length / places.length;
    for (let i = 0; i < places.length; i++) {
      this.#descriptors.push(data.slice(i * dimensions, (i + 1) * dimensions));
      this.#places.push(places[i]!);
      this.#views.push(views[i]!);
      this.#roles.push(roles[i]!);
    }
  }

  /** Every view against every other; of one view alone there is nothing to say. */
  directions({ rerank = false } = {}): readonly Direction[] {
    const views = [...new Set(this.#views)].sort((a, b) => a - b);
    return views.flatMap((query) =>
      views.flatMap((gallery) => (gallery === query ? [] : (this.#direction(query, gallery, rerank) ?? []))),
    );
  }

  #direction(query: number, gallery: number, rerank: boolean): Direction | undefined {
    const of = (view: number, role: number) =>
      this.#views.flatMap((each, i) => (each === view && (this.#roles[i]! & role) !== 0 ? [i] : []));
    // Images that show no place are searched, but nobody asks with them.
    const asking = of(query, asks).filter((i) => this.#places[i]! >= 0);
    const searched = of(gallery, isSearched);
    if (asking.length === 0 || searched.length === 0) return undefined;
    const places = searched.map((i) => this.#places[i]!);
    const counters = {
      floats: new RetrievalCounter(places, 'university1652'),
      plain: new RetrievalCounter(places, 'plain'),
      bits: new RetrievalCounter(places, 'university1652'),
    };
    const found = rows(searched.map((i) => this.#descriptors[i]!));
    const foundSigns = signsOf(found);
    for (const [number, i] of asking.entries()) {
      const descriptor = this.#descriptors[i]!;
      const scores = dotScores(descriptor, found, descriptor.length);
      const equal = dotScores(signsOf(descriptor), foundSigns, descriptor.length);
      const place = [this.#places[i]!];
      counters.floats.add([number], place, scores);
      counters.plain.add([number], place, scores);
      counters.bits.add([number], place, equal);
    }
    const { floats, plain, bits } = counters;
    return {
      ...{ query, gallery, floats: floats.counts(), plain: plain.counts(), bits: bits.counts() },
      ...(rerank ? { reranked: this.#reranked(asking, found, places) } : {}),
    };
  }

  /** @param found Descriptors of what is searched, `[N, D]`, which shows `places`. */
  #reranked(asking: readonly number[], found: Float32Array, places: readonly number[]): RetrievalCounts | null {
    if (asking.length + places.length > mostReranked) return null;
    const counter = new RetrievalCounter(places, 'university1652');
    const scores = rerankedScores(rows(asking.map((i) => this.#descriptors[i]!)), found, found.length / places.length);
    counter.add(
      [...asking.keys()],
      asking.map((i) => this.#places[i]!),
      scores,
    );
    return counter.counts();
  }
}

function rows(parts: readonly Float32Array[]): Float32Array {
  const length = parts[0]?.length ?? 0;
  const all = new Float32Array(parts.length * length);
  for (const [i, part] of parts.entries()) all.set(part, i * length);
  return all;
}

/** 1 where a number is not negative, which a neuron of threshold 0 would fire for, else −1: products are the bits that are equal minus those that differ. */
function signsOf(values: Float32Array): Float32Array {
  return values.map((value) => (value >= 0 ? 1 : -1));
}
