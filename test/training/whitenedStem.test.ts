/** The frozen first layer, judged by what whitening means: over the patches of the images its outputs are uncorrelated and of mean square one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelledImages } from '../../src/data/datasets/images.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { seededRandom } from '../../src/random.js';
import type { Recipe } from '../../src/training/recipe.js';
import { train } from '../../src/training/trainingRun.js';
import { smallest, smallRun } from './runSupport.js';

const [images, side] = [60, 9];
const random = seededRandom(3);
/** Tiles of 3 × 3 pixels of three channels that have much in common; as images are, brightness is what differs most. */
const tiles = Array.from({ length: images }, () => {
  const [brightness, slope] = [60 * random.normal(), 25 * random.normal()];
  return Array.from({ length: 27 }, (_, i) => {
    const value = 128 + brightness + slope * ((i % 3) - 1) + 12 * random.normal();
    return Math.min(255, Math.max(0, Math.round(value)));
  });
});
/** Each image repeats its tile, so that a patch every third pixel is the tile, `[row, column, channel]`. */
const pixels = Uint8Array.from({ length: images * side * side * 3 }, (_, at) => {
  const [channel, x, y] = [at % 3, Math.floor(at / 3) % side, Math.floor(at / 3 / side) % side];
  return tiles[Math.floor(at / 3 / side / side)]![((y % 3) * 3 + (x % 3)) * 3 + channel]!;
});
const dataset = labelledImages({
  name: 'tiles',
  classes: ['even', 'odd'],
  labels: Int32Array.from({ length: images }, (_, i) => i % 2),
  store: { kind: 'pixels', height: side, width: side, channels: 3, pixels },
});

const name = 'downsample1_1.encode_conv.weight';
const settings = ['embedDim=[16,4,4,4]', 'smallerFirst=[]', 'data.holdOut=0', 'movingAverage=null', 'batchSize=4'];
const recipe = (...more: string[]): Recipe =>
  smallest('whitenedStem=true', 'data.preprocessing.resize=9', 'data.preprocessing.crop=[9,9]', ...settings, ...more);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stem-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function weightsOf(run: string, parameter: string): Promise<Float32Array> {
  const checkpoint = await openCheckpointFile(join(folder, run, 'last.safetensors'));
  const values = await checkpoint.tensors.get(parameter)!.readFloat32();
  await checkpoint.close();
  return values;
}

describe('a whitened stem', () => {
  let stem: Float32Array;
  beforeAll(async () => {
    await train(smallRun(join(folder, 'short'), { recipe: recipe('epochs=1'), dataset }));
    await train(smallRun(join(folder, 'long'), { recipe: recipe('epochs=3'), dataset }));
    stem = await weightsOf('short', name);
  });

  it('makes outputs that are uncorrelated and of mean square one', () => {
    // Mean 0.5 and deviation 0.25, as the recipe says; the weights have the channel first.
    const responses = tiles.map((tile) =>
      Array.from({ length: 4 }, (_, pair) => {
        let sum = 0;
        for (let c = 0; c < 3; c++)
          for (let place = 0; place < 9; place++)
            sum += stem[2 * pair * 27 + c * 9 + place]! * ((tile[place * 3 + c]! / 255 - 0.5) / 0.25);
        return sum;
      }),
    );
    for (let i = 0; i < 4; i++)
      for (let j = 0; j <= i; j++) {
        const mean = responses.reduce((sum, one) => sum + one[i]! * one[j]!, 0) / images;
        // λ / (λ + 5·10⁻⁴): the weakest of these directions has a variance of some hundredths.
        if (i === j) expect(Math.abs(mean - 1)).toBeLessThan(0.03);
        else expect(Math.abs(mean)).toBeLessThan(1e-3);
      }
  });

  it('has kernels in pairs that differ in sign, the strongest direction first', () => {
    const norms = [0, 1, 2, 3].map((pair) => {
      const kernel = stem.subarray(2 * pair * 27, (2 * pair + 1) * 27);
      const other = stem.subarray((2 * pair + 1) * 27, (2 * pair + 2) * 27);
      expect([...other]).toEqual([...kernel].map((value) => -value));
      return Math.hypot(...kernel);
    });
    expect([...norms].sort((a, b) => a - b)).toEqual(norms);
  });

  it('stays as it is while the rest learns', async () => {
    expect(await weightsOf('long', name)).toEqual(stem);
    const other = 'downsample1_2.encode_conv.weight';
    expect(await weightsOf('long', other)).not.toEqual(await weightsOf('short', other));
  });

  it.each([
    [['finetune="other.safetensors"'], /whitenedStem would replace what finetune brings/],
    [['data.modality=events'], /whitenedStem looks at images, not at events/],
  ])('is refused with %j', (more, message) => {
    expect(() => recipe(...more)).toThrow(message);
  });

  it('is refused with weights to start from', async () => {
    const run = smallRun(join(folder, 'none'), { recipe: recipe(), dataset, startFrom: new Map() });
    await expect(train(run)).rejects.toThrow(/whitenedStem would replace what startFrom brings/);
  });
});
