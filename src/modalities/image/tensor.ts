/** RGB bytes of the input's size to normalised floats in a batch, by a table for each channel. Preprocessing's numbers, to the bit. */
import type { RgbImage } from '../../data/image.js';
import { normalisedBytes, type PreprocessSettings } from '../../data/preprocess.js';
import { type ImageLayout, stridesOf } from './layout.js';

/** Writes an image's floats into a batch from `offset` on. */
export type Normaliser = (image: RgbImage, batch: Float32Array, offset: number) => void;

export function normaliser({ mean, std }: PreprocessSettings, layout: ImageLayout): Normaliser {
  const tables = [0, 1, 2].map((c) => normalisedBytes(mean[c]!, std[c]!));
  const { channel: betweenChannels } = stridesOf(layout);
  const betweenPixels = layout.layout === 'channelsFirst' ? 1 : layout.channels;
  return ({ data }, batch, offset) => {
    for (let channel = 0; channel < layout.channels; channel++) {
      const values = tables[channel]!;
      let to = offset + channel * betweenChannels;
      for (let from = channel; from < data.length; from += 3, to += betweenPixels) batch[to] = values[data[from]!]!;
    }
  };
}
