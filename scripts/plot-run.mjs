// @ts-check
/** Draws the curve of a recorded run again, from its `metrics.jsonl`: `node scripts/plot-run.mjs docs/runs/photographs`, after `npm run build`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { learningCurve } from '../dist/training/learningCurve.js';

const folders = process.argv.slice(2);
if (folders.length === 0) {
  process.stderr.write('usage: node scripts/plot-run.mjs docs/runs/NAME…\n');
  process.exit(2);
}
for (const folder of folders) {
  const { name } = JSON.parse(readFileSync(join(folder, 'recipe.json'), 'utf8'));
  const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
  /** @type {import('../dist/training/learningCurve.js').CurveEpoch[]} */
  const epochs = [];
  let learningRate;
  for (const text of lines) {
    const line = JSON.parse(text);
    learningRate = line.learningRate ?? learningRate;
    if (line.kind === 'epoch') epochs.push({ ...line, learningRate });
  }
  const target = join(folder, 'curve.svg');
  writeFileSync(target, learningCurve(epochs, `recipe ${name}`));
  process.stdout.write(`${target}\n`);
}
