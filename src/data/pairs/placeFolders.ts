/**
 * A folder for each place, as University-1652 (Zheng, Wei and Yang 2020) has it, and DenseUAV: `train/VIEW/PLACE/image`, `test/query_VIEW/PLACE/image` and
 * `test/gallery_VIEW/PLACE/image`; or `Training/ALTITUDE/…` and `Testing/ALTITUDE/…`, as the program of SUES-200 (Zhu et al. 2022) lays its data out. Places of a gallery that nobody
 * looks for are what makes a search hard.
 */
import { chosenAltitude, imagesLike, type PairsLayout, type PlacedImage } from './layout.js';

const training = /^(?<root>(?:.*\/)?)(?:train|Training\/(?<altitude>[^/]+))\/(?<view>[^/]+)\/(?<place>[^/]+)\/[^/]+$/;
const testing =
  /^(?<root>(?:.*\/)?)(?:test|Testing\/(?<altitude>[^/]+))\/(?<role>query|gallery)_(?<view>[^/]+)\/(?<place>[^/]+)\/[^/]+$/;

export const placeFolders: PairsLayout = {
  name: 'train/VIEW/PLACE/<image> and test/query_VIEW/PLACE/<image>, test/gallery_VIEW/PLACE/<image> (University-1652, DenseUAV, SUES-200 as its program splits it)',
  recognise: (tree) => {
    const isTesting = imagesLike(tree, testing).length > 0;
    if (!isTesting && imagesLike(tree, training).length === 0) return undefined;
    return async ({ part, altitude }) => {
      const found = imagesLike(tree, part === 'train' ? training : testing);
      const altitudes = new Set(found.flatMap(({ groups }) => groups.altitude ?? []));
      const chosen = chosenAltitude(tree, altitudes, altitude);
      return found
        .filter(({ groups }) => groups.altitude === chosen)
        .map(
          ({ file, groups }): PlacedImage => ({
            file,
            place: groups.place!,
            view: groups.view!,
            role: (groups.role ?? 'train') as PlacedImage['role'],
          }),
        );
    };
  },
};
