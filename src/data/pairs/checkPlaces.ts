/** Images and places looked at before any work begins: everything that is wrong is told at once, or left out where that is asked for. */
import type { EncodedStore, FileStore } from '../datasets/stores.js';
import { imageSize } from '../decode.js';
import { DataError, ImageError } from '../errors.js';
import { readAhead } from '../readAhead.js';
import { fileName, imageBytes } from '../storedFiles.js';
import type { PlacedImage } from './layout.js';

/** What may be wrong, with what one and several of it are called. */
const faults = {
  unreadable: ['image that cannot be read', 'images that cannot be read'],
  viewless: ['place without a view', 'places without a view'],
  notFound: ['place that is not in the gallery', 'places that are not in the gallery'],
} as const;

export type Fault = keyof typeof faults;

export interface PlaceProblem {
  readonly fault: Fault;
  /** One line naming the file or the place. */
  readonly message: string;
}

/** The name of folders for images that show no place. */
export const junkName = '-1';

/** How many images are looked at at once. */
const together = 8;

/** Of each file what is wrong with it, undefined for most; nothing is decoded. */
export async function* unreadableImages(
  store: EncodedStore | FileStore,
): AsyncGenerator<PlaceProblem | undefined, void, undefined> {
  const count = store.kind === 'files' ? store.paths.length : store.ends.length;
  const look = async (position: number): Promise<PlaceProblem | undefined> => {
    try {
      await imageSize(await imageBytes(store, position), fileName(store, position));
      return undefined;
    } catch (error) {
      if (!(error instanceof ImageError || error instanceof DataError)) throw error;
      return { fault: 'unreadable', message: error.message };
    }
  };
  const positions = Array.from({ length: count }, (_, position) => position);
  yield* readAhead(positions, look, { concurrency: together, lookAhead: 4 * together });
}

/** Images of places that can be used, and what is wrong with the other places: training needs each view of a place, a search what is looked for in the gallery. */
export function usableImages(images: readonly PlacedImage[], views: readonly string[]) {
  const problems: PlaceProblem[] = [];
  const trained = new Map<string, Set<string>>();
  const found = new Map<string, Set<string>>();
  const note = (table: Map<string, Set<string>>, { place, view }: PlacedImage) => {
    const seen = table.get(place);
    if (seen) seen.add(view);
    else table.set(place, new Set([view]));
  };
  for (const image of images) {
    if (image.role === 'train') note(trained, image);
    if (image.role === 'gallery' || image.role === 'both') note(found, image);
  }
  const wrongPlaces = new Set<string>();
  for (const [place, seen] of trained) {
    const missing = views.filter((view) => !seen.has(view));
    if (missing.length === 0) continue;
    wrongPlaces.add(place);
    problems.push({
      fault: 'viewless',
      message: `place ${place}: has no ${missing.join(' and no ')} image`,
    });
  }
  const wrongQueries = new Set<string>();
  for (const { place, view, role } of images) {
    const isAsked = role === 'query' || role === 'both';
    const query = `${view} ${place}`;
    if (!isAsked || wrongQueries.has(query) || views.some((other) => other !== view && found.get(place)?.has(other)))
      continue;
    wrongQueries.add(query);
    problems.push({
      fault: 'notFound',
      message: `place ${place}: is looked for from ${view} and has no other view in the gallery`,
    });
  }
  const usable = images.flatMap((image): PlacedImage[] => {
    if (image.role === 'train') return wrongPlaces.has(image.place) ? [] : [image];
    if (!wrongQueries.has(`${image.view} ${image.place}`)) return [image];
    // What is not looked for may still be found.
    return image.role === 'both' ? [{ ...image, role: 'gallery' }] : image.role === 'gallery' ? [image] : [];
  });
  return { usable, problems };
}

const shown = 10;

/** All that is wrong, in one line. */
export function placesRefusal(name: string, problems: readonly PlaceProblem[]): DataError {
  return new DataError(
    `${name}: ${counted(problems)}: ${listed(problems)}. Mend them, or leave them out with --skip-bad`,
  );
}

/** The same where leaving out would help nobody. */
export function noPlacesLeft(name: string, problems: readonly PlaceProblem[]): DataError {
  return new DataError(`${name}: no place can be used: ${listed(problems)}`);
}

export function placesLeftOut(name: string, problems: readonly PlaceProblem[]): string {
  return `${name}: left out: ${counted(problems)}`;
}

function counted(problems: readonly PlaceProblem[]): string {
  const counts = new Map<Fault, number>();
  for (const { fault } of problems) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  return [...counts].map(([fault, times]) => `${times} ${faults[fault][times === 1 ? 0 : 1]}`).join(', ');
}

function listed(problems: readonly PlaceProblem[]): string {
  const first = problems.slice(0, shown).map(({ message }) => message);
  const more = problems.length > shown ? `; and ${problems.length - shown} more` : '';
  return `${first.join('; ')}${more}`;
}
