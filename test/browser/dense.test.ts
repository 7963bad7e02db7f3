/** Masks and boxes in the lab, in a real browser: what lies over the image against what Node says, and what a person can do with it. */
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { placed } from '../../lab/src/dense/denseView.js';
import { classColour } from '../../lab/src/dense/legend.js';
import { decodeImage } from '../../src/data/decode.js';
import { imagenetPreprocessing, type PreprocessSettings } from '../../src/data/preprocess.js';
import { type Answer, encodeSafetensors, loadModel, resolveConfiguration } from '../../src/index.js';
import { describedBy } from '../../src/interop/modelDescription.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { parametersOf } from '../../src/operators/registry.js';
import { askedGraph } from '../../src/tasks/registry.js';
import { repository } from '../cli/support.js';
import {
  type File,
  findingsOfAxe,
  give,
  hasChromium,
  launch,
  openLab,
  serveBuiltLab,
  settled,
  showIn,
  skipNote,
} from './support.js';

/** A small network whose weights nobody trained: what it says is compared, not believed. */
function networkFile(task: string, labels: readonly string[], preprocessing: Partial<PreprocessSettings>): File {
  const configuration = {
    ...resolveConfiguration({
      embedDim: [8, 16, 16, 16],
      depths: [1, 1, 1, 1, 1],
      heads: 4,
      strides: [2, 2, 2, 2, 1],
      stemKernel: 3,
      classes: labels.length,
      timeSteps: 1,
    }),
    pyramidChannels: 8,
  };
  const graph = askedGraph({ architecture: 'meta-spikeformer', configuration, task });
  const parameters = demonstrationParameters(graph, 5);
  const tensors = new Map<string, TensorData>();
  for (const { name, shape } of parametersOf(graph)) {
    const data = parameters.get(name);
    if (data) tensors.set(name, { dtype: 'float32', shape, data });
  }
  const settings = { ...imagenetPreprocessing, ...preprocessing };
  const metadata = describedBy({
    architecture: 'meta-spikeformer',
    configuration,
    task,
    modality: 'image',
    preprocessing: settings,
    labels,
    description: 'weights of a test',
  });
  return { name: `${task}.safetensors`, mimeType: '', buffer: Buffer.from(encodeSafetensors(tensors, metadata)) };
}

/** Of 600 x 400 pixels; a PNG, which every decoder reads alike. */
async function photograph(): Promise<File> {
  const jpeg = await readFile(join(repository, 'assets', 'photographs', 'coffee.jpg'));
  return { name: 'coffee.png', mimeType: 'image/png', buffer: await sharp(jpeg).resize(600, 400).png().toBuffer() };
}

/** What Node says about the part of the photograph that the network sees, at T = `timeSteps`. */
async function expected({ buffer }: File, image: File, timeSteps = 1): Promise<Answer> {
  const model = await loadModel({ checkpoint: buffer }, { timeSteps });
  const pixels = await decodeImage(image.buffer);
  const { outputs } = await model.run(await model.inputOf([pixels]));
  const [answer] = model.answers(outputs, [placed(model.original(pixels)).part.original], { threshold: 0.05 });
  await model.dispose();
  return answer!;
}

const patience = { timeout: 60_000 };

describe.skipIf(!hasChromium)(`masks and boxes in the lab${skipNote}`, patience, () => {
  const streets = networkFile('segmentation', ['sky', 'road', 'car <1>', 'tree'], { resize: 80, crop: [48, 64] });
  const cells = networkFile('detection', ['red', 'white', 'platelet'], { resize: 'fit', crop: [64, 64] });
  let browser: Browser;
  let server: Server;
  let page: Page;
  let complaints: string[];
  let image: File;

  beforeAll(async () => {
    const served = await serveBuiltLab();
    server = served.server;
    browser = await launch();
    image = await photograph();
    ({ page, complaints } = await openLab(browser, served.address));
    await give(page, 'drop', image);
    await give(page, 'drop', streets);
    await page.getByRole('img', { name: /^Mask over the image/ }).waitFor();
  });
  afterEach(() => expect(complaints.splice(0)).toEqual([]));
  afterAll(async () => {
    await page?.context().close();
    await browser?.close();
    server?.close();
  });

  const entries = () => page.locator('.seen-classes button');
  const address = () => page.evaluate(() => location.hash);
  /** How many pixels of the mask have a colour, and the colour of each where it is read. */
  const maskPixels = () =>
    page.locator('canvas.dense').evaluate((canvas: HTMLCanvasElement) => {
      const { width, height } = canvas;
      // A copy, since reading would slow the page's own canvas down.
      const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
      copy.drawImage(canvas, 0, 0);
      return { width, height, data: [...copy.getImageData(0, 0, width, height).data] };
    });

  it('lays the mask that Node finds over the part of the photograph that the network sees', async () => {
    const said = await expected(streets, image);
    if (said.task !== 'segmentation') throw new Error(said.task);
    const { segments, mask } = said.answer;
    const legend = segments.map(({ label, share }) => `${label} ${(100 * share).toFixed(1)} %`);
    await expect.poll(() => entries().allTextContents()).toEqual(legend);
    const colours = Array.from(mask, (index) => classColour(index).join());
    const shown = await maskPixels();
    expect([shown.width, shown.height]).toEqual([64, 48]);
    expect(colours.map((_, i) => shown.data.slice(4 * i, 4 * i + 3).join())).toEqual(colours);
    // 600 x 400 is resized to 120 x 80, of which the middle is kept.
    const stage = (await page.locator('.stage').boundingBox())!;
    const over = (await page.locator('canvas.dense').boundingBox())!;
    expect(stage.width / stage.height).toBeCloseTo(1.5, 1);
    expect((over.x - stage.x) / stage.width).toBeCloseTo(28 / 120, 2);
    expect((over.y - stage.y) / stage.height).toBeCloseTo(16 / 80, 2);
    expect(over.width / stage.width).toBeCloseTo(64 / 120, 2);
  });

  it('hides and shows a class by the keyboard, and keeps it in the address with the opacity', async () => {
    const first = entries().first();
    const covered = async () => (await maskPixels()).data.filter((value, i) => i % 4 === 3 && value > 0).length;
    const all = await covered();
    await first.focus();
    await page.keyboard.press('Space');
    await expect.poll(() => first.getAttribute('aria-pressed')).toBe('false');
    await expect.poll(covered).toBeLessThan(all);
    await expect.poll(address).toMatch(/hidden=\d$/);
    await page.keyboard.press('Enter');
    await expect.poll(covered).toBe(all);
    await page.getByLabel('Opacity').fill('20');
    await expect.poll(address).toBe('#opacity=20');
    expect(await page.locator('canvas.dense').evaluate((canvas) => getComputedStyle(canvas).opacity)).toBe('0.2');
  });

  it('shows the spikes of the head, which fires once, and the energy at two time steps', async () => {
    await page.getByLabel('Time steps T').fill('2');
    await expect.poll(() => page.locator('.status').textContent()).toContain('T 2');
    await settled(page);
    const said = await expected(streets, image, 2);
    if (said.task !== 'segmentation') throw new Error(said.task);
    const [largest] = said.answer.segments;
    const decision = page.locator('.effect tbody tr', { hasText: 'decision' }).locator('td').last();
    await expect.poll(() => decision.textContent()).toBe(`${largest!.label} ${(100 * largest!.share).toFixed(0)} %`);
    await page.getByRole('listbox').focus();
    await page.keyboard.press('End');
    const layer = page.getByLabel('Layer', { exact: true });
    await expect.poll(() => layer.inputValue()).toBe('decode_head.decode_lif');
    await expect
      .poll(() => page.locator('.spikes .toolbar .fact').textContent())
      .toMatch(/^8 channels of 24 × 32 neurons; [\d,]+ spikes$/);
    await page.locator('.trace > title').waitFor({ state: 'attached' });
    await expect.poll(() => page.locator('.joules-value').count()).toBe(3);
    await page.getByText('over the image').click();
    await page.getByRole('img', { name: /^query of head 1 in block3\.0\.attn/ }).waitFor();
    await page.getByText('over the image').click();
    await page.getByLabel('Time steps T').fill('1');
    await settled(page);
  });

  it('lays the boxes that Node finds over the whole photograph, those that are sure enough', async () => {
    await give(page, 'drop', cells);
    await page.getByRole('img', { name: /^Boxes over the image/ }).waitFor();
    const said = await expected(cells, image);
    if (said.task !== 'detection') throw new Error(said.task);
    // Fitted into 64 x 64, the photograph has 43 rows of it.
    const scores = said.answer.map(({ score }) => score);
    const middle = Math.round(100 * scores[scores.length >> 1]!);
    await page.getByLabel('Least score').fill(String(middle));
    const sure = said.answer.filter(({ score }) => score >= middle / 100);
    await expect.poll(() => page.locator('.box').count()).toBe(sure.length);
    const stage = (await page.locator('.stage').boundingBox())!;
    const first = (await page.locator('.box').first().boundingBox())!;
    const [left, top, width, height] = sure[0]!.box;
    const shares = [first.x - stage.x, first.width].map((length) => length / stage.width);
    const downwards = [first.y - stage.y, first.height].map((length) => length / stage.height);
    for (const [i, share] of [left / 64, width / 64].entries()) expect(shares[i]).toBeCloseTo(share, 1);
    for (const [i, share] of [top / 43, height / 43].entries()) expect(downwards[i]).toBeCloseTo(share, 1);
    expect(await page.locator('.box').first().textContent()).toContain(sure[0]!.label);
    const counts = (await entries().locator('.class-share').allTextContents()).map(Number);
    expect(counts.reduce((a, b) => a + b, 0)).toBe(sure.length);
    await entries().first().click();
    await expect.poll(() => page.locator('.box').count()).toBe(sure.length - counts[0]!);
    await entries().first().click();
  });

  it('has no serious finding of axe, in the light or the dark', async () => {
    for (const [colorScheme, width] of [
      ['light', 1400],
      ['dark', 360],
    ] as const) {
      await showIn(page, colorScheme, width);
      expect((await findingsOfAxe(page)).serious, `${colorScheme}, ${width} pixels`).toEqual([]);
    }
    await showIn(page, 'light', 1400);
  });

  it('follows the camera, and comes back to the list of classes with a classifier', async () => {
    await page.getByRole('button', { name: 'Camera' }).click();
    await page.getByTestId('frame-rate').waitFor();
    const stage = (await page.locator('.stage').boundingBox())!;
    expect(stage.width / stage.height).toBeCloseTo(640 / 480, 1);
    await page.getByRole('img', { name: /^Boxes over the image/ }).waitFor();
    await page.getByRole('button', { name: 'Stop camera' }).click();
    await page.getByLabel('Network', { exact: true }).selectOption('cifar10');
    await page.locator('.classes li').first().waitFor();
    expect(await page.locator('.seen-classes').count()).toBe(0);
  });
});
