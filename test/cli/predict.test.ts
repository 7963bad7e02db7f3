/** `predict`: what it says, to people and in JSON, and how it goes on after a file that cannot be used. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imagenetNames } from '../../src/cli/labels.js';
import { loadModel } from '../../src/index.js';
import { checkpoint, fixture, json, plant, spikeformer, temporaryFolder, writeLabelled } from './support.js';

const photograph = fixture('preprocess', 'images', 'jpeg_420.jpg');
const drawing = fixture('preprocess', 'images', 'png_palette.png');
const settings = ['--checkpoint', checkpoint, '--image-size', '32', '--threads', '1'];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const at = (...parts: string[]) => join(folder.path, ...parts);
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

interface PredictDocument {
  readonly model: object;
  readonly images: {
    readonly image: string;
    readonly width: number;
    readonly predictions: { readonly index: number; readonly label: string; readonly probability: number }[];
  }[];
  readonly errors: { readonly image: string; readonly message: string }[];
  readonly details: {
    readonly stages: {
      readonly name: string;
      readonly shape: number[];
      readonly firingRate?: number;
      neurons: number;
    }[];
  } | null;
}
const predict = async (...args: string[]) => (await json(['predict', ...args])) as unknown as PredictDocument;

describe('predict --json', () => {
  it('answers as the library does', async () => {
    const { images } = await predict(photograph, drawing, ...settings, '--top', '10', '--time-steps', '2');
    const model = await loadModel({ checkpoint }, { imageSize: 32, threads: 1, timeSteps: 2 });
    for (const [index, path] of [photograph, drawing].entries()) {
      expect(images[index]).toMatchObject({ image: path, predictions: await model.classify(path, 10) });
    }
    await model.dispose();
    const sum = images[0]!.predictions.reduce((total, { probability }) => total + probability, 0);
    expect(sum).toBeCloseTo(1, 6);
  });

  it('shows shapes, neurons and firing rates of every stage', async () => {
    const { details } = await predict(photograph, ...settings, '--time-steps', '2');
    const stages = new Map(details!.stages.map((stage) => [stage.name, stage]));
    expect(stages.get('downsample1_1')).toMatchObject({ shape: [2, 1, 8, 16, 16], neurons: 0 });
    expect(stages.get('downsample1_1')).not.toHaveProperty('firingRate');
    // Shapes of the golden file's `act.block4.1`, and of its eleven neuron layers.
    expect(stages.get('block4.1')).toMatchObject({ shape: [2, 1, 80, 2, 2] });
    expect(stages.get('block4.1')!.neurons).toBe(4 * (6 * 80 + 320));
    expect(stages.get('classifier')).toMatchObject({ shape: [1, 10], neurons: 80 });
    for (const { neurons, firingRate } of stages.values()) {
      if (neurons > 0) expect(firingRate).toBeGreaterThanOrEqual(0);
      if (neurons > 0) expect(firingRate).toBeLessThan(1);
    }
    expect((await predict(photograph, ...settings, '--no-details')).details).toBeNull();
  });

  it('uses the labels of the checkpoint', async () => {
    const labels = Array.from({ length: 10 }, (_, i) => `animal ${i}`);
    const labelled = await writeLabelled(at('labelled.safetensors'), labels);
    const { images } = await predict(photograph, '--checkpoint', labelled, '--image-size', '32');
    expect(images[0]!.predictions).toHaveLength(5);
    for (const { index, label } of images[0]!.predictions) expect(label).toBe(`animal ${index}`);
  });

  it('goes on after a file that cannot be used, and ends with 2', async () => {
    await writeFile(at('broken.png'), 'not an image');
    const args = ['predict', photograph, at('broken.png'), at('missing.png'), drawing, ...settings, '--json'];
    const { code, stdout, stderr } = await spikeformer(args);
    expect(code).toBe(2);
    const document: PredictDocument = JSON.parse(stdout);
    expect(document.images.map(({ image }) => image)).toEqual([photograph, drawing]);
    expect(document.errors.map(({ image }) => image)).toEqual([at('broken.png'), at('missing.png')]);
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toEqual(document.errors.map(({ message }) => `spikeformer: ${message}`));
  });
});

describe('what predict takes for an image', () => {
  const predictions = (document: PredictDocument) => document.images.map((image) => image.predictions);
  const quick = [...settings, '--no-details'];

  it('is every image of a folder, by name, and nothing below it', async () => {
    await plant(at('album'), {
      'b.JPG': await readFile(photograph),
      'a.png': await readFile(drawing),
      'notes.txt': 'x',
      '.hidden.png': 'x',
      'below/c.png': 'x',
    });
    const document = await predict(at('album'), ...quick);
    expect(document.images.map(({ image }) => image)).toEqual([at('album', 'a.png'), at('album', 'b.JPG')]);
    expect(predictions(document)).toEqual(predictions(await predict(drawing, photograph, ...quick)));
  });

  it('is what comes on standard input', async () => {
    const stdin = await readFile(photograph);
    const document = (await json(['predict', '-', ...quick], { stdin })) as unknown as PredictDocument;
    expect(document.images[0]).toMatchObject({
      image: '-',
      predictions: predictions(await predict(photograph, ...quick))[0],
    });
    const empty = await spikeformer(['predict', '-', ...quick], { stdin: new Uint8Array() });
    expect([empty.code, empty.stderr]).toEqual([2, expect.stringMatching(/standard input: is empty/)]);
    const person = await spikeformer(['predict', '-', ...quick]);
    expect([person.code, person.stderr]).toEqual([2, expect.stringMatching(/standard input: is a terminal/)]);
    const twice = await spikeformer(['predict', '-', '-', ...quick], { stdin });
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringMatching(/holds one image; name it once; see /)]);
  });

  it('is at an address of this machine, and of no other', async () => {
    const content = await readFile(photograph);
    const server = createServer((request, response) => {
      if (request.url === '/moved') response.writeHead(302, { Location: 'http://example.org/' }).end();
      else response.writeHead(request.url === '/cat' ? 200 : 404).end(content);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const place = `http://127.0.0.1:${port}`;
    const bad = [
      [`${place}/none`, /the server answered 404/],
      [`${place}/moved`, /the server answered 302/],
      ['http://example.org/cat.jpg', /is on another machine/],
      ['http://127.0.0.1.example.org/cat.jpg', /is on another machine/],
      ['http://localhost@example.org/cat.jpg', /is on another machine/],
      ['http://192.168.1.1/cat.jpg', /is on another machine/],
      [`http://me:secret@127.0.0.1:${port}/cat`, /name or password/],
      ['http://', /is not an address/],
    ] as const;
    const addresses = bad.map(([address]) => address);
    const { code, stdout } = await spikeformer(['predict', `${place}/cat`, ...addresses, ...quick, '--json']);
    server.closeAllConnections();
    server.close();
    const document: PredictDocument = JSON.parse(stdout);
    expect(code).toBe(2);
    expect(predictions(document)).toEqual(predictions(await predict(photograph, ...quick)));
    expect(document.errors.map(({ image }) => image)).toEqual(addresses);
    for (const [index, [, message]] of bad.entries()) expect(document.errors[index]!.message).toMatch(message);
  });
});

describe('what predict answers', () => {
  it('is what reaches the threshold', async () => {
    const all = (await predict(photograph, ...settings, '--top', '10')).images[0]!.predictions;
    const threshold = all[1]!.probability;
    const some = await predict(photograph, ...settings, '--top', '10', '--threshold', String(threshold));
    expect(some.images[0]!.predictions).toEqual(all.slice(0, 2));
    const none = await spikeformer(['predict', photograph, ...settings, '--threshold', '1', '--no-details']);
    expect(none.code).toBe(0);
    expect(none.stdout).toMatch(/\n {2}no class reaches 100\.0 %; the most probable one, class \d, has \d+\.\d %\n/);
    for (const value of ['1.1', '-1', 'half', '', '1e-3', '50%']) {
      const { code, stderr } = await spikeformer(['predict', photograph, `--threshold=${value}`]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(`--threshold: found "${value}", expected a number`)]);
    }
  });

  it('has the names of a file, in any of its forms', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `name ${i}`);
    const forms: Readonly<Record<string, string>> = {
      'lines.txt': `\uFEFF${names.join('\r\n')}\r\n\r\n`,
      'array.json': JSON.stringify(names),
      'numbered.json': JSON.stringify(Object.fromEntries(names.map((name, i) => [i, name]))),
      'keras.json': JSON.stringify(Object.fromEntries(names.map((name, i) => [i, ['n0', name]]))),
      'indices.json': JSON.stringify(Object.fromEntries(names.map((name, i) => [name, i]).reverse())),
      'config.json': JSON.stringify({ id2label: { ...names } }),
    };
    await plant(at('labels'), forms);
    for (const form of Object.keys(forms)) {
      const { images } = await predict(photograph, ...settings, '--no-details', '--labels', at('labels', form));
      for (const { index, label } of images[0]!.predictions) expect(label).toBe(`name ${index}`);
    }
  });

  it.each([
    ['has too few', 'a\nb\n', /names 2 classes, but the model has 10/],
    ['is empty', '\n', /is empty/],
    ['has a gap', 'a\n\nb', /class 1 has no name/],
    ['is no text', new Uint8Array([0xff, 0xfe, 0x80]), /is not a text in UTF-8/],
    ['has a number twice', '{"a": 0, "b": 0}', /found "0" for a class; expected the numbers 0 to 1, each once/],
    ['has another key', '{"0": "a", "x": "b"}', /found "x" for a class/],
    ['has numbers for names', '[1, 2]', /the name of class 0 is not a text/],
    ['is damaged JSON', '["a", ', /is not JSON/],
  ])('refuses a file of names that %s', async (_title, content, message) => {
    await writeFile(at('bad.json'), content);
    const { code, stdout, stderr } = await spikeformer([
      'predict',
      photograph,
      ...settings,
      '--labels',
      at('bad.json'),
    ]);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(message)]);
    const absent = await spikeformer(['predict', photograph, ...settings, '--labels', at('absent.txt')]);
    expect([absent.code, absent.stderr]).toEqual([
      2,
      expect.stringMatching(/absent\.txt: cannot be read \(no such file/),
    ]);
  });

  it('has the names of ImageNet where there are a thousand classes without any', async () => {
    const names = await imagenetNames();
    expect(names).toHaveLength(1000);
    expect(new Set(names).size).toBe(1000);
    // Numbers that are quoted everywhere.
    const known: Readonly<Record<number, string>> = {
      0: 'tench',
      1: 'goldfish',
      2: 'great white shark',
      7: 'cock',
      207: 'golden retriever',
      258: 'Samoyed',
      281: 'tabby',
      285: 'Egyptian cat',
      291: 'lion',
      388: 'giant panda',
      404: 'airliner',
      483: 'castle',
      701: 'parachute',
      817: 'sports car',
      954: 'banana',
      963: 'pizza',
      980: 'volcano',
      999: 'toilet tissue',
    };
    for (const [index, name] of Object.entries(known)) expect(names[Number(index)]).toBe(name);
    const { images } = await predict(photograph, '--model', '15M-random', '--image-size', '32', '--no-details');
    for (const { index, label } of images[0]!.predictions) expect(label).toBe(names[index]);
  });
});

describe('predict', () => {
  it('says first of all, in one line, that weights are random', async () => {
    const { stdout, code } = await spikeformer(['predict', photograph, '--model', '15M-random', '--image-size', '64']);
    expect(stdout.split('\n')[0]).toBe('weights are random: the answers mean nothing');
    expect(stdout).toMatch(/mean firing rate \d+\.\d % of [\d,]+ neurons/);
    expect(stdout).toMatch(/where the time went: .*decode .*run the network/);
    expect(code).toBe(0);
    expect((await spikeformer(['predict', photograph, ...settings])).stdout).not.toContain('random');
  });

  it('prints names from outside without their control characters', async () => {
    const labels = Array.from({ length: 10 }, (_, i) => `\x1b[31mred\n${i}`);
    const hostile = await writeLabelled(at('hostile.safetensors'), labels);
    const { stdout } = await spikeformer(['predict', photograph, '--checkpoint', hostile, '--image-size', '32']);
    expect(stdout).toContain('\\u001b[31mred\\u000a');
    expect(stdout).not.toContain('\x1b');
  });
});
