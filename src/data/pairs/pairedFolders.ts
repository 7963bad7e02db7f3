/**
 * Folders of images that are paired by name: `train/VIEW/ID.jpg` and `test/VIEW/ID.jpg`, each view showing the place ID. In the test part every image is looked for among all of another view.
 */
import { chosenAltitude, imagesLike, type PairsLayout, type PlacedImage } from './layout.js';

const paired = /^(?<root>(?:.*\/)?)(?<part>train|test)\/(?<view>[^/]+)\/(?<place>[^/]+)\.[^./]+$/;

export const pairedFolders: PairsLayout = {
  name: 'train/VIEW/<place>.jpg and test/VIEW/<place>.jpg (paired by name)',
  recognise: (tree) => {
    const found = imagesLike(tree, paired);
    if (found.length === 0) return undefined;
    return async ({ part, altitude }) => {
      chosenAltitude(tree, new Set(), altitude);
      return found
        .filter(({ groups }) => groups.part === part)
        .map(
          ({ file, groups }): PlacedImage => ({
            file,
            place: groups.place!,
            view: groups.view!,
            role: part === 'train' ? 'train' : 'both',
          }),
        );
    };
  },
};
