/**
 * The two channels that Spike-driven Transformer V3 makes of HARDVS, which stores windows as pictures: dark pixels are one channel,
 * middle ones the other. From events, the representation `hardvs` of the modality `events` paints the same: the last one is what is seen.
 */
import type { RgbImage } from '../../data/image.js';
import type { Frame } from '../events/representations.js';

/** One byte a pixel by Pillow's whole-number weights of ITU-R BT.601, which the published loader reads. */
export function greyOf({ width, height, data }: RgbImage): Uint8Array {
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const [red, green, blue] = [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!];
    return (19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16;
  });
}

/**
 * Channel 0 is 1 where the byte is 0–30 (less than 0.12 of 255), channel 1 where it is 77–198 (over 0.3, up to 0.78). Pure blue is in
 * channel 0, pure green in channel 1, pure red and white are in none. Replaces the frame `[2, height, width]`.
 */
export function writeHardvs(grey: Uint8Array, { target, offset }: Frame): void {
  for (let i = 0; i < grey.length; i++) {
    const value = grey[i]!;
    target[offset + i] = value <= 30 ? 1 : 0;
    target[offset + grey.length + i] = value >= 77 && value <= 198 ? 1 : 0;
  }
}
