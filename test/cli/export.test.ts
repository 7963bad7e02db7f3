/** `export`: files that other programs read, and that come back as the same model. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, openCheckpointFile } from '../../src/index.js';
import { checkpoint, everythingIn, golden, spikeformer, temporaryFolder } from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const at = (name: string) => join(folder.path, name);
const exported = (format: string, output: string, ...more: string[]) =>
  spikeformer([
    'export',
    '--checkpoint',
    checkpoint,
    '--format',
    format,
    '--output',
    output,
    '--time-steps',
    '4',
    ...more,
  ]);

async function goldenInput() {
  const file = await openCheckpointFile(golden);
  const input = file.tensors.get('input')!;
  const result = { shape: input.shape, data: await input.readFloat32() };
  const logits = await file.tensors.get('logits')!.readFloat32();
  await file.close();
  return { input: result, logits };
}

describe('export', () => {
  it.each(['safetensors', 'pth'])('writes %s that comes back as the same model, to the bit', async (format) => {
    const output = at(`again.${format}`);
    const { code, stdout, stderr } = await exported(format, output);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(output);
    const { input } = await goldenInput();
    const logits = [];
    for (const file of [checkpoint, output]) {
      const model = await loadModel({ checkpoint: file }, { timeSteps: 4, threads: 1 });
      logits.push((await model.run(input)).logits);
      await model.dispose();
    }
    expect(logits[1]).toEqual(logits[0]);
  });

  it.each(['safetensors', 'pth'])('writes what the bundled model says of itself into %s', async (format) => {
    const output = at(`described.${format}`);
    expect((await spikeformer(['export', '--format', format, '--output', output])).code).toBe(0);
    const [bundled, again] = [await loadModel(), await loadModel({ checkpoint: output })];
    for (const key of ['labels', 'configuration', 'preprocessing'] as const)
      expect([key, again[key]]).toEqual([key, bundled[key]]);
    expect(again.provenance.trainedTimeSteps).toBe(1);
    await Promise.all([bundled.dispose(), again.dispose()]);
  });

  it('writes ONNX that onnxruntime answers as the authors’ module does', async () => {
    const output = at('net.onnx');
    const { input, logits } = await goldenInput();
    const size = String(input.shape[3]);
    expect((await exported('onnx', output, '--image-size', size)).code).toBe(0);
    const session = await ort.InferenceSession.create(output);
    const results = await session.run({ input: new ort.Tensor('float32', input.data, input.shape) });
    await session.release();
    const found = results.logits!.data as Float32Array;
    expect(Math.max(...found.map((value, i) => Math.abs(value - logits[i]!)))).toBeLessThan(1e-4);
  });

  it('writes a single step with membranes, and fixes a batch', async () => {
    const output = at('step.onnx');
    const { code, stdout } = await exported('onnx', output, '--step', '--batch', '2', '--image-size', '32');
    expect([code, stdout]).toEqual([0, expect.stringContaining('a single time step')]);
    const session = await ort.InferenceSession.create(output);
    expect(session.inputNames).toContain('block3.0.attn.q_lif.membrane');
    expect(session.outputNames).toContain('block3.0.attn.q_lif.membrane_next');
    await session.release();
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an unknown format', ['--format', 'tflite'], /--format: found "tflite", expected onnx or safetensors or pth/],
    ['ONNX options for another format', ['--format', 'pth', '--step'], /--step.*--format onnx/],
    ['frames and a single step', ['--format', 'onnx', '--frames', '--step'], /either --frames or --step/],
    [
      'RepConv merged beside batch norms',
      ['--format', 'onnx', '--batch-norms', '--repconv', 'full'],
      /either --repconv or/,
    ],
    ['a file without a name', ['--format', 'onnx', '--output', ''], /--output: found "", name the file/],
    ['a folder that is not there', ['--format', 'pth', '--output', '/nowhere/refused'], /there is no folder \/nowhere/],
    ['a checkpoint that is none', ['--format', 'onnx', '--checkpoint', 'package.json'], /package\.json/],
  ];
  it.each(wrong)('refuses %s in one line', async (_title, args, message) => {
    const { code, stdout, stderr } = await spikeformer(['export', '--output', at('refused'), ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(await everythingIn(folder.path)).not.toContain('refused');
  });

  it('never overwrites its input', async () => {
    const copy = at('input.pth');
    await writeFile(copy, await readFile(checkpoint));
    const { code, stderr } = await spikeformer(['export', '--checkpoint', copy, '--format', 'onnx', '--output', copy]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/is the checkpoint itself/)]);
    expect((await readFile(copy)).equals(await readFile(checkpoint))).toBe(true);
  });
});
