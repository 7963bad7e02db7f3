/** What a network receives, as a picture. */
import type { FieldTensor, Model } from '../../../src/index.browser.js';
import type { FrameView } from './messages.js';

/** The normalised input as pixels again: what the network has to go by. */
export function receivedPixels({ data }: FieldTensor, { preprocessing }: Model): FrameView['input'] {
  const { crop, mean, std } = preprocessing;
  const [height, width] = crop;
  const pixels = height * width;
  const rgba = new Uint8ClampedArray(4 * pixels).fill(255);
  for (let channel = 0; channel < 3; channel++)
    for (let i = 0; i < pixels; i++)
      rgba[4 * i + channel] = 255 * (data[channel * pixels + i]! * std[channel]! + mean[channel]!);
  return { width, height, rgba };
}
