/** Places with their views as a data set of images, each with the place that it shows: what a loader and an evaluation go through. For Node. */

import { type ImageDataset, imagesWith } from '../datasets/images.js';
import type { Split } from '../datasets/layout.js';
import { MissingSplitError } from '../errors.js';
import { asks, isSearched, noPlace, type PlaceTargets } from '../targets/places.js';
import { type OpenPairsOptions, openPairs } from './openPairs.js';
import type { PlaceViews } from './places.js';

export type OpenPlacesOptions = Omit<OpenPairsOptions, 'part'> & {
  /** Which part; the first that is there, where there are several. */
  readonly split: Split | readonly Split[];
};

/**
 * All images of a part; of the test part those that ask and those that are searched.
 *
 * @throws DataError as `openPairs`; MissingSplitError without the split.
 */
export async function openPlaces(
  path: string,
  { split, ...options }: OpenPlacesOptions,
): Promise<ImageDataset<PlaceTargets>> {
  const [part, ...others] = typeof split === 'string' ? [split] : split;
  try {
    return datasetOf(await openPairs(path, { ...options, part: part! }));
  } catch (error) {
    if (others.length === 0 || !(error instanceof MissingSplitError)) throw error;
    return openPlaces(path, { split: others, ...options });
  }
}

function datasetOf({ name, places, views, store, images, directions, notes }: PlaceViews): ImageDataset<PlaceTargets> {
  const count = store.kind === 'encoded' ? store.ends.length : store.paths.length;
  const place = new Int32Array(count).fill(noPlace);
  const view = new Int32Array(count);
  const role = new Uint8Array(count);
  for (const [number, lists] of images.entries())
    for (const [shown, positions] of lists.entries())
      for (const position of positions) {
        place[position] = shown;
        view[position] = number;
      }
  for (const { query, gallery } of directions)
    for (const [list, meaning] of [
      [query, asks],
      [gallery, isSearched],
    ] as const)
      for (const [i, position] of list.images.entries()) {
        place[position] = list.places[i]!;
        view[position] = views.indexOf(list.view);
        role[position]! |= meaning;
      }
  // In a part for training every image may do both, so that what is held out of it can be judged.
  if (directions.length === 0) role.fill(asks | isSearched);
  const targets: PlaceTargets = { kind: 'places', places, views, place, view, role };
  return { ...imagesWith({ name, store, targets }), notes };
}
