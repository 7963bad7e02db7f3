/**
 * Places as targets: which place an image shows, and in which view, such as from a drone or from a satellite. What retrieval learns: images of a place are to be like each other
 * and unlike those of other places. Places do not move with the picture.
 */

import type { Random } from '../../random.js';
import { DataError } from '../errors.js';
import { shuffle } from '../seed.js';
import type { SampleOrder, TargetKind } from './targetKind.js';

/** The place of images that show none: they stand in the way of a search, and nobody asks with them. */
export const noPlace = -1;

/** Bits of an image's role: it asks for its place; it is searched. */
export const asks = 1;
export const isSearched = 2;

export interface PlaceTargets {
  readonly kind: 'places';
  /** Names of places; a place's number is an index into them. */
  readonly places: readonly string[];
  /** Names of views, the first is the one that asks. */
  readonly views: readonly string[];
  /** The place of each image, or {@link noPlace}: int32 [N]. */
  readonly place: Int32Array;
  /** The view of each image: int32 [N]. */
  readonly view: Int32Array;
  /** {@link asks} and {@link isSearched} of each image: uint8 [N]. */
  readonly role: Uint8Array;
}

export interface PlaceBatch {
  /** int32 [B] */
  readonly places: Int32Array;
  /** int32 [B] */
  readonly views: Int32Array;
  /** uint8 [B] */
  readonly roles: Uint8Array;
}

export interface ShownPlace {
  readonly place: number;
  readonly view: number;
  readonly role: number;
}

export const placeTargets: TargetKind<PlaceTargets, ShownPlace, PlaceBatch> = {
  name: 'places',
  count: ({ place }) => place.length,
  check: ({ places, views, place, view, role }, source) => {
    if (view.length !== place.length || role.length !== place.length)
      throw new DataError(
        `${source}: has ${place.length} places, ${view.length} views and ${role.length} roles; expected one of each for every image`,
      );
    const wrong = place.findIndex((number) => number !== noPlace && (number < 0 || number >= places.length));
    if (wrong >= 0)
      throw new DataError(
        `${source}: image ${wrong} shows place ${place[wrong]}; expected 0 to ${places.length - 1}, or ${noPlace} for none`,
      );
    const strange = view.findIndex((number) => number < 0 || number >= views.length);
    if (strange >= 0)
      throw new DataError(`${source}: image ${strange} has view ${view[strange]}; expected 0 to ${views.length - 1}`);
  },
  read: ({ place, view, role }, position) => ({
    place: place[position]!,
    view: view[position]!,
    role: role[position]!,
  }),
  transform: (target) => target,
  collate: (_, targets) => ({
    places: Int32Array.from(targets, ({ place }) => place),
    views: Int32Array.from(targets, ({ view }) => view),
    roles: Uint8Array.from(targets, ({ role }) => role),
  }),
  groups: {
    count: ({ places }) => places.length,
    of: ({ place }, position) => place[position]!,
    undivided: true,
  },
  unfitBatch: ({ places, place, view }, batchSize) => {
    const seen = new Set<string>();
    for (let i = 0; i < place.length; i++) if (place[i] !== noPlace) seen.add(`${place[i]} ${view[i]}`);
    return unfit(places.filter((_, number) => seen.has(`${number} 0`) && seen.has(`${number} 1`)).length, batchSize);
  },
  order: pairsOrder,
};

/** @param paired Places that both views show. */
function unfit(paired: number, batchSize: number): string | undefined {
  if (batchSize % 2 !== 0) return `a batch of ${batchSize} is no number of pairs; choose an even batchSize`;
  if (paired >= batchSize / 2) return undefined;
  return `has ${paired} places in both views, and a batch of ${batchSize} needs ${batchSize / 2}; choose a smaller batchSize`;
}

/**
 * An epoch of pairs: half of a batch are images of the first view, of as many places, and half are images of the second view of the same places in the same order. Each place comes
 * once in a batch. Places come in turn, in an order of chance, each time with an image of chance of either view.
 */
function pairsOrder(
  { places, views, place, view }: PlaceTargets,
  { size, position, batchSize, batches, name }: SampleOrder,
  random: Random,
): Int32Array {
  if (views.length !== 2)
    throw new DataError(`${name}: has the views ${views.join(', ')}; pairs are made of two, choose them`);
  const shown: number[][][] = Array.from({ length: places.length }, () => [[], []]);
  for (let i = 0; i < size; i++) {
    const at = position(i);
    if (place[at] !== noPlace) shown[place[at]!]![view[at]!]!.push(i);
  }
  const paired = shown.flatMap(([first, second], number) => (first!.length > 0 && second!.length > 0 ? [number] : []));
  const problem = unfit(paired.length, batchSize);
  if (problem !== undefined) throw new DataError(`${name}: ${problem}`);
  const pairs = batchSize / 2;
  const order = new Int32Array(batches * batchSize);
  const round = () => {
    const numbers = Int32Array.from(paired);
    shuffle(numbers, random);
    return numbers;
  };
  let waiting: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const chosen: number[] = [];
    const inBatch = new Set<number>();
    while (chosen.length < pairs) {
      if (waiting.length === 0) waiting = [...round()];
      // A new round may begin with places that the batch has: they wait.
      const at = waiting.findIndex((number) => !inBatch.has(number));
      if (at < 0) {
        waiting = [...waiting, ...round()];
        continue;
      }
      const [number] = waiting.splice(at, 1) as [number];
      inBatch.add(number);
      chosen.push(number);
    }
    for (const [row, number] of chosen.entries())
      for (const side of [0, 1] as const) {
        const images = shown[number]![side]!;
        order[batch * batchSize + side * pairs + row] = images[random.integer(images.length)]!;
      }
  }
  return order;
}
