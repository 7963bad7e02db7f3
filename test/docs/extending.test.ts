/**
 * docs/extending.md is run: the files of its operators are those of the repository, and no others know of them; its network is built and recognised, the files of its task are those of the repository, and its commands train, evaluate,
 * ask and export a network for that task.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { Inference } from '../../src/inference/inference.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import type { Architecture } from '../../src/models/architecture.js';
import { initialiseParameters } from '../../src/models/initialise.js';
import { parametersOf } from '../../src/operators/registry.js';
import { seededRandom } from '../../src/random.js';
import { repository, spikeformer } from '../cli/support.js';

/** Code blocks of the page with the text since the block before. */
async function blocksOf(language: string) {
  const page = await readFile(join(repository, 'docs', 'extending.md'), 'utf8');
  const pattern = new RegExp(`((?:(?!\\n\`\`\`)[\\s\\S])*?)\\n\`\`\`${language}\\n([\\s\\S]*?\\n)\`\`\`\\n`, 'g');
  return [...page.matchAll(pattern)].map(([, before, code]) => ({ before: before!, code: code! }));
}

const fileNamed = /`(src\/[\w/]+\.ts)`(?![\s\S]*`src\/[\w/]+\.ts`)/;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spikeformer-extending-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the operators of the page', () => {
  const own = ['coincidence', 'gate'];

  it.each([
    ...own.map((name) => `src/operators/${name}.ts`),
    'src/engines/calls/gate.ts',
    'src/engines/reference/calls/gate.ts',
  ])('have the code that ships: %s', async (file) => {
    const written = new Map((await blocksOf('ts')).map(({ before, code }) => [fileNamed.exec(before)?.[1], code]));
    expect(written.get(file)).toBe(await readFile(join(repository, file), 'utf8'));
  });

  it('are known to their own files, their kernels, the registry and the architecture that uses them, and to no other', async () => {
    const named = new RegExp(`\\b(?:${own.join('|')})(?:Operator|Gradient)?\\b`);
    const found: string[] = [];
    for (const folder of ['src', 'kernels'])
      for (const file of (await readdir(join(repository, folder), { recursive: true })).sort()) {
        // Made by the build from the names of files.
        if (!file.endsWith('.ts') || file.endsWith('.generated.ts')) continue;
        const path = `${folder}/${file.replaceAll(sep, '/')}`;
        const text = await readFile(join(repository, path), 'utf8');
        if (named.test(text.replace(/\/\*[\s\S]*?\*\/|(?:^|\s)\/\/.*$/gm, ''))) found.push(path);
      }
    console.log(`files that know the operators ${own.join(' and ')}:\n${found.join('\n')}`);
    const files = own.flatMap((name) => [
      ...[`src/operators/${name}.ts`, `src/engines/calls/${name}.ts`],
      ...[`src/engines/reference/calls/${name}.ts`, `kernels/${name}.ts`],
    ]);
    expect(found.sort()).toEqual([...files, 'src/operators/registry.ts', 'src/models/attentions.ts'].sort());
  });
});

describe('the network of the page', () => {
  it('is built, answers for every class, and is recognised by its parameters', async () => {
    const [block] = (await blocksOf('ts')).filter(({ before }) => before.includes('src/models/'));
    const source = join(repository, 'src');
    const own = join(repository, 'test', 'docs', `spikingStack-${process.pid}.ts`);
    const code = block!.code
      .replaceAll("from './", `from '${source}/models/`)
      .replaceAll("from '../", `from '${source}/`);
    await writeFile(own, code);
    try {
      const { spikingStack } = (await import(own)) as { spikingStack: Architecture };
      const configuration = spikingStack.schema.parse({ widths: [4, 8], classes: 5, timeSteps: 2 });
      const graph: Graph = spikingStack.build(configuration);
      const shapes = new Map(parametersOf(graph).map(({ name, shape }) => [name, shape]));
      expect(spikingStack.recognise(shapes, { timeSteps: 2 })).toEqual(configuration);
      const network = { graph, parameters: initialiseParameters(graph, 1), timeSteps: 2, oneStep: () => graph };
      const inference = new Inference({ name: 'stack', network, engine: await createReferenceEngine() });
      const { outputs } = await inference.run({ shape: [3, 3, 8, 8], data: new Float32Array(3 * 3 * 64).fill(1) });
      expect(outputs.get('logits')!.shape).toEqual([3, 5]);
      await inference.dispose();
    } finally {
      await rm(own, { force: true });
    }
  });
});

describe('the task of the page', () => {
  it('is the one that ships, file for file', async () => {
    const written = new Map(
      (await blocksOf('ts')).map(({ before, code }) => [fileNamed.exec(before)?.[1], code] as const),
    );
    const own = join('src', 'tasks', 'regression');
    for (const file of await readdir(join(repository, own)))
      expect(written.get(`${own}/${file}`), file).toBe(await readFile(join(repository, own, file), 'utf8'));
  });

  it('is learned, judged, asked and exported by the page’s commands', { timeout: 60_000 }, async () => {
    await makeImages(join(folder, 'images'), 48);
    const [recipe] = await blocksOf('json');
    await writeFile(join(folder, 'brightness.json'), recipe!.code);
    const commands = (await blocksOf('sh')).flatMap(({ code }) => code.trim().split('\n'));
    const outcomes = new Map<string, string>();
    for (const line of commands) {
      const [program, ...words] = line.split(/\s+/);
      expect(program).toBe('spikeformer');
      const args = words.map((word) => (/^(images|runs|brightness)\b/.test(word) ? join(folder, word) : word));
      const { code, stdout, stderr } = await spikeformer(args);
      expect(code, `${line}\n${stderr}`).toBe(0);
      outcomes.set(words[0]!, stdout);
    }
    expect([...outcomes.keys()]).toEqual(['train', 'eval', 'predict', 'export', 'energy']);
    // Guessing 0.5 for everything is wrong by 0.25 on average.
    const { task, meanAbsoluteError, data } = JSON.parse(outcomes.get('eval')!);
    expect(task).toBe('regression');
    expect(data.values).toEqual(['brightness']);
    expect(meanAbsoluteError).toBeLessThan(0.12);
    // What answers with numbers is counted as classifiers are, and is not called right or wrong.
    const { exact, accuracy, data: counted } = JSON.parse(outcomes.get('energy')!);
    expect([accuracy, counted.images]).toEqual([null, data.images]);
    expect(exact.millijoules).toBeGreaterThan(0);
    expect(outcomes.get('predict')).toMatch(/brightness +0\.\d+/);
    const drawing = await readFile(join(folder, 'runs', 'brightness', '30.svg'));
    const { width, format } = await sharp(drawing).metadata();
    expect([width, format]).toEqual([12, 'svg']);
    expect(drawing.toString()).toMatch(/brightness: 0\.\d+/);
    const last = await openCheckpointFile(join(folder, 'runs', 'brightness', 'last.safetensors'));
    const description = JSON.parse(last.metadata['meta-spikeformer']!);
    await last.close();
    expect(description).toMatchObject({ task: 'regression', labels: ['brightness'] });
    const onnx = await readFile(join(folder, 'brightness.onnx'));
    expect(onnx.includes('values')).toBe(true);
    const metrics = await readFile(join(folder, 'runs', 'brightness', 'metrics.jsonl'), 'utf8');
    const epochs = metrics
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ kind }) => kind === 'epoch');
    const errors = epochs.map(({ heldOutMeanAbsoluteError }) => heldOutMeanAbsoluteError);
    const best = JSON.parse((await openState(folder)).progress).best;
    expect(best.meanAbsoluteError).toBe(Math.min(...errors));
    await expectShardsToAddUp(JSON.parse(outcomes.get('eval')!));
  });
});

/** Two machines say together what one says. */
async function expectShardsToAddUp(whole: Record<string, unknown>): Promise<void> {
  const files: string[] = [];
  for (const shard of ['0/2', '1/2']) {
    const checkpoint = join(folder, 'runs', 'brightness', 'best.safetensors');
    const where = ['--checkpoint', checkpoint, '--data', join(folder, 'images'), '--threads', '1'];
    const { stdout } = await spikeformer(['eval', ...where, '--shard', shard, '--json']);
    files.push(join(folder, `${shard[0]}.json`));
    await writeFile(files.at(-1)!, stdout);
  }
  const merged = JSON.parse((await spikeformer(['eval', '--merge', ...files, '--json'])).stdout);
  expect(merged.meanAbsoluteError).toBeCloseTo(whole.meanAbsoluteError as number, 12);
  expect({ ...merged, meanAbsoluteError: 0, perValue: 0, timing: 0 }).toEqual({
    ...whole,
    meanAbsoluteError: 0,
    perValue: 0,
    timing: 0,
  });
}

async function openState(place: string) {
  const state = await openCheckpointFile(join(place, 'runs', 'brightness', 'state.safetensors'));
  await state.close();
  return state.metadata as { progress: string };
}

/** Grey images with a little noise; the brightness is that of the pixels as they are, 0 to 1. */
async function makeImages(place: string, count: number): Promise<void> {
  await mkdir(place);
  const random = seededRandom(1);
  const lines = ['image,brightness'];
  for (let i = 0; i < count; i++) {
    const grey = (250 * i) / (count - 1);
    const pixels = Uint8Array.from({ length: 12 * 12 * 3 }, () => Math.min(255, grey + random.integer(6)));
    const name = `${String(i).padStart(2, '0')}.png`;
    await sharp(pixels, { raw: { width: 12, height: 12, channels: 3 } })
      .png()
      .toFile(join(place, name));
    lines.push(`${name},${pixels.reduce((sum, value) => sum + value, 0) / pixels.length / 255}`);
  }
  await writeFile(join(place, 'targets.csv'), lines.join('\n'));
}
