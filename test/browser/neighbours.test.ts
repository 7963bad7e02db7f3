/** The pane of nearest pictures in a real browser: what is nearest there against what Node says. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/index.js';
import { descriptorsOutput } from '../../src/models/descriptorHead.js';
import { photographPath } from '../photographs.js';
import { writeRetrievalNetwork } from '../tasks/retrievalFixture.js';
import { type File, findingsOfAxe, give, hasChromium, launch, openLab, serveBuiltLab, skipNote } from './support.js';

const names = ['cat', 'coffee', 'rocket', 'astronaut'];
const patience = { timeout: 60_000 };

/** A PNG, which every decoder reads alike, of the size that the network sees. */
async function picture(name: string): Promise<File> {
  const jpeg = readFileSync(photographPath(name));
  const buffer = await sharp(jpeg).resize(32, 32, { fit: 'cover' }).png().toBuffer();
  return { name: `${name}.png`, mimeType: 'image/png', buffer };
}

describe.skipIf(!hasChromium)(`nearest pictures in the lab${skipNote}`, patience, () => {
  const folder = mkdtempSync(join(tmpdir(), 'neighbours-'));
  const checkpoint = join(folder, 'places.safetensors');
  let browser: Browser;
  let server: Server;
  let page: Page;
  let complaints: string[];
  let files: File[];

  beforeAll(async () => {
    await writeRetrievalNetwork(checkpoint, 24);
    files = await Promise.all(names.map(picture));
    const served = await serveBuiltLab();
    server = served.server;
    browser = await launch();
    ({ page, complaints } = await openLab(browser, served.address));
    await give(page, 'drop', files[1]!);
    await give(page, 'drop', { name: 'places.safetensors', mimeType: '', buffer: readFileSync(checkpoint) });
    await page.getByRole('heading', { name: 'Nearest pictures' }).waitFor();
  });
  afterEach(() => expect(complaints.splice(0)).toEqual([]));
  afterAll(async () => {
    await page?.context().close();
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true });
  });

  /** Names and scores, the nearest first. */
  const found = () => page.locator('.neighbours-found li').allInnerTexts();

  async function expected(asked: string): Promise<string[]> {
    const model = await loadModel({ checkpoint }, { threads: 1 });
    const described = async (buffer: Buffer) =>
      (await model.run(await model.inputOf([new Uint8Array(buffer)]))).outputs.get(descriptorsOutput)!.data;
    const query = await described(files[names.indexOf(asked)]!.buffer);
    const scores: { readonly name: string; readonly score: number }[] = [];
    for (const { name, buffer } of files) {
      const own = await described(buffer);
      scores.push({ name, score: query.reduce((sum, value, d) => sum + value * own[d]!, 0) });
    }
    await model.dispose();
    return scores.sort((a, b) => b.score - a.score).map(({ name, score }) => `${name}\n${score.toFixed(3)}`);
  }

  it('are those that Node finds, of every picture that is shown', async () => {
    await page.getByTestId('gallery-files').setInputFiles(files);
    await expect.poll(found, patience).toEqual(await expected('coffee'));
    await page.getByText('4 of 4 described').waitFor();
    await give(page, 'drop', files[2]!);
    await expect.poll(found, patience).toEqual(await expected('rocket'));
    expect((await findingsOfAxe(page)).serious).toEqual([]);
  });

  it('names what is no picture, and goes on', async () => {
    const broken = { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no picture') };
    await page.getByTestId('gallery-files').setInputFiles([broken, files[0]!]);
    await page.getByText(/^broken\.png: /).waitFor();
    await expect.poll(async () => (await found()).map((text) => text.split('\n')[0]), patience).toEqual(['cat.png']);
  });
});
