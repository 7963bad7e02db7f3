/** Recipes that are wrong: all of it is said at once, and nothing that is no plain data gets through. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { labelledImages } from '../../src/data/datasets/images.js';
import { MetaSpikeformerError } from '../../src/errors.js';
import { graphOf } from '../../src/models/registry.js';
import { seededRandom } from '../../src/random.js';
import { TrainingError } from '../../src/training/errors.js';
import { dataProblems } from '../../src/training/fit.js';
import { checkRecipe, draftOf, parseRecipe, recipeNetwork, recipeOf, withSettings } from '../../src/training/recipe.js';
import { openRecipe } from '../../src/training/recipeFiles.js';
import { settingPaths, settingsWithoutEffect } from '../../src/training/recipeSchema.js';
import { smallest } from './runSupport.js';

const written = JSON.parse(JSON.stringify(smallest()));

describe('a recipe', () => {
  it('that is wrong in several places names all of them, and the setting where one is to blame', () => {
    const wrong = { ...written, epochs: 'many', colour: 'red', model: { ...written.model, tau: 0, head: 2 } };
    const parse = () => recipeOf(draftOf(wrong, 'mine.json', ['batchSize=0', 'workers=2']));
    expect(parse).toThrow(TrainingError);
    expect(parse).toThrow(/^mine\.json: 6 things do not fit: /);
    for (const named of [
      /epochs: expected number/,
      /colour: there is no such field/,
      /model\.tau/,
      /model\.head: there is no such field; did you mean model\.heads\?/,
      /--set batchSize=0: recipe is wrong at batchSize/,
      /--set workers=2: .*did you mean data\.workers\?/,
    ])
      expect(parse).toThrow(named);
  });

  it('in a file may begin with a byte order mark; a folder is called one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spikeformer-recipe-'));
    const path = join(folder, 'mine.json');
    await writeFile(path, `\ufeff${JSON.stringify(written)}`);
    expect((await openRecipe(path, [])).name).toBe(written.name);
    await expect(openRecipe(folder, [])).rejects.toThrow(/is not a file but a folder or a device/);
    await rm(folder, { recursive: true });
  });

  it('names its architecture, whose own settings it then has', () => {
    const model = { architecture: 'ms-resnet', widths: [4, 4, 8, 8], blocks: [1, 1, 1, 1], classes: 2, timeSteps: 2 };
    const other = { ...written, model };
    const recipe = parseRecipe(other, 'mine.json');
    expect(recipeNetwork(recipe)).toMatchObject({ architecture: 'ms-resnet', configuration: { widths: [4, 4, 8, 8] } });
    expect(graphOf(recipeNetwork(recipe)).name).toBe('ms-resnet');
    // What is written down again is the same recipe; the default is the same named or not.
    expect(parseRecipe(JSON.parse(JSON.stringify(recipe)), 'again')).toEqual(recipe);
    expect(parseRecipe({ ...written, model: { architecture: 'meta-spikeformer', ...written.model } }, 'named')).toEqual(
      parseRecipe(written, 'unnamed'),
    );
    const wrong = (changes: object) => () => parseRecipe({ ...other, model: { ...model, ...changes } }, 'mine.json');
    expect(wrong({ heads: 2 })).toThrow(/model\.heads: there is no such field; another architecture has it/);
    expect(wrong({ architecture: 'resnet' })).toThrow(
      /model\.architecture: found resnet, expected meta-spikeformer or ms-resnet or meta-spikeformer-joints/,
    );
    const distilled = { ...other, loss: { distillation: { teacher: 'teacher.pth' } } };
    expect(() => parseRecipe(distilled, 'mine.json')).toThrow(/needs a network with a second head/);
  });

  it('whose only fault is in a --set does not blame the file', () => {
    expect(() => recipeOf(draftOf(written, 'mine.json', ['timeSteps=0']))).toThrow(/^--set timeSteps=0: /);
  });

  it('says in its schema which fields cannot change the weights', () => {
    expect(settingsWithoutEffect).toEqual(['name', 'provenance', 'data.workers', 'saveEvery', 'logEvery']);
    expect(settingPaths).toContain('optimizer.nesterov');
  });

  it('that does not fit the data says everything that does not', () => {
    const data = labelledImages({
      name: 'few',
      classes: ['a', 'b', 'c'],
      labels: Int32Array.of(0, 1, 2),
      store: { kind: 'pixels', height: 1, width: 1, channels: 3, pixels: new Uint8Array(9) },
    });
    const settings = ['classes=7', 'inputChannels=1', 'batchSize=100', 'data.holdOut=3', 'colour=red'];
    const { partial } = checkRecipe(draftOf(written, 'mine.json', settings).value);
    expect(dataProblems(partial, data).map(({ path }) => path.join('.'))).toEqual([
      'model.classes',
      'model.inputChannels',
      'data.holdOut',
      'batchSize',
    ]);
  });

  const cyclic: Record<string, unknown> = {};
  cyclic.model = cyclic;
  it.each([
    [
      'nested a hundred thousand levels deep',
      { x: JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) },
      /nested/,
    ],
    ['that contains itself', cyclic, /nested/],
    ['with an inherited key', JSON.parse('{"__proto__":{"epochs":1}}'), /__proto__/],
    ['with a function', { name: () => 1 }, /function/],
    ['of a class', new Map(), /class/],
    ['of very many values', { x: new Array(50_000).fill(0) }, /more than 20000 values/],
    ['that is nothing', null, /null/],
  ])('%s is refused', (_name, value, message) => {
    expect(() => parseRecipe(value, 'r')).toThrow(message);
    expect(() => parseRecipe(value, 'r')).toThrow(TrainingError);
  });
});

describe('a --set', () => {
  it.each([
    ['model.embedDim.length=3', /embedDim is a list of 4, with the entries 0 to 3/],
    ['model.embedDim.4=3', /is a list of 4/],
    ['model.embedDim.length={"a":[1,{"b":2}],"hasOwnProperty":9007199254740992}', /is a list of 4/],
    ['data.preprocessing.crop.length={"a":{"a":{"a":1}}}', /crop is a list of 2/],
    ['__proto__.x=1', /__proto__ cannot be a setting/],
    ['constructor.prototype.x=1', /constructor cannot be a setting/],
    ['model.__proto__.x=1', /__proto__ cannot be a setting/],
    ['model={"__proto__":{"x":1}}', /__proto__/],
    [`model=${'['.repeat(5000)}${']'.repeat(5000)}`, /nested/],
    [`${'a.'.repeat(5000)}a=1`, /at most 16 names/],
    ['a.0==  ', /model\.a|wrong at a/],
  ])('%s is refused in one line', (setting, message) => {
    expect(() => recipeOf(draftOf(written, 'r', [setting]))).toThrow(message);
    expect(() => recipeOf(draftOf(written, 'r', [setting]))).toThrow(TrainingError);
  });

  it('reaches an entry of a list', () => {
    expect(parseRecipe(withSettings(written, ['smallerFirst.0.imageSize=9']), 'r').smallerFirst[0]?.imageSize).toBe(9);
  });

  it('of any bytes ends in a recipe or in an error that a person can mend', () => {
    const random = seededRandom(1);
    const words = [...settingPaths, 'length', '__proto__', '0', 'toString', 'model', 'constructor', '', 'x'];
    const values = [
      '1',
      '-1',
      'null',
      '[]',
      '{}',
      '{"a":[[[1]]]}',
      '"x"',
      '1e999',
      'NaN',
      '[8,8,8,8]',
      'true',
      '\u0000',
    ];
    const pick = (list: readonly string[]) => list[random.integer(list.length)]!;
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const settings = Array.from({ length: 1 + random.integer(3) }, () => {
        const path = Array.from({ length: 1 + random.integer(3) }, () => pick(words)).join('.');
        return `${path}${pick(['=', '=', '=', '', '=='])}${pick(values)}`;
      });
      try {
        recipeOf(draftOf(written, 'r', settings));
      } catch (error) {
        refused++;
        if (!(error instanceof MetaSpikeformerError)) throw new Error(`${settings.join(' ')}: ${String(error)}`);
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});
