/** The front door to places seen from several views: a folder or a tar archive, and the layout in which it was published is recognised. For Node. */
import { noSuchSplit, type Split } from '../datasets/layout.js';
import { DataError } from '../errors.js';
import { type FileTree, openFileTree } from '../events/datasets/fileTree.js';
import { someNames, sortCodePoints } from '../names.js';
import {
  junkName,
  noPlacesLeft,
  type PlaceProblem,
  placesLeftOut,
  placesRefusal,
  unreadableImages,
  usableImages,
} from './checkPlaces.js';
import type { LayoutRequest, PairsLayout, PlacedImage, Role } from './layout.js';
import { pairedFolders } from './pairedFolders.js';
import { placeFolders } from './placeFolders.js';
import type { PlaceViews, RetrievalDirection, RetrievalList } from './places.js';
import { sues200 } from './sues200.js';

export interface OpenPairsOptions {
  /** `test` is what is searched: its places are none of those that were trained on. */
  readonly part: Split;
  /** Two views or more. Default drone and satellite. */
  readonly views?: readonly string[] | undefined;
  /** Of data that was taken at several altitudes: the name of a folder, such as `150`. */
  readonly altitude?: string | undefined;
  /** Leave out images and places that cannot be used, and say so in the notes, instead of refusing the data. */
  readonly skipBad?: boolean | undefined;
}

const layouts: readonly PairsLayout[] = [sues200, placeFolders, pairedFolders];

/**
 * Places with the images that show them, and what is to be searched where. Every image is opened before anything else, none is decoded.
 *
 * @throws DataError naming the first ten things that are wrong, or when nothing is recognised; MissingSplitError without the part.
 */
export async function openPairs(path: string, options: OpenPairsOptions): Promise<PlaceViews> {
  const { part, views = ['drone', 'satellite'], altitude, skipBad = false } = options;
  if (new Set(views).size !== views.length || views.length < 2)
    throw new DataError(`views: found ${views.join(', ')}; give two different ones or more`);
  const tree = await openFileTree(path);
  const placed = await placedImages(tree, { part, altitude }, views);
  const name = `${tree.name} (${part})`;
  const files = [...new Set(placed.map(({ file }) => file))];
  const store = await tree.store(files);
  const bad = new Set<string>();
  const problems: PlaceProblem[] = [];
  let position = 0;
  for await (const problem of unreadableImages(store)) {
    if (problem !== undefined) {
      problems.push(problem);
      bad.add(files[position]!);
    }
    position++;
  }
  const checked = usableImages(
    placed.filter(({ file }) => !bad.has(file)),
    views,
  );
  problems.push(...checked.problems);
  if (checked.usable.length === 0) throw noPlacesLeft(name, problems);
  if (problems.length > 0 && !skipBad) throw placesRefusal(name, problems);
  const notes = problems.length === 0 ? [] : [placesLeftOut(name, problems)];
  const positions = new Map(files.map((file, index) => [file, index]));
  const parts = partsOf(checked.usable, views, positions);
  if (part === 'test' && parts.directions.length === 0)
    throw new DataError(
      `${name}: holds nothing to look for from one of ${views.join(', ')} in another; name other views`,
    );
  return { name, part, views, store, notes, ...parts };
}

/** Images of the part, of these views alone. */
async function placedImages(
  tree: FileTree,
  request: LayoutRequest,
  views: readonly string[],
): Promise<readonly PlacedImage[]> {
  const images = await recognised(tree)(request);
  if (images.length === 0) throw noSuchSplit(tree.name, request.part);
  const there = new Set(images.map(({ view }) => view));
  const missing = views.find((view) => !there.has(view));
  if (missing !== undefined)
    throw new DataError(`${tree.name}: has no view ${missing}; there are ${someNames([...there].sort())}`);
  return images.filter(({ view }) => views.includes(view));
}

function recognised(tree: FileTree) {
  for (const layout of layouts) {
    const list = layout.recognise(tree);
    if (list !== undefined) return list;
  }
  const expected = layouts.map(({ name }) => name).join('; or ');
  throw new DataError(
    `${tree.name}: holds no places with several views in a layout that is known; expected ${expected}`,
  );
}

function partsOf(
  images: readonly PlacedImage[],
  views: readonly string[],
  positions: ReadonlyMap<string, number>,
): Pick<PlaceViews, 'places' | 'images' | 'directions'> {
  const places = sortCodePoints([...new Set(images.map(({ place }) => place))].filter((place) => place !== junkName));
  const numbers = new Map(places.map((place, index) => [place, index]));
  const listOf = (view: string, roles: readonly Role[]): RetrievalList => {
    const listed = images.filter((image) => image.view === view && roles.includes(image.role));
    return {
      view,
      images: Int32Array.from(listed, ({ file }) => positions.get(file)!),
      places: Int32Array.from(listed, ({ place }) => numbers.get(place) ?? -1),
    };
  };
  const directions = views.flatMap((from) =>
    views.flatMap((to): RetrievalDirection[] => {
      const [query, gallery] = [listOf(from, ['query', 'both']), listOf(to, ['gallery', 'both'])];
      const isThere = from !== to && query.images.length > 0 && gallery.images.length > 0;
      return isThere ? [{ name: `${from} → ${to}`, query, gallery }] : [];
    }),
  );
  const byPlace = views.map((view) => {
    const { images: shown, places: of } = listOf(view, ['train', 'gallery', 'both']);
    const lists = places.map((): number[] => []);
    for (const [i, place] of of.entries()) if (place >= 0) lists[place]!.push(shown[i]!);
    return lists.map((list) => Int32Array.from(list));
  });
  return { places, images: byPlace, directions };
}
