/** docs/cli.md is the contract of the command line: it names every option, and its JSON has the shape of what is printed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { json, repository, spikeformer } from './support.js';

const text = readFileSync(join(repository, 'docs', 'cli.md'), 'utf8');

/** The part of the document about one command. */
function section(command: string): string {
  return text.split(/^## /m).find((part) => part.startsWith(`${command}\n`)) ?? '';
}

describe('docs/cli.md', () => {
  it.each([
    'predict',
    'eval',
    'run',
    'info',
    'init',
    'train',
    'tune',
    'events',
    'stream',
    'index',
    'search',
    'lab',
    'completion',
  ])('names the options of %s, all of them and no others', async (command) => {
    const { stdout } = await spikeformer([command, '--help']);
    const offered = new Set([...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option!));
    offered.delete('--help');
    const synopsis = /```\n([\s\S]*?)```/.exec(section(command))![1]!;
    const documented = new Set(synopsis.match(/--[a-z-]+/g));
    expect([...documented].sort()).toEqual([...offered].sort());
  });

  it('shows the document of info as it is', async () => {
    const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(section('info'))![1]!);
    const { configuration, stages, realFedLayers, ...printed } = await json(['info', '--size', '15M']);
    const { configuration: someSettings, stages: firstStage, realFedLayers: firstLayer, ...documented } = example;
    // Which engine runs is the machine's affair.
    expect(printed).toEqual({ ...documented, engine: { name: expect.any(String), why: expect.any(String) } });
    expect(Object.keys(documented.engine)).toEqual(Object.keys(printed.engine as object));
    expect(configuration).toMatchObject(someSettings);
    expect((stages as object[])[0]).toEqual(firstStage[0]);
    expect((realFedLayers as object[])[0]).toEqual(firstLayer[0]);
  });
});
