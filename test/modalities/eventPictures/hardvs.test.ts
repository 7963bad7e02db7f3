/** The pictures of the golden file of HARDVS (the loader of Spike-driven Transformer V3), through grey, resizing and thresholds. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../../src/data/decode.js';
import { centreCropRegion, cropWithBlack, resizedPart, shorterSideSize } from '../../../src/data/resize.js';
import { greyOf, writeHardvs } from '../../../src/modalities/eventPictures/hardvs.js';
import { sharedPath } from '../../shared.js';
import { readTensors } from '../../support/safetensors.js';
import { expectClose } from '../events/support.js';

const folder = sharedPath('golden', 'events', 'hardvs');
const crop = { width: 224, height: 224 };

function channelsOf(grey: Uint8Array): Float32Array {
  const target = new Float32Array(2 * grey.length);
  writeHardvs(grey, { target, offset: 0 });
  return target;
}

/** Bits, most significant first. */
function unpacked(bytes: ArrayLike<number>, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => (bytes[i >> 3]! >> (7 - (i & 7))) & 1);
}

describe('the two channels of HARDVS pictures', () => {
  it('are bytes 0 to 30 and 77 to 198', () => {
    const channels = channelsOf(Uint8Array.from({ length: 256 }, (_, i) => i));
    const ones = (channel: number) =>
      [...channels.subarray(channel * 256, channel * 256 + 256).entries()].filter(([, v]) => v === 1).map(([i]) => i);
    expect(ones(0)).toEqual(Array.from({ length: 31 }, (_, i) => i));
    expect(ones(1)).toEqual(Array.from({ length: 122 }, (_, i) => 77 + i));
  });

  it('leave out pure red', () => {
    const data = Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]);
    const grey = greyOf({ width: 4, height: 1, data });
    expect([...grey]).toEqual([76, 150, 29, 255]);
    expect([...channelsOf(grey)]).toEqual([0, 0, 1, 0, 0, 1, 0, 0]);
  });

  it.skipIf(folder === undefined)('are those of the published loader', async () => {
    const tensor = readTensors(join(folder!, '..', 'hardvs.safetensors'));
    const frames = unpacked(tensor('frames224').values, 4 * 2 * 224 * 224);
    const cropped = unpacked(tensor('crop224').values, 2 * 2 * 224 * 224);
    const size = 2 * 224 * 224;
    for (const [k, name] of ['0000.png', '0001.png', '0002.png'].entries()) {
      const image = await decodeImage(new Uint8Array(readFileSync(join(folder!, name))), name);
      const grey = { width: image.width, height: image.height, channels: 1, data: greyOf(image) } as const;
      const resized = shorterSideSize(grey, 256);
      const small = resizedPart(grey, resized, centreCropRegion(resized, crop)).data;
      expectClose(small, tensor('grey224').values.subarray(k * 224 * 224, (k + 1) * 224 * 224), 0);
      expectClose(channelsOf(small), frames.subarray(k * size, (k + 1) * size), 0);
      if (k >= 2) continue;
      const centre = cropWithBlack(grey, centreCropRegion(grey, crop)).data;
      expectClose(channelsOf(centre), cropped.subarray(k * size, (k + 1) * size), 0);
    }
    // The fourth of four frames asked for of three is zeros.
    expect(frames.subarray(3 * size).every((value) => value === 0)).toBe(true);
    const ramp = channelsOf(Uint8Array.from({ length: 256 }, (_, i) => i));
    expectClose(ramp, [...tensor('ramp.ch0').values, ...tensor('ramp.ch1').values], 0);
  });
});
