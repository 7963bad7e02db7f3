/** The lab in a real browser: what it answers against what Node answers, and what a person can do there. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loopback } from '../../src/cli/labServer.js';
import { decodeImage } from '../../src/data/decode.js';
import {
  attentionHeads,
  loadModel,
  type Model,
  membraneTrace,
  metaSpikeformer,
  resolveConfiguration,
} from '../../src/index.js';
import { encodeSafetensors } from '../../src/interop/safetensors.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { parametersOf } from '../../src/operators/registry.js';
import { checkpoint, fixture } from '../cli/support.js';
import { photographPath } from '../photographs.js';
import {
  builtPage,
  type File,
  findingsOfAxe,
  give,
  hasChromium,
  type LabPage,
  launch,
  openLab,
  serveBuiltLab,
  settled,
  showIn,
  shownClasses,
  skipNote,
} from './support.js';

/** Without the trained model; what a visitor waits for. */
const largestFirstLoad = 3e6;

const photograph = photographPath;

/** A PNG of a photograph: every decoder gives the same pixels, so that what is compared is the network. */
async function losslessFile(name: string): Promise<File> {
  const { width, height, data } = await decodeImage(photograph(name));
  const buffer = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return { name: `${name}.png`, mimeType: 'image/png', buffer };
}

async function pick(page: Page, file: File): Promise<void> {
  await page.locator('input[type="file"]').setInputFiles(file);
}

async function expectSameAnswer(page: Page, model: Model, file: File): Promise<void> {
  const { logits } = await model.run(await model.inputOf([await decodeImage(file.buffer)]));
  const expected = model.rank(logits.data, 5).map(({ label, index }) => ({ label, logit: logits.data[index]! }));
  // The answer to what was shown before may still stand there, and its best logit may be as high by chance.
  await expect
    .poll(async () => (await shownClasses(page)).map(({ label }) => label), { timeout: 60_000 })
    .toEqual(expected.map(({ label }) => label));
  await expect
    .poll(async () => (await shownClasses(page))[0]?.logit, { timeout: 60_000 })
    .toBeCloseTo(expected[0]!.logit, 3);
  const shown = await shownClasses(page);
  for (const [index, { logit }] of expected.entries()) expect(shown[index]!.logit).toBeCloseTo(logit, 3);
}

/** The built page as any static host serves it: below a path, without a word about isolation. */
async function servePlainly(): Promise<{ readonly address: string; readonly server: Server }> {
  const types: Record<string, string> = {
    html: 'text/html',
    js: 'text/javascript',
    css: 'text/css',
    svg: 'image/svg+xml',
  };
  const server = createServer(async (request, response) => {
    const name = new URL(request.url!, 'http://host').pathname.replace('/some/path/', '') || 'index.html';
    const body = await readFile(join(builtPage, name)).catch(() => undefined);
    response.writeHead(body ? 200 : 404, {
      'Content-Type': types[name.split('.').pop()!] ?? 'application/octet-stream',
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  return { address: `http://${loopback}:${(server.address() as AddressInfo).port}/some/path/`, server };
}

/** A machine that does other things as well takes seconds for what usually takes a tenth. */
const patience = { timeout: 120_000 };

describe.skipIf(!hasChromium)(`the lab in Chromium${skipNote}`, patience, () => {
  let browser: Browser;
  let server: Server;
  let address: string;
  let model: Model;
  const pages: LabPage[] = [];

  beforeAll(async () => {
    ({ server, address } = await serveBuiltLab());
    browser = await launch();
    model = await loadModel();
  });
  afterEach(async () => {
    for (const { page } of pages.splice(0)) await page.context().close();
  });
  afterAll(async () => {
    await model?.dispose();
    await browser?.close();
    server?.close();
  });

  async function open(fragment = '', from = address, options: BrowserContextOptions = {}): Promise<LabPage> {
    const opened = await openLab(browser, from, fragment, options);
    pages.push(opened);
    return opened;
  }

  const status = (page: Page) => page.locator('.status');
  const notice = (page: Page) => page.locator('.notice span');

  // Opening the page costs seconds of processor time; what leaves it as it found it, or says what it starts from, shares one.
  describe('in one page', () => {
    let page: Page;
    let complaints: string[];

    beforeAll(async () => {
      ({ page, complaints } = await openLab(browser, address));
    });
    afterEach(() => expect(complaints.splice(0)).toEqual([]));
    afterAll(() => page?.context().close());

    it('classifies a bundled photograph as Node does', async () => {
      const { logits } = await model.run(await model.inputOf([photograph('cat')]));
      const expected = model.rank(logits.data, 5);
      const shown = await shownClasses(page);
      expect(shown[0]!.label).toBe(expected[0]!.label);
      // Decoders of JPEG differ by a step of brightness here and there.
      for (const { label, logit } of shown)
        expect(Math.abs(logit - logits.data[model.labels.indexOf(label)]!)).toBeLessThan(0.5);
    });

    it.each(['picked', 'dropped', 'pasted'])(
      'gives the logits of Node for the same pixels, %s, on several threads',
      async (way) => {
        const file = await losslessFile(way === 'picked' ? 'photographer' : way === 'dropped' ? 'rocket' : 'astronaut');
        expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
        if ((await page.evaluate(() => navigator.hardwareConcurrency)) > 1)
          await expect(status(page).textContent()).resolves.toMatch(/[2-9]\d* threads/);
        if (way === 'picked') await pick(page, file);
        else await give(page, way === 'dropped' ? 'drop' : 'paste', file);
        await expectSameAnswer(page, model, file);
      },
    );

    it('takes a checkpoint that is dropped, and goes back to its own', async () => {
      const file = await losslessFile('coffee');
      await pick(page, file);
      await expectSameAnswer(page, model, file);
      await give(page, 'drop', { name: 'mine.pth', mimeType: '', buffer: await readFile(checkpoint) });
      const mine = await loadModel({ checkpoint });
      try {
        await expectSameAnswer(page, mine, file);
      } finally {
        await mine.dispose();
      }
      expect(await page.locator('.decision .fact').textContent()).toBe('mine.pth');
      await page.getByLabel('Network', { exact: true }).selectOption('photographs');
      await expectSameAnswer(page, model, file);
    });

    it.each([
      [
        'a file of another kind',
        { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no') },
        /^notes\.txt: neither a photograph/,
        'koala',
      ],
      [
        'an image that is none',
        { name: 'torn.png', mimeType: 'image/png', buffer: Buffer.from('no') },
        /^torn\.png: .*JPEG, PNG or WebP/,
        'goldfish',
      ],
      [
        'a checkpoint that is none',
        { name: 'page.pth', mimeType: '', buffer: Buffer.from('<html></html>'.repeat(50)) },
        /^page\.pth: /,
        'bee',
      ],
    ])('says what is wrong with %s, and goes on', async (_what, file, message, next) => {
      const before = await shownClasses(page);
      await give(page, 'drop', file);
      await notice(page).first().waitFor();
      expect(await notice(page).first().textContent()).toMatch(message);
      await page.getByRole('button', { name: 'Dismiss' }).click();
      expect(await notice(page).count()).toBe(0);
      await settled(page);
      expect(await shownClasses(page)).toEqual(before);
      const good = await losslessFile(next);
      await give(page, 'drop', good);
      await expectSameAnswer(page, model, good);
    });

    it('refuses a hostile checkpoint without running it', async () => {
      const buffer = readFileSync(fixture('formats', 'hostile-os-system.pth'));
      await give(page, 'drop', { name: 'hostile.pth', mimeType: '', buffer });
      await notice(page).first().waitFor();
      expect(await notice(page).first().textContent()).toMatch(/^hostile\.pth: /);
    });

    it('walks through the layers by arrow keys', async () => {
      await page.getByRole('listbox').focus();
      await page.keyboard.press('End');
      await expect.poll(() => page.getByLabel('Layer', { exact: true }).inputValue()).toBe('lif');
      await page.keyboard.press('ArrowLeft');
      await expect.poll(() => page.getByLabel('Layer', { exact: true }).inputValue()).toBe('block4.0.mlp.fc2_lif');
      expect(await page.locator('.bar[aria-selected="true"]').getAttribute('aria-label')).toMatch(
        /^block4\.0\.mlp\.fc2, \d/,
      );
    });
  });

  it('gives the same on one thread, where a host says nothing of isolation', async () => {
    const plain = await servePlainly();
    const { page, complaints } = await open('', plain.address);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    expect(await status(page).textContent()).toContain('1 thread');
    expect(await page.getByTestId('one-thread').isVisible()).toBe(true);
    const file = await losslessFile('cat');
    await pick(page, file);
    await expectSameAnswer(page, model, file);
    expect(complaints).toEqual([]);
    plain.server.close();
  });

  it('classifies what the camera sees, live, until it is stopped', async () => {
    const { page, complaints } = await open();
    await page.getByRole('button', { name: 'Camera' }).click();
    await page.getByTestId('frame-rate').waitFor({ timeout: 60_000 });
    // Chromium's fake camera shows a clock hand that turns: the activity changes from frame to frame.
    const rates = new Set<string>();
    await expect
      .poll(async () => rates.add((await page.locator('.classes').textContent()) ?? '').size, { timeout: 60_000 })
      .toBeGreaterThan(3);
    await page.getByRole('button', { name: 'Stop camera' }).click();
    await page.getByTestId('frame-rate').waitFor({ state: 'detached' });
    await page.getByRole('img', { name: 'The input: cat' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('shows the neurons, the membrane and the attention that Node finds', async () => {
    const layer = 'block3.1.attn.k_lif';
    const [channel, position, timeSteps, step, head] = [37, 21, 4, 3, 6];
    const { page, complaints } = await open(
      `T=${timeSteps}&layer=${layer}&channel=${channel}&position=${position}&step=${step}&attention=block3.1.attn&head=${head}`,
    );
    const file = await losslessFile('rocket');
    await pick(page, file);
    const four = await loadModel({}, { timeSteps });
    await expectSameAnswer(page, four, file);
    const input = await four.inputOf([await decodeImage(file.buffer)]);
    const { spikeWords, inputCurrents } = await four.run(input, {
      record: { spikeWords: true, inputCurrents: [layer] },
    });
    await four.dispose();

    const { words } = spikeWords!.get(layer)!;
    const perStep = words.length / timeSteps;
    const bits = [...words.subarray((step - 1) * perStep, step * perStep)].map(
      (word) => word.toString(2).replaceAll('0', '').length,
    );
    const spikes = bits.reduce((a, b) => a + b, 0);
    expect(await page.locator('.spikes .toolbar .fact').textContent()).toBe(
      `128 channels of 8 × 8 neurons; ${spikes.toLocaleString('en')} spikes`,
    );

    const { steps } = membraneTrace(inputCurrents!.get(layer)!, { channel, position });
    const told = steps.map(({ charged, spike }, t) => `step ${t + 1} ${charged.toFixed(3)}${spike ? ', spike' : ''}`);
    expect(await page.locator('.trace > title').textContent()).toContain(told.join('; '));

    const of = (letter: string) => spikeWords!.get(`block3.1.attn.${letter}_lif`)!;
    const heads = attentionHeads({ query: of('q'), key: of('k'), value: of('v') }, model.configuration.heads!, {
      timeStep: step - 1,
    });
    const { coincidences } = heads[head - 1]!;
    const total = coincidences.reduce((a, b) => a + b, 0);
    expect(await page.locator('.counts canvas').getAttribute('aria-label')).toBe(
      `Kᵀ V of head ${head}: 16 by 16 counts; ${total.toLocaleString('en')} coincidences, at most ${Math.max(...coincidences)} in one pair`,
    );
    expect(complaints).toEqual([]);
  });

  it('lets a neuron be chosen by a click, and by its fields', async () => {
    const { page } = await open('layer=ConvBlock1_1.0.lif1');
    const channel = page.getByRole('spinbutton', { name: 'channel' });
    await page.locator('.maps canvas').click({ position: { x: 5, y: 5 } });
    await expect.poll(() => channel.inputValue()).toBe('0');
    const place = async () => [
      await page.getByRole('spinbutton', { name: 'row' }).inputValue(),
      await page.getByRole('spinbutton', { name: 'column' }).inputValue(),
    ];
    await expect.poll(place).not.toEqual(['16', '16']);
    await channel.fill('7');
    await expect.poll(() => page.evaluate(() => location.hash)).toContain('channel=7');
  });

  it('shows what each setting does, and keeps it in the address', async () => {
    const { page, complaints } = await open();
    const settings = page.locator('.settings');
    const shown = async () => (await page.locator('.effect thead th').allTextContents()).at(-1) ?? '';
    const energies = new Set<string | null>();
    const change = async (act: () => Promise<unknown>, expected: RegExp, written: string) => {
      await act();
      await expect.poll(shown, { timeout: 60_000 }).toMatch(expected);
      await expect.poll(() => page.evaluate(() => location.hash)).toContain(written);
      await expect.poll(async () => (await page.locator('.effect').textContent())?.includes('…')).toBe(false);
      energies.add(await page.locator('.joules-value').first().textContent());
    };
    await change(() => page.getByLabel('Time steps T').fill('3'), /^T 3, θ 1, f32, table/, 'T=3');
    await change(() => page.getByLabel('Threshold θ').fill('1.5'), /^T 3, θ 1\.5, f32/, 'threshold=1.5');
    await change(
      () => settings.getByRole('radio', { name: 'i16' }).check(),
      /^T 3, θ 1\.5, i16, table/,
      'precision=i16',
    );
    await change(
      () => settings.getByRole('radio', { name: 'dense' }).check(),
      /^T 3, θ 1\.5, f32, dense/,
      'kernel=dense',
    );
    await change(() => page.getByLabel('Threads').fill('1'), /1 thread$/, 'threads=1');
    // The threshold moves the energy. The bundled model's 16-bit rows hold its weights as they are, so that precision does not, nor the kernel or threads.
    expect(energies.size).toBeGreaterThan(1);
    expect(complaints).toEqual([]);
  });

  it('opens a shared address as it was, and names what it does not understand', async () => {
    const { page } = await open('image=coffee&T=2&threshold=0.5&kernel=dense&T=2&head=3&overlay=query&layer=lif');
    expect(await status(page).textContent()).toContain('T 2');
    await page.getByRole('img', { name: 'The input: coffee' }).waitFor();
    await page.getByRole('img', { name: /^query of head 3 in block3\.0\.attn/ }).waitFor();
    expect(await page.getByLabel('Layer', { exact: true }).inputValue()).toBe('lif');
    await page.evaluate(() => {
      location.hash = 'image=nothing&T=99&threads=2e1';
    });
    // One line for all of them; the rest on request.
    await page.getByRole('button', { name: '3 messages' }).click();
    await expect
      .poll(() => notice(page).allTextContents())
      .toEqual([
        expect.stringMatching(/^address: threads: found “2e1”/),
        expect.stringMatching(/^address: T: found “99”, expected a whole number from 1 to 8/),
        expect.stringMatching(/^address: image: found “nothing”, expected .*cat/),
      ]);
    await page.getByRole('button', { name: 'dismiss all' }).click();
    await expect.poll(() => notice(page).count()).toBe(0);
    await expect.poll(() => status(page).textContent()).toContain('T 1');
  });

  it('says so when a setting is changed for a person, and compares networks by name', async () => {
    const { page, complaints } = await open('precision=i16&threads=64');
    await expect
      .poll(() => notice(page).allTextContents())
      .toEqual([expect.stringMatching(/^threads: 64 were requested/)]);
    await page.locator('.settings').getByRole('radio', { name: 'dense' }).check();
    await expect
      .poll(() => notice(page).first().textContent())
      .toBe('precision: set to f32, because the dense kernel supports no other');
    const buffer = await readFile(checkpoint);
    await give(page, 'drop', { name: 'mine.pth', mimeType: '', buffer });
    await expect
      .poll(() => page.locator('.effect thead .network').allTextContents(), { timeout: 60_000 })
      .toEqual(['photographs', 'mine.pth']);
    expect(complaints).toEqual([]);
  });

  it('takes heads, strides and image size of a checkpoint that was dropped', async () => {
    const { page, complaints } = await open();
    const file = await losslessFile('coffee');
    await pick(page, file);
    await give(page, 'drop', { name: 'mine.pth', mimeType: '', buffer: await readFile(checkpoint) });
    const strides = page.getByLabel('Strides');
    await strides.fill('1,2');
    await page.getByText('expected five strides from 1 to 4, such as 1,2,2,1,1').waitFor();
    for (const [label, value] of [
      ['Strides', '1,2,2,1,1'],
      ['Heads', '4'],
      ['Image size', '48'],
    ] as const) {
      await page.getByLabel(label, { exact: true }).fill(value);
      await page.getByLabel(label, { exact: true }).press('Enter');
      await settled(page);
      // What cannot be read takes nothing away from the network that is at work.
      if (label === 'Heads') {
        await give(page, 'drop', { name: 'broken.pth', mimeType: '', buffer: Buffer.from('no weights') });
        await expect
          .poll(() => notice(page).allTextContents())
          .toEqual([expect.stringMatching(/^broken\.pth: is not a/)]);
      }
    }
    const mine = await loadModel({ checkpoint }, { strides: [1, 2, 2, 1, 1], heads: 4, imageSize: 48 });
    await expectSameAnswer(page, mine, file).finally(() => mine.dispose());
    expect(complaints).toEqual([]);
  });

  it('lets a person say how many heads a checkpoint has that eight do not divide', async () => {
    const { page } = await open();
    const configuration = resolveConfiguration({ embedDim: [8, 16, 20, 20], heads: 4, classes: 3 });
    const tensors = new Map<string, TensorData>();
    const parameters = demonstrationParameters(metaSpikeformer(configuration), 3);
    for (const { name, shape } of parametersOf(metaSpikeformer(configuration))) {
      const data = parameters.get(name);
      if (data) tensors.set(name, { dtype: 'float32', shape, data });
    }
    const buffer = Buffer.from(encodeSafetensors(tensors));
    await give(page, 'drop', { name: 'four.safetensors', mimeType: '', buffer });
    await expect.poll(() => notice(page).first().textContent()).toMatch(/heads/);
    await page.getByLabel('Heads', { exact: true }).fill('4');
    await page.getByLabel('Heads', { exact: true }).press('Enter');
    await expect.poll(() => page.locator('.decision .fact').textContent()).toBe('four.safetensors');
  });

  it('plays at first, layer by layer, until a person takes over', async () => {
    const { page } = await open('', address, { reducedMotion: 'no-preference' });
    const layer = () => page.getByLabel('Layer', { exact: true }).inputValue();
    const seen = new Set<string>();
    await expect.poll(async () => seen.add(await layer()).size, { timeout: 60_000 }).toBeGreaterThan(2);
    // Nothing of it goes into the address, and one choice ends it.
    expect(await page.evaluate(() => location.hash)).toBe('');
    await page.getByLabel('Layer', { exact: true }).selectOption('lif');
    await page.getByRole('button', { name: 'Play the layers' }).waitFor();
    expect(await page.evaluate(() => location.hash)).toBe('#layer=lif');
  });

  it('is light or dark as the system is, until a person chooses', async () => {
    const { page } = await open('', address, { colorScheme: 'dark' });
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    expect(await theme()).toBe('dark');
    await page.getByRole('button', { name: 'Light' }).click();
    await expect.poll(theme).toBe('light');
    await page.reload();
    await settled(page);
    expect(await theme()).toBe('light');
  });

  it('has no serious finding of axe, in the light or the dark, wide or narrow', async () => {
    const { page } = await open('T=4&step=2&overlay=query');
    // A message and a comparison have to be legible too.
    await page.getByLabel('Threshold θ').fill('0.9');
    await give(page, 'drop', { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no') });
    await page.locator('.effect').waitFor();
    for (const [colorScheme, width] of [
      ['light', 1400],
      ['dark', 1400],
      ['light', 360],
    ] as const) {
      await showIn(page, colorScheme, width);
      const findings = await findingsOfAxe(page);
      expect(findings.serious, `${colorScheme}, ${width} pixels`).toEqual([]);
      expect(findings.passes).toBeGreaterThan(20);
    }
  });

  it('loads less than 3 MB before the model, all of it from its own host', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const sizes: { readonly url: string; readonly bytes: number }[] = [];
    page.on('response', async (response) => {
      const bytes = await response.body().then(
        (body) => body.length,
        () => 0,
      );
      sizes.push({ url: response.url(), bytes });
    });
    await page.goto(address);
    await settled(page);
    await page.waitForLoadState('networkidle');
    await context.close();
    const strangers = sizes.filter(({ url }) => !url.startsWith(address) && !/^(blob|data):/.test(url));
    expect(strangers).toEqual([]);
    const own = sizes.filter(({ url }) => !url.endsWith('.safetensors'));
    expect(own.length).toBeGreaterThan(8);
    expect(own.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(largestFirstLoad);
  });
});
