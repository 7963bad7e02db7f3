/** The lab's pane of recordings in a real browser: what it decides against what Node decides, and what a person can do there. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readEventFile } from '../../src/data/events/readEventFile.js';
import { encodeSafetensors, loadModel, type Model, metaSpikeformer, resolveConfiguration } from '../../src/index.js';
import { describedBy } from '../../src/interop/modelDescription.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { parseEventPreprocessing } from '../../src/modalities/events/settings.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { parametersOf } from '../../src/operators/registry.js';
import { checkpoint, repository } from '../cli/support.js';
import { photographPath } from '../photographs.js';
import {
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

const recording = (name: string) => join(repository, 'assets', 'recordings', `${name}.bin`);
const timeSteps = 3;
const windowMicroseconds = 105_000;

/** A small network of three windows whose weights nobody trained: what it says is compared, not believed. */
function networkFile(): File {
  const configuration = resolveConfiguration({
    embedDim: [8, 16, 16, 16],
    heads: 4,
    strides: [1, 2, 2, 1, 1],
    stemKernel: 3,
    inputChannels: 2,
    classes: 10,
    timeSteps,
  });
  const graph = metaSpikeformer(configuration);
  const parameters = demonstrationParameters(graph, 5);
  const tensors = new Map<string, TensorData>();
  for (const { name, shape } of parametersOf(graph)) {
    const data = parameters.get(name);
    if (data) tensors.set(name, { dtype: 'float32', shape, data });
  }
  const metadata = describedBy({
    architecture: 'meta-spikeformer',
    configuration,
    task: 'classification',
    modality: 'events',
    preprocessing: parseEventPreprocessing({
      sensor: [34, 34],
      window: { by: 'time', microseconds: windowMicroseconds },
      timeSteps,
      scale: { logarithm: true },
    }),
    labels: ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'],
    description: 'weights of a test',
  });
  return { name: 'digits.safetensors', mimeType: '', buffer: Buffer.from(encodeSafetensors(tensors, metadata)) };
}

/** The scores after the first windows of a bundled recording: the mean over them, as an evaluation has it. */
async function expectedLogits(model: Model, name: string, windows: number): Promise<Float32Array> {
  const { shape, data } = await model.inputOf([recording(name)]);
  const one = model.reconfigured({ timeSteps: windows }, model.engine);
  const [, , ...frame] = shape;
  const length = frame.reduce((a, b) => a * b, 1);
  const { logits } = await one.run({ shape: [windows, 1, ...frame], data: data.subarray(0, windows * length) });
  return logits.data;
}

async function csvOf(name: string): Promise<Buffer> {
  const { length, t, x, y, p } = await readEventFile(recording(name));
  const rows = Array.from({ length }, (_, i) => `${t[i]},${x[i]},${y[i]},${p[i]}`);
  return Buffer.from(`t,x,y,p\n${rows.join('\n')}\n`);
}

const rowsOf = (page: Page) => page.locator('.window-rows tbody tr');
const notice = (page: Page) => page.locator('.notice > span');
const shownWindow = (page: Page) => page.getByTestId('window').textContent();
const timeSlider = (page: Page) => page.getByRole('slider', { name: 'Time in the recording' });

const patience = { timeout: 120_000 };

describe.skipIf(!hasChromium)(`recordings in the lab in Chromium${skipNote}`, patience, () => {
  let browser: Browser;
  let server: Server;
  let address: string;
  let folder: string;
  let model: Model;
  const file = networkFile();
  const pages: LabPage[] = [];

  beforeAll(async () => {
    ({ server, address } = await serveBuiltLab());
    browser = await launch();
    folder = await mkdtemp(join(tmpdir(), 'lab-events-'));
    const path = join(folder, file.name);
    await writeFile(path, file.buffer);
    model = await loadModel({ checkpoint: path });
  });
  afterEach(async () => {
    for (const { page } of pages.splice(0)) await page.context().close();
  });
  afterAll(async () => {
    await model?.dispose();
    await browser?.close();
    server?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  /** The pane, with the network of this test. */
  async function open(fragment = 'pane=events', options: BrowserContextOptions = {}): Promise<LabPage> {
    const opened = await openLab(browser, address, fragment, options);
    pages.push(opened);
    await pick(opened.page, file);
    await expect.poll(() => opened.page.locator('.decision .fact').textContent()).toBe(file.name);
    await settled(opened.page);
    return opened;
  }

  async function pick(page: Page, given: File): Promise<void> {
    await page.locator('input[type="file"]').setInputFiles(given);
  }

  async function expectAnswer(page: Page, name: string, windows: number): Promise<void> {
    const logits = await expectedLogits(model, name, windows);
    const expected = model.rank(logits, 5).map(({ label, index }) => ({ label, logit: logits[index]! }));
    await expect.poll(async () => (await shownClasses(page))[0]?.logit).toBeCloseTo(expected[0]!.logit, 4);
    const shown = await shownClasses(page);
    expect(shown.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
    for (const [index, { logit }] of expected.entries()) expect(shown[index]!.logit).toBeCloseTo(logit, 4);
  }

  it('decides after every window what an evaluation of these windows decides', async () => {
    const { page, complaints } = await open('pane=events&recording=five');
    expect(await rowsOf(page).count()).toBe(3);
    await page.getByRole('img', { name: 'Events of five.bin' }).waitFor();
    // Without motion the last decision is shown; the windows before it by their rows.
    for (const windows of [3, 1, 2]) {
      await page.getByRole('button', { name: `Show window ${windows}` }).click();
      await expect.poll(() => shownWindow(page)).toContain(`After window ${windows} of 3`);
      await expectAnswer(page, 'five', windows);
    }
    expect(complaints).toEqual([]);
  });

  it('asks the network that comes with it of its own accord, and takes back its place', async () => {
    const { page, complaints } = await openLab(browser, address, 'pane=events&recording=two');
    const own = await loadModel({ model: 'nmnist' });
    const label = (await own.classify(recording('two'), 1))[0]!.label;
    await own.dispose();
    const first = async () => (await shownClasses(page))[0]?.label;
    await expect.poll(first).toBe(label);
    expect(await page.locator('.decision .fact').textContent()).toBe('nmnist');
    const { timeSteps: steps } = own.configuration;
    await expect.poll(() => rowsOf(page).count()).toBeGreaterThanOrEqual(Math.min(steps, 2));
    await pick(page, file);
    await expect.poll(() => page.locator('.decision .fact').textContent()).toBe(file.name);
    await page.getByRole('combobox', { name: 'Network' }).selectOption('nmnist');
    await expect.poll(() => page.locator('.decision .fact').textContent()).toBe('nmnist');
    await settled(page);
    expect(await first()).toBe(label);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('shows the step of the time that is scrubbed to, its spikes and its costs', async () => {
    const { page, complaints } = await open();
    await expectAnswer(page, 'seven', 3);
    const spikes = () => page.locator('.spikes .toolbar .fact').textContent();
    const frame = page.locator('canvas.received');
    const [spikesAtEnd, labelAtEnd] = [await spikes(), await frame.getAttribute('aria-label')];
    await timeSlider(page).focus();
    await page.keyboard.press('Home');
    await expect.poll(() => shownWindow(page)).toBe('After window 1 of 3: 0.0 ms to 105 ms');
    await expectAnswer(page, 'seven', 1);
    await expect.poll(() => page.locator('.spikes output').textContent()).toBe('t 1/3');
    await expect.poll(spikes).not.toBe(spikesAtEnd);
    await expect.poll(() => frame.getAttribute('aria-label')).not.toBe(labelAtEnd);
    expect(await page.locator('tr[aria-current="step"] button').textContent()).toBe('1');
    expect(await page.getByTestId('latency').textContent()).toMatch(/ m?s$/);
    expect(await page.getByTestId('energy').textContent()).toMatch(/ [nµm]J$/);
    await expect.poll(() => page.evaluate(() => location.hash)).toBe('#pane=events&window=1');
    expect(complaints).toEqual([]);
  });

  it('plays the events as they happen, until a person scrubs', async () => {
    const { page } = await open('pane=events', { reducedMotion: 'no-preference' });
    const lit = () =>
      page.locator('canvas.events').evaluate((element) => {
        const canvas = element as HTMLCanvasElement;
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
        let state = 7;
        for (const value of data) state = (Math.imul(state, 31) + value) | 0;
        return state;
      });
    await page.getByLabel('Speed').selectOption('0.02');
    if (await page.getByRole('button', { name: 'Play the recording' }).isVisible())
      await page.getByRole('button', { name: 'Play the recording' }).click();
    const pictures = new Set<number>();
    await expect.poll(async () => pictures.add(await lit()).size).toBeGreaterThan(4);
    await timeSlider(page).fill('250');
    await page.getByRole('button', { name: 'Play the recording' }).waitFor();
    await expect.poll(() => shownWindow(page)).toContain('After window 2 of 3');
  });

  it('takes a recording that is dropped on another pane, whatever its format', async () => {
    const opened = await openLab(browser, address);
    pages.push(opened);
    const { page, complaints } = opened;
    await give(page, 'drop', { name: 'mine.csv', mimeType: 'text/csv', buffer: await csvOf('two') });
    await page.getByRole('img', { name: 'Events of mine.csv' }).waitFor();
    await pick(page, file);
    await expect.poll(() => rowsOf(page).count()).toBe(3);
    await settled(page);
    await expectAnswer(page, 'two', 3);
    // And a photograph that is dropped here goes where photographs are.
    const photograph = await readFile(photographPath('rocket'));
    await give(page, 'drop', { name: 'mine.jpg', mimeType: 'image/jpeg', buffer: photograph });
    await page.getByRole('img', { name: 'The input: mine.jpg' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('says in one line what cannot be used, and keeps what it has', async () => {
    const { page } = await open();
    const given: readonly (readonly [string, Buffer, RegExp])[] = [
      ['broken.aedat4', Buffer.from('#!AER-DAT4.0\r\nno more'), /^broken\.aedat4: /],
      ['empty.bin', Buffer.alloc(0), /^empty\.bin: is empty/],
      ['mine.h5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), /^mine\.h5: is HDF5, which this page does not read/],
      ['notes.xyz', Buffer.from('no'), /^notes\.xyz: is no recording of a known format/],
      ['mine.pth', await readFile(checkpoint), /^mine\.pth: this network looks at images; choose Images/],
    ];
    for (const [name, buffer, expected] of given) {
      await give(page, 'drop', { name, mimeType: '', buffer });
      await expect.poll(() => notice(page).first().textContent()).toMatch(expected);
      expect(await notice(page).first().textContent()).not.toContain('\n');
      await settled(page);
      await expectAnswer(page, 'seven', 3);
    }
    await page.getByRole('radio', { name: 'Images' }).check();
    await settled(page);
    await give(page, 'drop', file);
    await expect.poll(() => notice(page).first().textContent()).toMatch(/^digits\.safetensors: .* choose Events above/);
    await settled(page);
  });

  it('names what an address asks for and cannot be', async () => {
    const { page } = await open('pane=events&recording=nothing&window=2');
    expect(await notice(page).allTextContents()).toEqual([
      expect.stringMatching(/^address: recording: found “nothing”, expected five, seven, two/),
    ]);
  });

  it('has no serious finding of axe, in the light or the dark, wide or narrow', async () => {
    const { page } = await open();
    await give(page, 'drop', { name: 'notes.xyz', mimeType: '', buffer: Buffer.from('no') });
    await notice(page).first().waitFor();
    for (const [colorScheme, width] of [
      ['light', 1400],
      ['dark', 1400],
      ['dark', 360],
    ] as const) {
      await showIn(page, colorScheme, width);
      const findings = await findingsOfAxe(page);
      expect(findings.serious, `${colorScheme}, ${width} pixels`).toEqual([]);
      expect(findings.passes).toBeGreaterThan(20);
    }
  });
});
