/** Regression: its gradient against finite differences, its sums against sums over everything, what it reads and what it says. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openAnnotatedFiles } from '../../src/data/annotatedFiles.js';
import { seededRandom } from '../../src/random.js';
import { valueAnswers } from '../../src/tasks/regression/answer.js';
import { errorEvaluation } from '../../src/tasks/regression/evaluation.js';
import { absoluteErrorMetric } from '../../src/tasks/regression/metric.js';
import { squaredError } from '../../src/tasks/regression/objective.js';
import { readTargets } from '../../src/tasks/regression/targets.js';

const network = { classes: 2, timeSteps: 1 };
const outputsOf = (values: readonly number[]) =>
  new Map([['values', { shape: [values.length / 2, 2], data: Float32Array.from(values) }]]);

describe('the squared error', () => {
  it('has the derivative that finite differences find, of the mean over samples and numbers', () => {
    const random = seededRandom(3);
    const found = Float32Array.from({ length: 6 }, () => random.normal());
    const values = Float32Array.from({ length: 6 }, () => random.normal());
    const judge = (answers: Float32Array) =>
      squaredError().judge(new Map([['values', answers]]), { values }, 0.5, new Map());
    const { loss, gradients, sums } = judge(found);
    const differences = [...found].map((value, i) => value - values[i]!);
    expect(loss).toBeCloseTo((0.5 * differences.reduce((sum, d) => sum + d * d, 0)) / 6, 6);
    expect(sums.absoluteError).toBeCloseTo(
      differences.reduce((sum, d) => sum + Math.abs(d), 0),
      6,
    );
    for (const i of found.keys()) {
      const at = (step: number) => judge(found.map((value, k) => (k === i ? value + step : value))).loss;
      expect(gradients.get('values')![i]).toBeCloseTo((at(1e-2) - at(-1e-2)) / 2e-2, 4);
    }
  });
});

describe('the mean absolute error', () => {
  it('of parts adds up to that of the whole, and less is better', () => {
    const metric = absoluteErrorMetric(network);
    const parts = [metric.counter(), metric.counter()];
    parts[0]!.add(outputsOf([1, 2]), { values: Float32Array.of(0, 4) });
    parts[1]!.add(outputsOf([3, 3, 5, 5]), { values: Float32Array.of(3, 0, 1, 5) });
    const merged = metric.merge(parts.map((part) => part.counts()));
    expect(merged).toEqual({ samples: 3, absolute: [5, 5] });
    expect(metric.figure(merged)).toBeCloseTo(10 / 6, 12);
    expect(metric.better(1, 2)).toBe(true);
    expect(metric.figure(metric.counter().counts())).toBeUndefined();
    expect(() => metric.merge([merged, { samples: 1, absolute: [1] }])).toThrow(/different numbers/);
  });

  it('stands in a document that says so when it was edited', () => {
    const data = { name: 'images', names: ['a', 'b'] };
    const evaluation = errorEvaluation.begin({ network, labels: ['a', 'b'], hasLabels: true }, data);
    evaluation.add(outputsOf([1, 2]), { values: Float32Array.of(0, 4) });
    const fields = evaluation.fields();
    expect(errorEvaluation.inconsistency(fields, 1, data.names)).toBeUndefined();
    expect(errorEvaluation.inconsistency(fields, 2, data.names)).toMatch(/all images/);
    expect(errorEvaluation.merge([fields, fields])).toMatchObject({
      meanAbsoluteError: 1.5,
      perValue: [{ samples: 2 }, {}],
    });
    const other = { network, labels: ['b', 'a'], hasLabels: true };
    expect(() => errorEvaluation.begin(other, data)).toThrow(/the model answers b, a/);
  });
});

describe('an answer', () => {
  it('has names and units of its own, in JSON, text and picture', () => {
    const reading = { labels: ['angle (°)', 'a<b'], top: 1, threshold: 0 };
    const [answer] = valueAnswers.decode(outputsOf([12.5, -1]), [{ width: 100, height: 50 }], reading);
    expect(valueAnswers.json(answer!)).toEqual({
      values: [
        { name: 'angle', unit: '°', value: 12.5 },
        { name: 'a<b', unit: null, value: -1 },
      ],
    });
    const plain = { bold: String, dim: String, cyan: String, bar: String };
    expect(valueAnswers.print(answer!, plain)).toEqual(['angle  12.50 °', 'a<b    -1.000']);
    const picture = valueAnswers.draw(answer!, { width: 100, height: 50 });
    expect(picture).toContain('angle: 12.50 °');
    expect(picture).not.toContain('a<b');
  });
});

describe('targets.csv', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spikeformer-regression-'));
    const pixel = sharp({ create: { width: 2, height: 2, channels: 3, background: 'white' } }).png();
    for (const name of ['a.png', 'b.png', 'c.png']) await writeFile(join(folder, name), await pixel.toBuffer());
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function read(text: string) {
    await writeFile(join(folder, 'targets.csv'), text);
    return readTargets(await openAnnotatedFiles(folder, 'train'));
  }

  it('gives every image its numbers, in the order of the images', async () => {
    const targets = await read('image,x,y (mm)\r\nb.png,3,4\r\na.png,1,2\r\nc.png,-5,6e1\r\n\r\n');
    expect(targets.names).toEqual(['x', 'y (mm)']);
    expect([...targets.values]).toEqual([1, 2, 3, 4, -5, 60]);
  });

  it('is refused with everything that is wrong with it at once', async () => {
    const wrong = read('image,x\na.png,1\na.png,2\nb.png,nine\nd.png,1\n');
    await expect(wrong).rejects.toThrow(
      /targets\.csv: a\.png: has several lines; b\.png: "nine".*; d\.png: there is no such image; c\.png: has no line$/,
    );
    await expect(read('name,x\n')).rejects.toThrow(/line 1 is "name,x"/);
  });

  it('that is not there is asked for', async () => {
    await expect(openAnnotatedFiles(folder, 'train').then(readTargets)).rejects.toThrow(/has no targets\.csv/);
  });
});
