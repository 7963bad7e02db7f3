/** Where spikes reach through a depthwise convolution, and which pairs count, against loops over every pair of pixel and weight. */
import { describe, expect, it } from 'vitest';
import {
  channelsByTap,
  effectiveOperations,
  missingConnectionsOf,
  reachedBySpikes,
} from '../../src/energy/neuroBench.js';
import { seededRandom } from '../../src/random.js';

const shapes = [
  { kernel: 7, stride: 1, padding: 3, size: [9, 6], channels: 40 },
  { kernel: 3, stride: 2, padding: 1, size: [7, 8], channels: 32 },
  { kernel: 3, stride: 1, padding: 0, size: [5, 5], channels: 5 },
] as const;

describe.each(shapes)(
  '$kernel×$kernel, stride $stride, $channels channels',
  ({ kernel, stride, padding, size, channels }) => {
    const [height, width] = size;
    const outputs = (length: number) => Math.floor((length + 2 * padding - kernel) / stride) + 1;
    const geometry = {
      images: 1,
      inputHeight: height,
      inputWidth: width,
      inputChannels: channels,
      outputHeight: outputs(height),
      outputWidth: outputs(width),
      outputChannels: channels,
      kernelHeight: kernel,
      kernelWidth: kernel,
      strideHeight: stride,
      strideWidth: stride,
      paddingHeight: padding,
      paddingWidth: padding,
      groups: channels,
    };
    const random = seededRandom(5);
    // Channel 1 has no weight at all, every third channel lacks some.
    const weights = Float32Array.from({ length: channels * kernel * kernel }, (_, i) => {
      const channel = Math.floor(i / (kernel * kernel));
      return channel === 1 || (channel % 3 === 0 && random.uniform() < 0.4) ? 0 : 1;
    });
    const fires = Array.from({ length: height * width * channels }, () => random.uniform() < 0.06);
    const perPixel = Math.ceil(channels / 32);
    const spikes = new Uint32Array(height * width * perPixel);
    for (const [i, fired] of fires.entries()) {
      const [pixel, channel] = [Math.floor(i / channels), i % channels];
      if (fired) spikes[pixel * perPixel + (channel >> 5)]! |= 1 << (channel & 31);
    }
    /** Pairs of a spike and a weight that is not zero, per output. */
    const pairs = (y: number, x: number, channel: number): number => {
      let count = 0;
      for (let ky = 0; ky < kernel; ky++)
        for (let kx = 0; kx < kernel; kx++) {
          const [inputY, inputX] = [y * stride - padding + ky, x * stride - padding + kx];
          if (inputY < 0 || inputY >= height || inputX < 0 || inputX >= width) continue;
          const weight = weights[(channel * kernel + ky) * kernel + kx]!;
          if (weight !== 0 && fires[(inputY * width + inputX) * channels + channel]) count++;
        }
      return count;
    };

    it('marks the outputs that a spike reaches', () => {
      const reached = reachedBySpikes(spikes, geometry, channelsByTap(geometry, weights));
      let marked = 0;
      for (let y = 0; y < geometry.outputHeight; y++)
        for (let x = 0; x < geometry.outputWidth; x++)
          for (let channel = 0; channel < channels; channel++) {
            const word = reached[(y * geometry.outputWidth + x) * perPixel + (channel >> 5)]!;
            const found = (word >>> (channel & 31)) & 1;
            expect(found, `${y}, ${x}, ${channel}`).toBe(Number(pairs(y, x, channel) > 0));
            marked += found;
          }
      expect(marked).toBeGreaterThan(0);
    });

    it('counts pairs of a spike and a weight', () => {
      let expected = 0;
      for (let y = 0; y < geometry.outputHeight; y++)
        for (let x = 0; x < geometry.outputWidth; x++)
          for (let channel = 0; channel < channels; channel++) expected += pairs(y, x, channel);
      expect(effectiveOperations(spikes, geometry, missingConnectionsOf(geometry, weights))).toBe(expected);
    });
  },
);
