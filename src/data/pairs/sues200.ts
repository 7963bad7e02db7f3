/**
 * SUES-200 (Zhu et al. 2022) as it is handed out: `drone_view_512/PLACE/ALTITUDE/image` and `satellite-view/PLACE/image`. Which places are trained on is not in the data: `train.txt` beside the
 * two folders says it, a place on a line (the authors' list of 120 is `script/indexs.yaml` of their repository). All others are looked for, in a gallery of all places, as in their program.
 */
import { DataError } from '../errors.js';
import { chosenAltitude, imagesLike, type PairsLayout, type PlacedImage } from './layout.js';

const drone = /^(?<root>(?:.*\/)?)drone[_-]view(?:_512)?\/(?<place>[^/]+)\/(?<altitude>[^/]+)\/[^/]+$/;
const satellite = /^(?<root>(?:.*\/)?)satellite[_-]view\/(?<place>[^/]+)\/[^/]+$/;

export const sues200: PairsLayout = {
  name: 'drone_view_512/PLACE/ALTITUDE/<image> and satellite-view/PLACE/<image> with train.txt (SUES-200)',
  recognise: (tree) => {
    const [drones, satellites] = [imagesLike(tree, drone), imagesLike(tree, satellite)];
    if (drones.length === 0 || satellites.length === 0) return undefined;
    return async ({ part, altitude }) => {
      const chosen = chosenAltitude(tree, new Set(drones.map(({ groups }) => groups.altitude!)), altitude);
      const list = `${drones[0]!.groups.root}train.txt`;
      const text = await tree.text(list);
      if (text === undefined)
        throw new DataError(
          `${tree.name}: has no ${list}, which says the places to train on, one on a line; write it (the authors' list is script/indexs.yaml of SUES-200-Benchmark)`,
        );
      const trained = new Set(text.split(/\s+/).filter((place) => place !== ''));
      const known = new Set([...drones, ...satellites].map(({ groups }) => groups.place!));
      const unknown = [...trained].find((place) => !known.has(place));
      if (unknown !== undefined)
        throw new DataError(`${tree.name}: ${list} names the place ${unknown}, which is not there`);
      const views = [
        ...drones.filter(({ groups }) => groups.altitude === chosen).map((image) => ({ ...image, view: 'drone' })),
        ...satellites.map((image) => ({ ...image, view: 'satellite' })),
      ];
      return views.flatMap(({ file, view, groups }): PlacedImage[] => {
        const place = groups.place!;
        const isTrained = trained.has(place);
        if (part === 'train') return isTrained ? [{ file, place, view, role: 'train' }] : [];
        return [{ file, place, view, role: isTrained ? 'gallery' : 'both' }];
      });
    };
  },
};
