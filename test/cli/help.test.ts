/** What a person is told before anything runs: help with examples, and completion as the shells understand it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { modelNames } from '../../src/api/shippedModels.js';
import { recipeNames } from '../../src/training/recipeFiles.js';
import { repository, spikeformer } from './support.js';

const help = async (command: string) => (await spikeformer([command, '--help'])).stdout;

let commands: readonly string[];
const options = new Map<string, readonly string[]>();

beforeAll(async () => {
  const { stdout } = await spikeformer(['--help']);
  commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name!).filter((name) => name !== 'help');
  for (const command of commands) {
    const text = await help(command);
    options.set(
      command,
      [...text.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option!),
    );
  }
});

describe('help', () => {
  it('of every command ends with examples of it, which use its own options', async () => {
    expect(commands.length).toBeGreaterThan(9);
    for (const command of commands) {
      const examples = /\nExamples:\n((?: {2}\$ spikeformer .*\n)+)$/.exec(await help(command))?.[1];
      expect(examples, command).toBeDefined();
      for (const line of examples!.trimEnd().split('\n')) {
        expect(line).toMatch(new RegExp(`^ {2}\\$ spikeformer ${command}\\b`));
        for (const [option] of line.matchAll(/--[a-z-]+/g)) expect(options.get(command)).toContain(option);
      }
    }
  });

  it('names the models and the recipes', async () => {
    const words = (text: string) => text.replace(/\s+/g, ' ');
    for (const command of ['predict', 'eval', 'info', 'energy', 'tune', 'export'])
      for (const name of modelNames()) expect(words(await help(command))).toContain(name);
    for (const name of recipeNames()) expect(words(await help('train'))).toContain(name);
  });
});

describe('completion', () => {
  /** What bash would offer, asked as bash asks. */
  async function completed(...words: readonly string[]): Promise<string[]> {
    const script = `${(await spikeformer(['completion', 'bash'])).stdout}
      COMP_WORDS=(spikeformer "$@"); COMP_CWORD=$#; _spikeformer; printf '%s\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], {
      encoding: 'utf8',
      cwd: join(repository, 'test', 'fixtures'),
    });
    expect(stderr).toBe('');
    return stdout.trimEnd().split('\n');
  }

  describe.skipIf(process.platform === 'win32')('of bash', () => {
    it.each([
      [['pre'], ['predict']],
      [['e'], ['eval', 'events', 'export', 'energy']],
      [['--v'], ['--version']],
      [
        ['predict', '--thre'],
        ['--threads', '--threshold'],
      ],
      [
        ['predict', 'a.png', '--engine', ''],
        ['native', 'wasm', 'reference'],
      ],
      [['predict', '--engine', '=', 'r'], ['reference']],
      [
        ['predict', '--engine', '='],
        ['native', 'wasm', 'reference'],
      ],
      [['info', '--size', '3'], ['31M']],
      [['predict', '--model', '5'], ['55M-random']],
      [
        ['train', '--recipe', 'imagenet-t4'],
        ['imagenet-t4', 'imagenet-t4-distillation'],
      ],
      [['predict', '--checkpoint', 'golden/infer_T4_kd.s'], ['golden/infer_T4_kd.safetensors']],
      [
        ['predict', 'li'],
        ['lif.json', 'lif.safetensors'],
      ],
      [['completion', 'f'], ['fish']],
      [
        ['events', 'a', '--format', 'evt'],
        ['evt2', 'evt3'],
      ],
      [['help', 'ene'], ['energy']],
      [['info', '--heads', ''], ['']],
    ])('completes %j to %j', async (words, expected) => {
      expect((await completed(...words)).sort()).toEqual([...expected].sort());
    });

    it('offers every option of every command', async () => {
      for (const command of commands)
        expect((await completed(command, '--')).filter((word) => word.startsWith('--')).sort()).toEqual(
          [...options.get(command)!].sort(),
        );
    });
  });

  it('has every option of every command for zsh and fish', async () => {
    const zsh = (await spikeformer(['completion', 'zsh'])).stdout;
    const fish = (await spikeformer(['completion', 'fish'])).stdout;
    expect(zsh).toMatch(/^#compdef spikeformer\n/);
    for (const command of commands) {
      const zshLine = new RegExp(`^ +${command}\\) _arguments (.*) ;;$`, 'm').exec(zsh)![1]!;
      const fishLines = fish.split('\n').filter((line) => line.includes(`'__fish_seen_subcommand_from ${command}'`));
      for (const option of options.get(command)!) {
        expect(zshLine).toContain(`'*${option}[`);
        expect(fishLines.some((line) => line.includes(` -l ${option.slice(2)} `))).toBe(true);
      }
    }
    for (const script of [zsh, fish]) for (const name of modelNames()) expect(script).toContain(name);
  });

  it('refuses a shell that it does not know', async () => {
    const { code, stderr } = await spikeformer(['completion', 'tcsh']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/bash, zsh, fish; see spikeformer completion --help\n$/);
  });
});
