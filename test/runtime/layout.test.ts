/** Conversions at the edge, against index arithmetic written the other way round, and NumPy's documented packing of bits. */
import { describe, expect, it } from 'vitest';
import { countSpikes, realToChannelsFirst, spikesToBits, toChannelsLast } from '../../src/runtime/layout.js';

describe('layout', () => {
  const [images, channels, positions] = [2, 3, 4];
  const first = Float32Array.from({ length: images * channels * positions }, (_, i) => i);

  it('puts channels last and back', () => {
    const last = toChannelsLast(first, images, channels, positions);
    for (let n = 0; n < images; n++) {
      for (let p = 0; p < positions; p++) {
        for (let c = 0; c < channels; c++)
          expect(last[(n * positions + p) * channels + c]).toBe(first[(n * channels + c) * positions + p]);
      }
    }
    expect(realToChannelsFirst(last, [1, 2, 2, 2, 3], 1)).toEqual({ shape: [1, 2, 3, 2, 2], data: first });
  });

  it('writes a value that is the same at every step once per step', () => {
    const { shape, data } = realToChannelsFirst(Float32Array.of(1, 2, 3, 4), [1, 1, 2, 2], 3);
    expect(shape).toEqual([3, 1, 2, 2]);
    expect([...data]).toEqual([1, 3, 2, 4, 1, 3, 2, 4, 1, 3, 2, 4]);
  });

  it('packs spikes as numpy.packbits does: C-order, most significant bit first', () => {
    // Two positions, 33 channels: channel 0 fires at position 0, channel 32 at position 1.
    const words = Uint32Array.of(1, 0, 0, 1);
    const { shape, bits } = spikesToBits(words, [1, 1, 2, 33]);
    expect(shape).toEqual([1, 1, 33, 2]);
    // Bit index = channel · 2 + position: 0 and 65.
    expect(bits.length).toBe(9);
    expect(bits[0]).toBe(0b1000_0000);
    expect(bits[8]).toBe(0b0100_0000);
  });

  it('counts spikes', () => {
    expect(countSpikes(Uint32Array.of(0xffffffff, 0, 0x80000001, 0x55555555))).toBe(32 + 2 + 16);
  });
});
