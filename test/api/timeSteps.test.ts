/** Weights know the time steps they were trained at; whoever uses others is told in one line, wherever answers are shown. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, openCheckpointFile } from '../../src/index.js';
import { repository, spikeformer, temporaryFolder } from '../cli/support.js';

const photograph = join(repository, 'assets', 'photographs', 'cat.jpg');
const note = 'T = 2, but these weights were trained at T = 1; at other time steps the network is less accurate';

describe('weights used at other time steps than they were trained at', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => folder.remove());
  const exported = async (...options: string[]) => {
    const output = join(folder.path, 'exported.safetensors');
    await spikeformer(['export', '--format', 'safetensors', '--output', output, ...options]);
    return output;
  };

  it('are warned of by the library, and not at their own', async () => {
    const model = await loadModel({}, { threads: 1 });
    expect(model.warnings).toEqual([]);
    expect(model.reconfigured({ timeSteps: 2 }, model.engine).warnings).toEqual([note]);
    await model.dispose();
  });

  it.each([
    ['predict', ['predict', photograph, '--no-details']],
    ['predict --json', ['predict', photograph, '--no-details', '--json']],
    ['info', ['info']],
    ['energy', ['energy', '--proof']],
  ])('are warned of by %s', async (_title, command) => {
    const { code, stderr } = await spikeformer([...command, '--time-steps', '2']);
    expect(stderr).toBe(`note: ${note}\n`);
    expect(code).toBe(0);
    expect((await spikeformer(command)).stderr).toBe('');
  });

  it('stay known through an export at other time steps', async () => {
    const output = await exported('--time-steps', '2');
    const model = await loadModel({ checkpoint: output }, { threads: 1 });
    expect(model.configuration.timeSteps).toBe(2);
    expect(model.warnings).toEqual([note]);
    await model.dispose();
  });

  it('are not invented where nobody knows them', async () => {
    const golden = join(repository, 'test', 'fixtures', 'golden', 'infer_T4_kd.pth');
    const output = await exported('--checkpoint', golden, '--time-steps', '4');
    const model = await loadModel({ checkpoint: output }, { timeSteps: 2, threads: 1 });
    expect(model.warnings).toEqual([]);
    await model.dispose();
  });

  it('are warned of in the report', async () => {
    const rates = join(folder.path, 'rates.json');
    const report = join(folder.path, 'report.html');
    await writeFile(rates, '{"default": 0.2}');
    await spikeformer(['energy', '--rates', rates, '--report', report, '--time-steps', '2']);
    expect(await readFile(report, 'utf8')).toContain(note);
    await spikeformer(['energy', '--rates', rates, '--report', report]);
    expect(await readFile(report, 'utf8')).not.toContain('trained at T');
  });
});

describe('the bundled model', () => {
  it('says in its header that it was trained at T = 1', async () => {
    const file = await openCheckpointFile(join(repository, 'models', 'cifar10.safetensors'));
    const description = JSON.parse(file.metadata['meta-spikeformer']!) as { trainedTimeSteps: number };
    await file.close();
    expect(description.trainedTimeSteps).toBe(1);
  });

  it('has the weights that were trained, to the bit', async () => {
    const file = await openCheckpointFile(join(repository, 'models', 'cifar10.safetensors'));
    const hash = createHash('sha256');
    for (const name of [...file.tensors.keys()].sort()) {
      // Whole steps have no negative zero; that of float16 is the same weight.
      const values = (await file.tensors.get(name)!.readFloat32()).map((value) => value + 0);
      hash.update(name).update(values);
    }
    await file.close();
    expect(hash.digest('hex')).toBe('5ea3fe6bd61b21b7729f4a84091e938648c5cbb23d9c04e07d274448d0644bc3');
  });
});
