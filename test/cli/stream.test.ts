/** `stream` against `predict` on the same recordings, with the shipped model of events and the recordings that come with it. */
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { repository, spikeformer, temporaryFolder } from './support.js';

const recording = (name: string) => join(repository, 'assets', 'recordings', `${name}.bin`);
const folder = await temporaryFolder();
afterAll(() => folder.remove());

/** A document a line. */
const lines = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('stream', () => {
  it.each([
    ['two', '2'],
    ['five', '5'],
    ['seven', '7'],
  ])('sees the %s, and decides as predict does on the same windows, to the bit', async (name, label) => {
    const { code, stdout } = await spikeformer(['stream', recording(name), '--json']);
    expect(code).toBe(0);
    const documents = lines(stdout);
    const summary = documents.pop();
    const predicted = JSON.parse(
      (await spikeformer(['predict', recording(name), '--model', 'nmnist', '--json'])).stdout,
    );
    const [answer] = predicted.recordings;
    const { timeSteps } = predicted.model;
    const last = documents.find(({ step }) => step === timeSteps);
    expect(last.predictions[0].label).toBe(label);
    expect(last.predictions.slice(0, 3)).toEqual(answer.predictions.slice(0, 3));
    expect(answer.steps).toHaveLength(timeSteps);
    for (const [index, step] of answer.steps.entries())
      expect(documents[index].predictions[0]).toEqual(step.predictions[0]);
    expect(summary).toMatchObject({ command: 'stream', format: 'nmnist-bin', windows: documents.length });
    expect(summary.events).toBe((await readFile(recording(name))).length / 5);
    expect(summary.millijoules).toBeCloseTo(
      documents.reduce((sum, { millijoules }) => sum + millijoules, 0),
      9,
    );
  });

  it('reads standard input and a socket as it reads a file', async () => {
    const bytes = await readFile(recording('five'));
    const withoutTimes = (stdout: string) => lines(stdout).map(({ milliseconds: _, source: __, ...rest }) => rest);
    const file = await spikeformer(['stream', recording('five'), '--json']);
    const options = ['--from', 'nmnist-bin', '--json'];
    const piped = await spikeformer(['stream', '-', ...options], { stdin: bytes });
    expect(withoutTimes(piped.stdout)).toEqual(withoutTimes(file.stdout));
    const server = createServer((socket) => socket.end(bytes));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const sent = await spikeformer(['stream', `tcp://localhost:${port}`, ...options]);
    server.close();
    expect(withoutTimes(sent.stdout)).toEqual(withoutTimes(file.stdout));
  });

  it('sleeps through windows without events, and shows them when asked to', async () => {
    // The same events, the second half 3 s later.
    const bytes = Uint8Array.from(await readFile(recording('seven')));
    for (let at = 0; at < bytes.length; at += 5) {
      const time = ((bytes[at + 2]! & 0x7f) << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!;
      const moved = time < 150_000 ? time : time + 3_000_000;
      bytes[at + 2] = (bytes[at + 2]! & 0x80) | (moved >> 16);
      bytes[at + 3] = (moved >> 8) & 0xff;
      bytes[at + 4] = moved & 0xff;
    }
    const options = ['--from', 'nmnist-bin', '--json'];
    const asleep = lines((await spikeformer(['stream', '-', ...options], { stdin: bytes })).stdout);
    const silent = asleep.filter(({ skipped }) => skipped === true);
    expect(silent).toHaveLength(1);
    expect(silent[0]).toMatchObject({ events: 0, millijoules: 0, milliseconds: { frame: 0, network: 0 } });
    expect(silent[0].windows).toBeGreaterThan(55);
    const shown = lines((await spikeformer(['stream', '-', ...options, '--empty', 'show'], { stdin: bytes })).stdout);
    expect(shown.at(-1).steps).toBe(asleep.at(-1).steps + silent[0].windows);
    expect(shown.at(-1).millijoules).toBeGreaterThan(2 * asleep.at(-1).millijoules);
  });

  it('writes a plot, and a line a window for a person', async () => {
    const plot = join(folder.path, 'stream.svg');
    const { code, stdout, stderr } = await spikeformer([
      'stream',
      recording('two'),
      '--plot',
      plot,
      '--window',
      '30ms',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ 30 ms .*events.*µJ.*%/);
    expect(stderr).toMatch(/11 windows, 11 steps, 5,372 events/);
    const svg = await readFile(plot, 'utf8');
    expect(svg.match(/<circle/g)).toHaveLength(22);
  });

  it.each([
    [['stream'], /name a recording, or give --listen/],
    [['stream', 'a.bin', '--listen', '0'], /one of them/],
    [['stream', 'nothing.bin'], /nothing\.bin/],
    [['stream', recording('two'), '--window', '20'], /--window: found "20", expected a duration such as 20ms/],
    [['stream', recording('two'), '--window', '0ms'], /--window/],
    [['stream', recording('two'), '--model', 'cifar10'], /not at events/],
    [['stream', 'tcp://example.com:80'], /another machine/],
    [['stream', 'tcp://localhost:99999'], /no address of a socket/],
    [['stream', '-'], /standard input/],
    [['stream', join(repository, 'assets', 'photographs', 'cat.jpg')], /no recording of a known format/],
  ])('refuses %j in one line', async (args, message) => {
    const { code, stdout, stderr } = await spikeformer(args);
    expect(code).toBe(2);
    expect(stdout.split('\n').filter((line) => line.startsWith('{'))).toEqual([]);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
