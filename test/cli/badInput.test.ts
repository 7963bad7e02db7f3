/** A walk through everything that can be wrong: each ends in one line on standard error and exit code 2, and leaves nothing behind. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutputError } from '../../src/cli/outputStream.js';
import { crc32 } from '../../src/interop/crc32.js';
import {
  checkpoint,
  everythingIn,
  fixture,
  golden,
  plant,
  spikeformer,
  temporaryFolder,
  writeLabelled,
  writeTensors,
  zeros,
} from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
/** A path in this test's own folder. */
const at = (...parts: string[]) => join(folder.path, ...parts);
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

async function expectRefused(args: readonly string[], message: RegExp | string): Promise<void> {
  const before = await everythingIn(folder.path);
  const { code, stdout, stderr } = await spikeformer(args);
  expect(stderr).toMatch(/^spikeformer: [^\n]+\n$/);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/defect|\bat .*\.[jt]s:\d/);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(await everythingIn(folder.path)).toEqual(before);
}

/** A PNG whose header claims this size; its data is one grey pixel. */
function png(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const bytes = Buffer.alloc(body.length + 8);
    bytes.writeUInt32BE(data.length, 0);
    bytes.set(body, 4);
    bytes.writeUInt32BE(crc32(body), body.length + 4);
    return bytes;
  };
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.from([0, 128]))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const onePixel = png(1, 1);
const small = ['--checkpoint', checkpoint, '--image-size', '32', '--threads', '1'];

describe('commands and options', () => {
  it.each([
    ['an unknown command', ['forecast'], /unknown command 'forecast'/],
    ['a misspelt command, with a suggestion', ['predct', 'a.png'], /Did you mean predict\?/],
    [
      'an unknown option, with a suggestion',
      ['predict', 'a.png', '--modle', 'x'],
      /'--modle' \(Did you mean --model\?\)/,
    ],
    ['a missing argument', ['predict'], /missing required argument/],
    ['a missing option value', ['predict', 'a.png', '--top'], /argument missing/],
    ['a missing option', ['run', '--checkpoint', checkpoint, '--input', golden], /--output <FILE>' not specified/],
    ['too many arguments', ['info', '15M'], /too many arguments/],
    [
      '--model with --checkpoint',
      ['predict', 'a.png', '--model', '15M-random', '--checkpoint', checkpoint],
      /not both/,
    ],
    ['--size with --model', ['info', '--size', '15M', '--model', 'cifar10'], /give either --model or --size/],
    [
      'a --size that the file has not',
      ['info', '--size', '15M', '--checkpoint', checkpoint],
      /does not fit the network/,
    ],
    [
      'an unknown model',
      ['predict', 'a.png', '--model', '15M'],
      /expected one of photographs, photographs-t4, cifar10, cifar10-wide, fashion-mnist, fashion-mnist-t4, nmnist, nw-ucla, camvid, bccd, 15M-random, 31M-random, 55M-random/,
    ],
    ['an unknown model of info', ['info', '--model', 'vgg'], /model vgg: there is no model of this name/],
    ['an unknown size', ['info', '--size', '17M'], /--size: found "17M", expected 15M or 31M or 55M/],
    [
      'an unknown engine',
      ['predict', 'a.png', '--engine', 'gpu'],
      /--engine: found "gpu", expected native or wasm or reference/,
    ],
    ['eval without data', ['eval'], /--data: give a folder or an archive/],
    ['--merge with --data', ['eval', '--data', '.', '--merge', 'a.json'], /--merge only combines results/],
    ...['0', '17', 'abc', '1.5', '-1', '1e1', '', ' 4', '99999999999'].map(
      (value) =>
        [
          `--time-steps ${JSON.stringify(value)}`,
          ['predict', 'a.png', '--time-steps', value],
          `--time-steps: found "${value}", expected a whole number from 1 to 16`,
        ] as const,
    ),
    ['--threads 65', ['predict', 'a.png', '--threads', '65'], /--threads: found "65", expected .* 1 to 64/],
    ['--threads 0', ['info', '--threads', '0'], /unknown option '--threads'/],
    ['--batch 1025', ['eval', '--data', '.', '--batch', '1025'], /--batch: found "1025", expected .* 1 to 1024/],
    ['--top 0', ['predict', 'a.png', '--top', '0'], /--top: found "0", expected/],
    ['--heads 0', ['info', '--heads', '0'], /--heads: found "0", expected/],
    [
      '--strides of four numbers',
      ['info', '--strides', '2,2,2,2'],
      /--strides: found "2,2,2,2", expected five strides/,
    ],
    ['--shard 3/2', ['eval', '--data', '.', '--shard', '3/2'], /--shard: found "3\/2", expected i\/n with 0 ≤ i < n/],
    ['--shard 2/2', ['eval', '--data', '.', '--shard', '2/2'], /--shard: found "2\/2"/],
    ['--shard half', ['eval', '--data', '.', '--shard', 'half'], /--shard: found "half"/],
    [
      '--record of unknown words',
      ['run', '--checkpoint', 'a', '--input', 'b', '--output', 'c', '--record', 'spikes,weights'],
      /--record: found "spikes,weights", expected spikes or activations/,
    ],
    [
      '--precision f64',
      ['run', '--checkpoint', 'a', '--input', 'b', '--output', 'c', '--precision', 'f64'],
      /--precision: found "f64", expected/,
    ],
    ['--image-size 0', ['info', '--image-size', '0'], /--image-size: found "0", expected/],
    ['--port 65536', ['lab', '--port', '65536'], /--port: found "65536", expected a whole number from 0 to 65535/],
    ['--port 80a', ['lab', '--port', '80a'], /--port: found "80a", expected/],
  ] as const)('refuses %s', async (_title, args, message) => {
    await expectRefused(args, message);
  });

  it('sends whoever types an option wrong to the help of the command', async () => {
    await expectRefused(['predict', 'a.png', '--engine', 'gpu'], /; see spikeformer predict --help\n$/);
    await expectRefused(['info', '--bogus'], /; see spikeformer info --help\n$/);
    await expectRefused(['eval'], /; see spikeformer eval --help\n$/);
    await expectRefused(['nonsense'], /; see spikeformer --help\n$/);
    await expectRefused(['train'], /^spikeformer: --output: give the folder [^:]*train --help\n$/);
    await expectRefused(
      ['train', '--output', 'a'],
      /^spikeformer: --recipe: give a name \(ade20k, bccd, camvid, cifar10, coco-detection, /,
    );
  });

  it('prints the help for no command on standard error, and for --help on standard output', async () => {
    const without = await spikeformer([]);
    expect(without).toMatchObject({ code: 2, stdout: '' });
    expect(without.stderr).toContain('Usage: spikeformer');
    const help = await spikeformer(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['predict', 'eval', 'run', 'info']) expect(help.stdout).toContain(`  ${command} `);
    expect((await spikeformer(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('heads and strides that do not fit', () => {
  it('refuses heads that do not divide the channels', async () => {
    await expectRefused(
      ['info', '--size', '15M', '--heads', '7'],
      /heads: the last two embedDim must be multiples of heads/,
    );
    await expectRefused(['info', '--checkpoint', checkpoint, '--heads', '7'], /infer_T4_kd\.pth: .*multiples of heads/);
    await writeFile(at('a.png'), onePixel);
    await expectRefused(
      ['predict', at('a.png'), '--checkpoint', checkpoint, '--heads', '7', '--json'],
      /multiples of heads/,
    );
  });
});

describe('checkpoints', () => {
  const bad: readonly (readonly [string, () => Promise<string> | string, RegExp])[] = [
    ['is missing', () => at('none.pth'), /none\.pth: cannot read: no such file/],
    ['is a directory', () => folder.path, /is a directory, not a checkpoint/],
    ['is empty', () => written('empty.pth', ''), /is empty \(0 bytes\)/],
    ['is something else', () => written('wrong.pth', 'one two three'), /is not a checkpoint/],
    ['is an HTML page', () => fixture('formats', 'not-a-checkpoint.pth'), /looks like an HTML page/],
    ['would run a program', () => fixture('formats', 'hostile-os-system.pth'), /hostile-os-system\.pth: /],
    ['is truncated', () => fixture('formats', 'truncated.pth'), /truncated\.pth: /],
    [
      'holds another network',
      () => tensors('other.safetensors', { weight: zeros(3, 4) }),
      /not the weights of a Meta-SpikeFormer/,
    ],
    ['is an image', () => written('image.pth', onePixel), /is a PNG image, not a checkpoint/],
    [
      'names too few classes',
      () => writeLabelled(at('labels.safetensors'), ['a']),
      /names 1 classes, but its network has 10/,
    ],
    ['lacks most parameters', stemOnly, /\d+ missing: .* and \d+ more/],
  ];
  const written = async (name: string, content: string | Uint8Array) => {
    await writeFile(at(name), content);
    return at(name);
  };
  const tensors = (name: string, content: Parameters<typeof writeTensors>[1]) => writeTensors(at(name), content);
  async function stemOnly(): Promise<string> {
    const encode = (index: string) => `downsample${index}.encode_conv.weight`;
    return tensors('stem.safetensors', {
      [encode('1_1')]: zeros(8, 3, 7, 7),
      [encode('1_2')]: zeros(16, 8, 3, 3),
      [encode('2')]: zeros(32, 16, 3, 3),
      [encode('3')]: zeros(64, 32, 3, 3),
      [encode('4')]: zeros(80, 64, 3, 3),
    });
  }

  it.each(bad)('refuses one that %s, in every command', async (_title, make, message) => {
    const file = await make();
    await plant(at('data'), { 'a/1.png': onePixel });
    await expectRefused(['predict', at('data/a/1.png'), '--checkpoint', file, '--json'], message);
    await expectRefused(['eval', '--data', at('data'), '--checkpoint', file, '--json'], message);
    await expectRefused(['info', '--checkpoint', file, '--json'], message);
    await expectRefused(['run', '--checkpoint', file, '--input', golden, '--output', at('out.safetensors')], message);
  });
});

describe('images', () => {
  it.each([
    ['is missing', undefined, /cannot be read \(ENOENT/],
    ['is empty', '', /is empty; an image file was expected/],
    ['is text', 'not an image', /begins with "not an i"/],
    ['is an HTML page', '<!doctype html><title>404</title>', /begins with "<!doctyp"/],
    [
      'claims 100,000 × 100,000 pixels',
      png(100_000, 100_000),
      /100000 x 100000 pixels, more than the 178956970 allowed/,
    ],
    ['has no pixels', png(0, 0), /image\.png: /],
    ['is truncated', onePixel.subarray(0, 40), /truncated or damaged/],
  ] as const)('refuses one that %s', async (_title, content, message) => {
    const path = at('image.png');
    if (content !== undefined) await writeFile(path, content);
    await expectRefused(['predict', path, ...small, '--json'], message);
    if (content === undefined) return;
    await plant(at('data'), { 'a/1.png': onePixel, 'b/2.png': content });
    const { code, stdout, stderr } = await spikeformer(['eval', '--data', at('data'), ...small, '--json']);
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^spikeformer: .*2\.png: /);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it('refuses a directory without images, and a name that tries to break the line', async () => {
    await plant(folder.path, { 'notes.txt': 'x', '.hidden.png': onePixel, 'below/a.png': onePixel });
    await expectRefused(
      ['predict', folder.path, ...small, '--json'],
      /holds no images, only 1 folder, and folders in a folder are not searched/,
    );
    await expectRefused(
      ['predict', at('a\nspikeformer: b\x1b[2J'), ...small, '--json'],
      /a\\u000aspikeformer: b\\u001b\[2J/,
    );
  });

  it('refuses more labels than there are classes', async () => {
    await writeFile(at('a.png'), onePixel);
    await expectRefused(
      ['predict', at('a.png'), ...small, '--top', '11', '--json'],
      /--top: found "11", but the model has 10/,
    );
  });
});

describe('data folders', () => {
  it.each([
    ['does not exist', {}, 'none', /cannot be read as a folder/],
    ['is empty', {}, '.', /holds no class folders/],
    ['holds images but no class folders', { 'data/1.png': onePixel }, 'data', /holds no class folders/],
    ['has a class without images', { 'data/a/notes.txt': 'x' }, 'data', /holds no images/],
    ['is a file', { 'data.png': onePixel }, 'data.png', /is a single image; give a folder/],
  ])('refuses one that %s', async (_title, files, place, message) => {
    await plant(folder.path, files);
    await expectRefused(['eval', '--data', at(place), ...small, '--json'], message);
  });

  it('refuses more class folders than classes, and folders that are no class of the model', async () => {
    await plant(at('eleven'), Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`${i}/1.png`, onePixel])));
    await expectRefused(
      ['eval', '--data', at('eleven'), ...small],
      /holds 11 class folders, but the model has 10 classes/,
    );
    const labels = ['ant', 'bee', 'cat', 'dog', 'eel', 'fox', 'gnu', 'hen', 'hen', 'jay'];
    const labelled = await writeLabelled(at('labelled.safetensors'), labels);
    const args = ['--checkpoint', labelled, '--image-size', '32', '--json'];
    await plant(at('strange'), { 'cat/1.png': onePixel, 'cow/1.png': onePixel, 'yak/1.png': onePixel });
    await expectRefused(
      ['eval', '--data', at('strange'), ...args],
      /2 of 3 class folders are not classes of the model: cow, yak;/,
    );
    await plant(at('double'), { 'hen/1.png': onePixel });
    await expectRefused(['eval', '--data', at('double'), ...args], /several classes named hen/);
  });
});

describe('inputs of run', () => {
  const run = (input: string, output = at('out.safetensors')) => [
    'run',
    '--checkpoint',
    checkpoint,
    '--input',
    input,
    '--output',
    output,
  ];
  const nan = {
    dtype: 'float32',
    shape: [1, 3, 32, 32],
    data: new Float32Array(3072).fill(0, 0, 3071).fill(Number.NaN, 17, 18),
  } as const;

  it.each([
    ['holds NaN', { input: nan }, /input: element 17 is NaN/],
    [
      'has four channels',
      { input: zeros(1, 4, 32, 32) },
      /in\.safetensors: input: shape \[1, 4, 32, 32\], expected \[B, 3, H, W\]/,
    ],
    ['has rank 3', { input: zeros(3, 32, 32) }, /input: shape \[3, 32, 32\], expected/],
    ['has rank 6', { input: zeros(1, 1, 1, 3, 8, 8) }, /input: shape \[1, 1, 1, 3, 8, 8\], expected/],
    [
      'has rank 0',
      { input: { dtype: 'float32', shape: [], data: new Float32Array(1) } },
      /input: shape \[\], expected/,
    ],
    ['has no images', { input: zeros(0, 3, 32, 32) }, /has an empty axis/],
    ['has images without pixels', { input: zeros(1, 3, 0, 32) }, /has an empty axis/],
    ['has no tensor named input', { image: zeros(1, 3, 32, 32) }, /has no tensor named input; it holds image/],
    [
      'holds integers',
      { input: { dtype: 'uint8', shape: [1, 3, 8, 8], data: new Uint8Array(192) } },
      /input has the element type uint8; expected/,
    ],
    ['holds 17 frames', { input: zeros(17, 1, 3, 8, 8) }, /timeSteps/],
  ] as const)('refuses one that %s', async (_title, content, message) => {
    await expectRefused(run(await writeTensors(at('in.safetensors'), content)), message);
  });

  it('refuses frames that are not as many as --time-steps says', async () => {
    const input = await writeTensors(at('in.safetensors'), { input: zeros(3, 1, 3, 8, 8) });
    await expectRefused(
      [...run(input), '--time-steps', '4'],
      /input: shape \[3, 1, 3, 8, 8\], expected .* or 4 frames/,
    );
  });

  it('refuses what is no safetensors file, or a damaged one', async () => {
    await expectRefused(run(at('none.safetensors')), /none\.safetensors: cannot read: no such file/);
    await expectRefused(run(checkpoint), /is a PyTorch file; save the input as safetensors/);
    const bytes = await readFile(golden);
    await writeFile(at('short.safetensors'), bytes.subarray(0, bytes.length - 5));
    await expectRefused(run(at('short.safetensors')), /damaged safetensors file/);
  });

  it('refuses outputs that cannot be, before it computes anything', async () => {
    await copyFile(golden, at('in.safetensors'));
    await mkdir(at('folder'));
    await expectRefused(
      run(at('in.safetensors'), at('none', 'out.safetensors')),
      /there is no folder .*none; create it/,
    );
    await expectRefused(run(at('in.safetensors'), at('folder')), /is not a file but a folder/);
    await expectRefused(run(at('in.safetensors'), at('in.safetensors', 'out')), /there is no folder/);
    await expectRefused(run(at('in.safetensors'), at('in.safetensors')), /is the input itself/);
  });
});

describe('an output that takes nothing', () => {
  it('is no image that cannot be used: predict ends', async () => {
    await writeFile(at('a.png'), onePixel);
    const { code, stderr } = await spikeformer(['predict', at('a.png'), at('a.png'), ...small], {
      writeOut(text) {
        if (text.includes('a.png')) throw new OutputError('standard output', new Error('ENOSPC: no space left, write'));
      },
    });
    expect([code, stderr]).toEqual([
      2,
      'spikeformer: standard output: cannot be written to (ENOSPC: no space left); make room or send it elsewhere\n',
    ]);
  });
});

describe('a defect of the program', () => {
  const broken = () => {
    throw new TypeError('x is not a function');
  };

  it('is admitted in one line, with exit code 1', async () => {
    const { code, stderr } = await spikeformer(['info'], { writeOut: broken });
    expect(stderr).toBe(
      'spikeformer: TypeError: x is not a function; this is a defect of meta-spikeformer, please report it\n',
    );
    expect(code).toBe(1);
  });

  it('shows its stack when SPIKEFORMER_DEBUG is 1', async () => {
    const { stderr } = await spikeformer(['info'], { writeOut: broken, environment: { SPIKEFORMER_DEBUG: '1' } });
    expect(stderr).toMatch(/\n\s+at /);
  });
});
