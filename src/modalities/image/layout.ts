/**
 * How the floats of an image lie in a batch, for the augmentations that work on floats. Only addresses: it computes nothing.
 */

/** `channelsFirst` is [B, C, H, W], `channelsLast` is [B, H, W, C]. */
export type BatchLayout = 'channelsFirst' | 'channelsLast';

/** Height, width and channels of each image of a batch, and their order. */
export interface ImageLayout {
  readonly layout: BatchLayout;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** The number of floats of one image. */
export function imageLength({ height, width, channels }: ImageLayout): number {
  return height * width * channels;
}

/** Distances in floats between neighbours along each axis. */
export function stridesOf({ layout, height, width, channels }: ImageLayout) {
  return layout === 'channelsFirst'
    ? { channel: height * width, row: width, column: 1 }
    : { channel: 1, row: width * channels, column: channels };
}
