/** `tune`: measures, keeps, shows, forgets; and what is chosen changes no answer. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkpoint, everythingIn, json, repository, spikeformer, temporaryFolder } from './support.js';

const image = join(repository, 'assets', 'photographs', 'cat.jpg');
const network = ['--checkpoint', checkpoint, '--strides', '1,2,2,1,1', '--image-size', '32'];

/** A kept file, to be spoilt. */
interface Edited {
  readonly model: object;
  readonly layers: object[];
  readonly neurons: object[];
}

describe('tune', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());
  const kept = () => ({ environment: { SPIKEFORMER_CACHE: folder.path } });

  it('measures every RepConv in both forms, keeps the answer and shows it again', async () => {
    const measured = await json(['tune', ...network, '--rounds', '2'], kept());
    const layers = measured.layers as { layer: string; firingRate: number; milliseconds: object; form: string }[];
    // q, k, v and the projection of every transformer block.
    expect(layers.length % 4).toBe(0);
    expect(layers.map(({ layer }) => layer)).toContain('block3.0.attn.q_conv');
    for (const { firingRate, milliseconds, form } of layers) {
      expect(firingRate).toBeGreaterThan(0);
      expect(milliseconds).toEqual({ none: expect.any(Number), full: expect.any(Number) });
      expect(['none', 'full']).toContain(form);
    }
    const neurons = measured.neurons as { layer: string; firingRate: number }[];
    expect(neurons).toContainEqual({ layer: 'block3.0.attn.head_lif', firingRate: layers[0]!.firingRate });
    const shown = await json(['tune', ...network, '--show'], kept());
    expect(shown).toEqual({ ...measured, file: undefined });
    expect(await everythingIn(folder.path)).toHaveLength(1);
  });

  it('forgets, and then has nothing to show', async () => {
    await json(['tune', ...network, '--rounds', '1'], kept());
    expect(await json(['tune', ...network, '--forget'], kept())).toEqual({ command: 'tune', forgotten: true });
    expect(await everythingIn(folder.path)).toEqual([]);
    const { code, stderr } = await spikeformer(['tune', ...network, '--show'], kept());
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^spikeformer: tune: nothing was measured[^\n]*\n$/)]);
  });

  it('does not take choices of another image size, and none of a damaged file', async () => {
    const { file } = (await json(['tune', ...network, '--rounds', '1'], kept())) as { file: string };
    const other = await spikeformer(['tune', ...network.slice(0, -1), '48', '--show'], kept());
    expect(other.code).toBe(2);
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, -20));
    expect((await spikeformer(['tune', ...network, '--show'], kept())).code).toBe(2);
  });

  it('takes choices that were kept before rates of neurons were', async () => {
    const { file } = (await json(['tune', ...network, '--rounds', '1'], kept())) as { file: string };
    const { neurons: _left, ...before } = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify(before));
    const shown = await json(['tune', ...network, '--show'], kept());
    expect(shown).toMatchObject({ layers: before.layers, neurons: [] });
  });

  it('takes a file that does not fit for none, and says so', async () => {
    const { file } = (await json(['tune', ...network, '--rounds', '1'], kept())) as { file: string };
    const good = await readFile(file, 'utf8');
    const edited = (edit: (choices: Edited) => void) => {
      const choices = JSON.parse(good);
      edit(choices);
      return JSON.stringify(choices);
    };
    const bad: readonly (readonly [string, RegExp])[] = [
      ['', /is not JSON/],
      [good.slice(0, -20), /is not JSON/],
      ['['.repeat(1e6), /is not JSON/],
      ['['.repeat(1e6) + ']'.repeat(1e6), /the whole: /],
      ['null', /the whole: /],
      [
        edited((it) => Object.assign(it.layers[0]!, { layer: 'block3.0.attn.q_convX' })),
        /q_convX: this network has no RepConv/,
      ],
      [edited((it) => Object.assign(it.layers[0]!, { layer: '__proto__' })), /__proto__: this network has no RepConv/],
      [edited((it) => Object.assign(it.layers[0]!, { form: 'half' })), /layers\.0\.form: /],
      [edited((it) => Object.assign(it.layers[0]!, { form: ['full'] })), /layers\.0\.form: /],
      [edited((it) => Object.assign(it.layers[0]!, { firingRate: 1.5 })), /layers\.0\.firingRate: /],
      [edited((it) => Object.assign(it.neurons[0]!, { firingRate: -0.1 })), /neurons\.0\.firingRate: /],
      [edited((it) => Object.assign(it.neurons[0]!, { firingRate: '0.1' })), /neurons\.0\.firingRate: /],
      [
        edited((it) => Object.assign(it.neurons[0]!, { layer: 'block9.lif' })),
        /block9\.lif: this network has no neuron layer/,
      ],
      [edited((it) => Object.assign(it, { layers: {} })), /layers: /],
      [edited((it) => Object.assign(it, { threads: 63 })), /was measured for other threads/],
      [edited((it) => Object.assign(it, { timeSteps: 9 })), /was measured for other time steps/],
      [edited((it) => Object.assign(it.model, { fingerprint: 'sha256:0' })), /was measured for another network/],
    ];
    for (const [content, reason] of bad) {
      await writeFile(file, content);
      const { code, stderr } = await spikeformer(['tune', ...network, '--show'], kept());
      expect([code, stderr]).toEqual([2, expect.stringMatching(reason)]);
    }
    const plain = await json(['predict', image, ...network, '--no-details']);
    const { code, stdout, stderr } = await spikeformer(
      ['predict', image, ...network, '--no-details', '--json'],
      kept(),
    );
    expect(code).toBe(0);
    expect(stderr).toMatch(/^note: [^\n]*\.json: was measured for another network; ignored: [^\n]*\n$/);
    const answers = (document: { images?: unknown }) => (document.images as { predictions: object }[])[0]!.predictions;
    expect(answers(JSON.parse(stdout))).toEqual(answers(plain));
  });

  it('leaves what predict answers as it was, to rounding, whatever the forms', async () => {
    const ask = async (overrides: object) => {
      const { images } = await json(['predict', image, ...network, '--no-details'], overrides);
      return (images as { predictions: { index: number; probability: number }[] }[])[0]!.predictions;
    };
    const before = await ask({});
    const { file } = (await json(['tune', ...network, '--rounds', '1'], kept())) as { file: string };
    const choices = JSON.parse(await readFile(file, 'utf8'));
    for (const form of ['full', 'none']) {
      for (const layer of choices.layers) layer.form = form;
      await writeFile(file, JSON.stringify(choices));
      const after = await ask(kept());
      expect(after.map(({ index }) => index)).toEqual(before.map(({ index }) => index));
      for (const [rank, { probability }] of after.entries())
        expect(probability).toBeCloseTo(before[rank]!.probability, 4);
    }
  });

  it('refuses a folder that cannot be one, before anything is measured', async () => {
    const file = join(folder.path, 'file');
    await writeFile(file, '');
    for (const place of [file, join(file, 'below')]) {
      const { code, stderr } = await spikeformer(['tune', ...network], { environment: { SPIKEFORMER_CACHE: place } });
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(/choices cannot be kept there[^\n]*SPIKEFORMER_CACHE[^\n]*\n$/),
      ]);
    }
  });

  it('says where nothing can be kept, and what cannot be measured', async () => {
    const nowhere = await spikeformer(['tune', ...network], { environment: {} });
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringMatching(/SPIKEFORMER_CACHE/)]);
    const slow = await spikeformer(['tune', ...network, '--engine', 'reference'], kept());
    expect([slow.code, slow.stderr]).toEqual([2, expect.stringMatching(/cannot measure its layers/)]);
  });
});
