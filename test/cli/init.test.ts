/** `init`: a recipe for a person's own images, that `train` takes as it is. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recipeInput } from '../../src/training/recipe.js';
import { openRecipe } from '../../src/training/recipeFiles.js';
import { suggestRecipe } from '../../src/training/suggestRecipe.js';
import { json, spikeformer, temporaryFolder, writeDarkAndLight } from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const at = (...parts: string[]) => join(folder.path, ...parts);
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeDarkAndLight(at('own images'), 10);
});
afterAll(() => folder.remove());

describe('init', () => {
  it('writes a recipe that train takes at once, and prints how', async () => {
    const recipe = at('recipe.json');
    const { code, stdout } = await spikeformer(['init', at('own images'), '--output', recipe]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /20 training images, no test or validation split\n2 classes: dark 10, light 10\n8×8 pixels, colour/,
    );
    expect(stdout).toMatch(
      /next: spikeformer train --recipe \S+recipe\.json --data '.*own images' --output 'runs\/own images'\n$/,
    );
    expect(readFileSync(recipe, 'utf8')).toMatch(/"epochs": \d+, \/\/ /);
    const trained = await json([
      ...['train', '--recipe', recipe, '--data', at('own images'), '--output', at('run'), '--threads', '1'],
      ...['--set', 'epochs=0.1', 'data.workers=0'],
    ]);
    expect(trained).toMatchObject({ steps: 1, finished: true });
  });

  it('overwrites nothing unless told to', async () => {
    const recipe = at('mine.json');
    writeFileSync(recipe, 'mine');
    const refused = await spikeformer(['init', at('own images'), '--output', recipe]);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/mine\.json: exists already; give --force/),
    ]);
    expect(readFileSync(recipe, 'utf8')).toBe('mine');
    const document = await json(['init', at('own images'), '--output', recipe, '--force']);
    expect(document).toMatchObject({
      data: { trainingImages: 20, testImages: null, sizes: { median: [8, 8] }, colour: true },
      recipe: { imageSize: 8, heldOut: 2 },
    });
  });

  it.each([
    [2, 1, 8, true],
    [3, 2, 9, false],
    [40, 4, 28, false],
    [1000, 10, 48, true],
    [50_000, 100, 96, true],
    [1_000_000, 1000, 500, true],
  ])('finds settings that fit %i images of %i classes, %i pixels wide', async (images, classes, side, colour) => {
    for (const testImages of [null, 5]) {
      const size = [side, side + 3] as const;
      const { text, batchSize, heldOut, steps } = suggestRecipe(
        {
          classes: Array.from({ length: classes }, (_, i) => ({ name: `${i}`, images: images / classes })),
          trainingImages: images,
          testImages,
          sizes: { smallest: size, median: size, largest: size },
          colour,
          mean: [0, 0.5, 1],
          std: [0, 0.25, 0.5],
          decodedImages: 1,
          notes: [],
        },
        'a "name" // with all',
      );
      const path = at('suggested.json');
      writeFileSync(path, text);
      const recipe = await openRecipe(path, []);
      expect(recipe).toMatchObject({ name: 'a "name" // with all', batchSize, model: { classes } });
      expect(recipeInput(recipe).sizeOf(recipe.data.preprocessing)[0]).toBeLessThanOrEqual(Math.max(8, side));
      expect(images - heldOut).toBeGreaterThanOrEqual(batchSize);
      expect(heldOut > 0).toBe(testImages === null && images >= 4);
      expect(steps).toBeGreaterThan(0);
    }
  });
});

describe('comments in recipes', () => {
  it('end with their line, and are no comments in strings', async () => {
    const path = at('commented.json');
    const recipe = await openRecipe('cifar10', []);
    writeFileSync(path, `// first\n${JSON.stringify({ ...recipe, name: 'http://a \\" // b' }, null, 1)} // last`);
    expect((await openRecipe(path, [])).name).toBe('http://a \\" // b');
    writeFileSync(path, '{ "name": "a" /* no */ }');
    await expect(openRecipe(path, [])).rejects.toThrow(/is not JSON/);
  });
});
