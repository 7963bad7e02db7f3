/** The pictures that the one at hand is compared with: which are nearest to it. */
import type { FrameView } from '../engine/messages.js';
import type { GalleryPicture } from '../state/labState.js';

/** More would keep the engine busy for minutes. */
export const mostPictures = 1000;

export interface Neighbour {
  readonly picture: GalleryPicture;
  /** The cosine of the two descriptors. */
  readonly score: number;
}

let pictures = 0;

/** Pictures that nobody has described yet. */
export function galleryOf(files: readonly File[]): readonly GalleryPicture[] {
  return files.slice(0, mostPictures).map((file) => ({
    id: ++pictures,
    file,
    address: URL.createObjectURL(file),
    configuration: null,
    descriptor: null,
  }));
}

/** The next one that the engine, as it is set up now, has not described. */
export function nextToDescribe(gallery: readonly GalleryPicture[], configuration: number): GalleryPicture | undefined {
  return gallery.find((picture) => picture.configuration !== configuration);
}

/** The nearest of those that are described as the frame is; of equals the first. */
export function nearest(
  gallery: readonly GalleryPicture[],
  { descriptor, configuration }: Pick<FrameView, 'descriptor' | 'configuration'>,
  count: number,
): readonly Neighbour[] {
  if (descriptor === null) return [];
  return gallery
    .flatMap((picture): Neighbour[] => {
      const { descriptor: own } = picture;
      if (own === null || picture.configuration !== configuration || own.length !== descriptor.length) return [];
      return [{ picture, score: own.reduce((sum, value, d) => sum + value * descriptor[d]!, 0) }];
    })
    .sort((a, b) => b.score - a.score)
    .slice(0, count);
}
