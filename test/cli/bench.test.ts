/** `bench`: contestants that agree before they race, and the document that its readers rely on. Not how fast anyone is. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { repository, spikeformer } from './support.js';

const built = join(repository, 'dist', 'cli', 'main.js');
const present = existsSync(built);

describe('bench', () => {
  it.skipIf(!present)(
    `races the bundled model and prints the document${present ? '' : ' (skipped: dist is not built; run npm run build)'}`,
    async () => {
      const args = ['bench', '--cases', 'cifar10-B1', '--rounds', '1', '--json'];
      const { stdout } = await promisify(execFile)(process.execPath, [built, ...args]);
      const document = JSON.parse(stdout);
      expect(document.machine).toMatchObject({ node: process.version, processors: expect.any(Number) });
      expect(
        document.cases.map((entry: { batch: number; precision: string }) => [entry.batch, entry.precision]),
      ).toEqual([
        [1, 'f32'],
        [1, 'i16'],
      ]);
      for (const entry of document.cases) {
        expect(entry).toMatchObject({ model: 'cifar10', timeSteps: 1, firingRate: expect.any(Number) });
        const { ms, ratio } = entry.rivals['onnxruntime-node'];
        expect(ratio).toBeCloseTo(ms / entry.ours_ms, 6);
        expect(entry.peakMemoryMB).toBeGreaterThan(20);
        // The same network: logits of the exact engine are ONNX Runtime's.
        if (entry.precision === 'f32') expect(entry.largestLogitDifference).toBeLessThan(1e-3);
      }
    },
    120_000,
  );

  it('refuses a case and a rate that do not exist', async () => {
    const unknown = await spikeformer(['bench', '--cases', '31M-T1,15M']);
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringMatching(/^spikeformer: --cases: [^\n]*31M-T1 or 31M-T4[^\n]*\n$/),
    ]);
    const rate = await spikeformer(['bench', '--rates', '5,100']);
    expect([rate.code, rate.stderr]).toEqual([
      2,
      expect.stringMatching(/^spikeformer: --rates: [^\n]*1 to 90[^\n]*\n$/),
    ]);
  });
});
