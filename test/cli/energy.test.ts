/** `energy`: published figures by command, measured ones on images, the proof, and refusals. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkpoint, json, spikeformer, temporaryFolder, writeDarkAndLight } from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());
const at = (name: string) => join(folder.path, name);

interface EnergyDocument {
  readonly data: { readonly images?: number };
  readonly paper: { readonly millijoules: number; readonly annMillijoules: number };
  readonly exact: null | { readonly millijoules: number; readonly neurons: readonly { readonly name: string }[] };
}

describe('energy', () => {
  it('computes the published 7.80 mJ of 31M from rates, running nothing', async () => {
    const rates = at('rates.json');
    await writeFile(rates, JSON.stringify({ default: 0.386 }));
    const document = (await json(['energy', '--size', '31M', '--rates', rates])) as unknown as EnergyDocument;
    expect(Math.abs(document.paper.millijoules / 7.8 - 1)).toBeLessThan(0.01);
    expect(document.exact).toBeNull();
  });

  it('counts on labelled images, as many as asked for', async () => {
    const data = at('images');
    await writeDarkAndLight(data, 5);
    const args = ['energy', '--checkpoint', checkpoint, '--image-size', '32', '--data', data, '--images', '7'];
    const document = (await json(args)) as unknown as EnergyDocument;
    expect(document.data.images).toBe(7);
    expect(document.exact!.millijoules).toBeGreaterThan(0);
    expect(document.paper.annMillijoules).toBeGreaterThan(document.paper.millijoules);
    expect(document.exact!.neurons.map(({ name }) => name)).toContain('block3.0.attn.q_lif');
  });

  it('prints a table for the bundled photographs', async () => {
    const { code, stdout } = await spikeformer(['energy', '--images', '2']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/2 images of the bundled photographs/);
    expect(stdout).toMatch(/paper's convention {2}\d+\.\d+ mJ, as an ANN \d+\.\d+ mJ: \d+\.\d times as much/);
    expect(stdout).toMatch(/counted +\d+\.\d+ mJ/);
  });

  it('proves what is fed by spikes, and says why the rest is not', async () => {
    const { code, stdout } = await spikeformer(['energy', '--size', '31M', '--proof']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/RepConv merged +edges: .* 77 of 82 layers fed by spikes/);
    expect(stdout).toMatch(/5 layers fed by numbers/);
    expect(stdout).toMatch(/downsample1_1\.encode_conv .*pixels/);
    expect(stdout).toMatch(/ConvBlock2_2\.0\.Conv\.pwconv2 .*7×7/);
  });

  it('writes a report that needs nothing beside it, and a table', async () => {
    const data = at('cats & <dogs>');
    await writeDarkAndLight(data, 2);
    const [report, csv] = [at('report.html'), at('layers.csv')];
    const args = ['energy', '--checkpoint', checkpoint, '--image-size', '32', '--time-steps', '2', '--data', data];
    const { code, stdout } = await spikeformer([...args, '--report', report, '--csv', csv]);
    expect(code).toBe(0);
    expect(stdout).toContain(`report: ${report}`);
    const html = await readFile(report, 'utf8');
    expect(html).toContain('cats &amp; &lt;dogs&gt;');
    expect(html).not.toMatch(/<script|<link|src=|https?:/);
    // When, how, with what and where, but not where a person keeps files.
    expect(html).not.toContain(folder.path);
    expect(html).toMatch(/<dt>Date<\/dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    expect(html).toMatch(/<code>spikeformer energy --checkpoint infer_T4_kd\.pth .*--time-steps 2 .*--data /);
    expect(html).toMatch(/<dt>Model<\/dt><dd>sha256:[0-9a-f]{64}/);
    expect(html).toContain(`Node ${process.versions.node}`);
    expect(html).toMatch(/@misc\{.*\n.*title {3}= \{Energy of infer\\_T4\\_kd/);
    // The summary has the ANN with memory too; tables step by step are open.
    expect(html).toMatch(/with memory<\/th>.*with ReLU \(ANN\)<\/th>(<td>[\d.]+ [mµn]J<\/td>){3}/);
    expect(html).toContain('step by step');
    expect(html).not.toContain('<details>');
    const rows = (await readFile(csv, 'utf8')).trimEnd().split('\r\n');
    const columns = rows.map((row) => row.split(','));
    expect(new Set(columns.map(({ length }) => length))).toEqual(new Set([9 + 2 * 2]));
    // The table's counted energies add up to the total that was printed.
    const total = columns.slice(1).reduce((sum, row) => sum + Number(row[7]), 0);
    expect(stdout).toContain(`counted             ${total.toFixed(4)} mJ`);
  });

  it('shows no table step by step where there is one step', async () => {
    const report = at('once.html');
    const { code } = await spikeformer(['energy', '--images', '1', '--batch', '3', '--report', report]);
    expect(code).toBe(0);
    const html = await readFile(report, 'utf8');
    expect(html).not.toContain('step by step');
    expect(html).toMatch(/<details><summary><h2>Firing rate of every neuron layer/);
  });

  it('refuses to write over what it reads, and two files in one place', async () => {
    const rates = at('own.json');
    await writeFile(rates, JSON.stringify({ default: 0.2 }));
    const args = ['energy', '--size', '15M', '--rates', rates];
    const over = await spikeformer([...args, '--report', rates]);
    expect([over.code, over.stderr]).toEqual([2, expect.stringMatching(/--report .*own\.json: is the rates itself/)]);
    expect(JSON.parse(await readFile(rates, 'utf8'))).toEqual({ default: 0.2 });
    const both = await spikeformer([...args, '--report', at('same'), '--csv', at('same')]);
    expect([both.code, both.stderr]).toEqual([2, expect.stringMatching(/--csv .*same: is the report itself/)]);
  });

  it('takes other constants, by name or from a file', async () => {
    const rates = at('rates.json');
    await writeFile(rates, JSON.stringify({ default: 0.2 }));
    const args = ['energy', '--size', '15M', '--rates', rates];
    const float32 = (await json(args)) as unknown as EnergyDocument;
    const int8 = (await json([...args, '--constants', '45nm-int8'])) as unknown as EnergyDocument;
    expect(int8.paper.annMillijoules / float32.paper.annMillijoules).toBeCloseTo(0.23 / 4.6, 9);
    const memory = { name: 'm', weightRead: 1, membraneRead: 1, membraneWrite: 1, spikeRead: 1, spikeWrite: 1 };
    const file = at('chip.json');
    await writeFile(file, JSON.stringify({ name: 'chip', accumulate: 1.8, multiplyAccumulate: 9.2, memory }));
    const doubled = (await json([...args, '--constants', file])) as unknown as EnergyDocument;
    expect(doubled.paper.millijoules / float32.paper.millijoules).toBeCloseTo(2, 9);
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['a size without rates', ['--size', '31M'], /--rates FILE/],
    ['data and rates', ['--data', 'a', '--rates', 'b'], /either --data or --rates/],
    ['rates that are not there', ['--size', '31M', '--rates', 'no-such.json'], /no-such\.json: cannot be read/],
    [
      'constants of no name',
      ['--size', '31M', '--proof', '--constants', '3nm'],
      /--constants 3nm: expected 45nm-float32/,
    ],
    [
      'a proof with a report',
      ['--size', '31M', '--proof', '--report', 'a.html'],
      /--proof cannot be combined with --report/,
    ],
    ['a report in no folder', ['--report', 'no-such/a.html'], /there is no folder no-such/],
    ['rates that are no JSON', ['--size', '31M', '--rates', 'README.md'], /README\.md: is not JSON/],
  ];
  it.each(wrong)('refuses %s in one line', async (_title, args, message) => {
    const { code, stdout, stderr } = await spikeformer(['energy', ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
